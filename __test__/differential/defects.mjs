/**
 * Defects to inject into a storage, to prove that the comparison notices them. Each is one plausible mistake of an
 * implementation. Runs in Node and inside workers: imports nothing.
 */

const mapOf = (map, change) => new Map(change([...map]));

/** Wraps one method of a storage and of its transactions. */
function wrapping(method, around) {
  return (target) =>
    (...args) =>
      around((...inner) => target[method](...inner), ...args);
}

const afterwards = (method, change) => ({
  [method]: wrapping(method, (next, ...args) => {
    const outcome = next(...args);
    const isPromise = typeof outcome?.then === "function";
    return isPromise ? outcome.then((value) => change(value, ...args)) : change(outcome, ...args);
  }),
});

const renamed = (method, change) => ({
  [method]: wrapping(method, (next, ...args) => {
    const fail = (error) => {
      throw change(error);
    };
    try {
      const outcome = next(...args);
      return typeof outcome?.then === "function" ? outcome.then(undefined, fail) : outcome;
    } catch (error) {
      return fail(error);
    }
  }),
});

export const defects = {
  "list returns an object": afterwards("list", (map) => Object.fromEntries(map)),
  "list in reverse starts at the wrong end": afterwards("list", (map, options) =>
    options?.reverse && options.limit === undefined ? mapOf(map, (all) => all.reverse()) : map,
  ),
  "end is inclusive": {
    list: wrapping("list", (next, options) =>
      typeof options?.end === "string"
        ? next({ ...options, end: `${options.end}\0` })
        : next(options),
    ),
  },
  "start is exclusive": afterwards("list", (map, options) =>
    mapOf(map, (all) => all.filter(([key]) => key !== options?.start)),
  ),
  "limit is rounded up": {
    list: wrapping("list", (next, options) =>
      next(options?.limit > 1 ? { ...options, limit: Math.ceil(options.limit) } : options),
    ),
  },
  "keys are ordered by UTF-16 units": afterwards("list", (map, options) =>
    options?.limit ? map : mapOf(map, (all) => all.sort(([a], [b]) => compareUnits(a, b, options))),
  ),
  "get of keys keeps the caller's order": afterwards("get", (map, keys) =>
    Array.isArray(keys)
      ? mapOf(map, (all) => all.sort(([a], [b]) => keys.indexOf(a) - keys.indexOf(b)))
      : map,
  ),
  "get of keys shows missing ones": afterwards("get", (map, keys) =>
    Array.isArray(keys)
      ? mapOf(map, (all) => [...all, ...keys.filter((key) => !map.has(key)).map((key) => [key])])
      : map,
  ),
  "an empty key is refused": {
    put: wrapping("put", (next, key, ...rest) =>
      key === "" ? next(undefined) : next(key, ...rest),
    ),
  },
  "a put is lost": {
    put: wrapping("put", (next, key, ...rest) =>
      key === "b" ? Promise.resolve() : next(key, ...rest),
    ),
  },
  "delete always reports true": afterwards("delete", (result) =>
    result === false ? true : result,
  ),
  "delete counts missing keys": afterwards("delete", (result, keys) =>
    Array.isArray(keys) ? keys.length : result,
  ),
  "errors lose their class": renamed("get", (error) => new Error(error.message)),
  "messages differ in one letter": renamed("put", (error) =>
    Object.assign(error, { message: error.message.replace("limit", "limits") }),
  ),
  "errors come late": {
    put: wrapping("put", async (next, ...args) => next(...args)),
  },
  "negative zero becomes zero": afterwards("get", (value) => (Object.is(value, -0) ? 0 : value)),
  "properties come sorted": afterwards("get", (value) =>
    Object.prototype.toString.call(value) === "[object Object]"
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => compareUnits(a, b)))
      : value,
  ),
  "deleteAll keeps the alarm": {
    deleteAll: (target) => async () => {
      if (target.rollback !== undefined) return target.deleteAll();
      const alarm = await target.getAlarm();
      await target.deleteAll();
      if (alarm !== null) await target.setAlarm(alarm);
    },
  },
  "alarms ring a millisecond early": afterwards("getAlarm", (time) => time && time - 1),
  "rollback does nothing": { rollback: () => () => undefined },
  "rollback returns a promise": {
    rollback: wrapping("rollback", async (next) => next()),
  },
  "a transaction answers nothing": afterwards("transaction", () => undefined),
};

function compareUnits(a, b, options) {
  const order = a < b ? -1 : a > b ? 1 : 0;
  return options?.reverse ? -order : order;
}

/** The storage, or the storage with the named defect; transactions of it have the defect too. */
export function withDefect(storage, name) {
  if (name === undefined) return storage;
  const defect = defects[name];
  const wrap = (target) =>
    new Proxy(target, {
      get(_, method) {
        if (target[method] === undefined) return undefined;
        if (Object.hasOwn(defect, method)) return defect[method](target);
        if (method === "transaction") {
          return (closure, ...rest) =>
            target.transaction(
              typeof closure === "function" ? (txn) => closure(wrap(txn)) : closure,
              ...rest,
            );
        }
        const value = target[method];
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  return wrap(storage);
}
