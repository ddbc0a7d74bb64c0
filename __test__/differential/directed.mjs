/** For every named divergence the programs that show it: a row of COMPAT.md that no longer differs must be noticed. */

const put = (...args) => ({ call: "put", args });
const get = (...args) => ({ call: "get", args });
const remove = (...args) => ({ call: "delete", args });
const list = (...args) => ({ call: "list", args });
const setAlarm = (...args) => ({ call: "setAlarm", args });
const getAlarm = () => ({ call: "getAlarm", args: [] });
const deleteAll = () => ({ call: "deleteAll", args: [] });
const transaction = (...steps) => ({ transaction: steps });
const burst = (...steps) => ({ burst: steps });

const abc = put({ a: 1, b: 2, c: 3 });
const symbol = { $: "symbol", name: "s" };
const bytes = { $: "bytes", type: "Uint8Array", bytes: [97] };
const notANumber = { $: "number", n: "NaN" };
const invalidDate = { $: "odd", of: "invalid date" };
const uncloneable = { $: "function" };
const weakMap = { $: "odd", of: "weak map" };
const alarmKey = "__MINIFLARE_ALARMS__";

export const directed = {
  "error-codes": [
    [put({ $: "repeat", s: "k", n: 2049 }, 1)],
    [put("k", { $: "zeros", n: 200_000 })],
    [transaction(get("a")), get({ $: "keys", n: 129 })],
  ],
  "startAfter-reverse": [
    [abc, list({ startAfter: "b", reverse: true })],
    [
      put("\u{1f600}", 0),
      put({ $: "repeat", s: "é", n: 1024 }, 1),
      list({ startAfter: { $: "repeat", s: "é", n: 1024 }, reverse: true }),
    ],
    [abc, transaction(list({ startAfter: "a", reverse: true, limit: 3 }))],
  ],
  "list-bounds": [
    [abc, list({ prefix: { $: "regexp", s: "a", f: "" } })],
    [list({ start: symbol })],
    [abc, list({ $: "inherited", from: { start: "b" } })],
    [put({ 2: "x", 3: "y" }), list({ startAfter: 2 })],
    [put({ 2: "x", 3: "y" }), list({ startAfter: 2, limit: 1 })],
  ],
  "transaction-delete-duplicates": [[abc, transaction(remove(["a", "a", "b"]))]],
  "put-arguments": [
    [put(5, 1)],
    [put(symbol, 1)],
    [put(null, 1)],
    [put(true)],
    [put(uncloneable, 1)],
    [transaction({ ...put(5, 1), caught: true }, put("a", 1))],
  ],
  "put-array": [[put(["x"], 1)]],
  "key-not-a-string": [
    [get(5)],
    [get(["a", 5])],
    [get(bytes)],
    [remove(null)],
    [remove([symbol])],
    [transaction(get(true))],
    [transaction(remove(5))],
  ],
  "id-arguments": [
    [{ call: "idFromName", args: [5], on: "namespace" }],
    [{ call: "idFromName", args: [], on: "other" }],
    [{ call: "get", args: [null], on: "namespace" }],
  ],
  "list-null": [
    [abc, list(null)],
    [abc, transaction(list(null))],
  ],
  "lone-surrogates": [[put("\ud800", 1), list(), get(["\ud800"]), remove("\ud800")]],
  "alarm-fraction": [[setAlarm(4e12 + 0.5), getAlarm()]],
  "alarm-time-zero": [
    [setAlarm(0), getAlarm(), put("a", 1), list()],
    [setAlarm(4e12), setAlarm(-1), getAlarm()],
    [setAlarm({ $: "date", t: 0 }), put("a", 1)],
    [transaction(put("a", 1), setAlarm(0)), put("b", 1)],
  ],
  "alarm-time-invalid": [
    [setAlarm(notANumber), getAlarm()],
    [setAlarm(4e12), setAlarm(invalidDate), getAlarm()],
    [setAlarm({ $: "number", n: "Infinity" }), getAlarm()],
    [setAlarm(1e300), getAlarm()],
    [setAlarm(0.5), getAlarm()],
    [setAlarm(4e12), transaction({ ...setAlarm(notANumber), caught: true }), getAlarm()],
  ],
  "alarm-key": [
    [setAlarm(4e12), get(alarmKey)],
    [setAlarm(4e12), remove(alarmKey), getAlarm()],
    [put(alarmKey, 1), list(), getAlarm()],
    [put(alarmKey, 1), get(alarmKey)],
  ],
  "caught-failure-in-transaction": [
    [transaction(put("a", 1), { ...put("b", uncloneable), caught: true }, put("c", 3))],
    [transaction({ ...remove({ $: "keys", n: 129 }), caught: true }, put("c", 3))],
    [transaction(put("a", 1), { ...put("b", uncloneable), caught: true }), list()],
    [transaction(burst(put("a", uncloneable, { allowUnconfirmed: true }), put("b", weakMap)))],
  ],
  "refused-write-counts": [
    [transaction(remove({ $: "keys", n: 128 }), burst(put("more", 1), put("n1", 1)))],
  ],
  "caught-failure-in-object": [
    { inside: true, steps: [{ transaction: [put("a", 1)], end: { throw: "text" } }, put("b", 2)] },
    { inside: true, steps: [setAlarm("4e12"), put("b", 2)] },
  ],
  "use-after-failure": [
    [
      { transaction: [put("a", 1)], end: { throw: 5 }, leak: true },
      { ...get("a"), on: "leaked" },
      { ...put("b", 1), on: "leaked" },
    ],
  ],
  "late-serialisation": [
    { inside: true, steps: [transaction({ ...put("a", { v: 1 }), mutated: true }), get("a")] },
    [transaction(burst(get("a"), { ...put("a", { v: 1 }), mutated: true })), get("a")],
  ],
  "program-order": [
    [burst(put("a", 1), get("a"), put("a", 2), get("a"), put("a", 3))],
    [burst(setAlarm(4e12), deleteAll()), getAlarm()],
    [abc, burst(deleteAll(), get("a"), put("a", 2), list())],
    [burst(deleteAll(), put("a", 1), transaction(list()))],
  ],
};

/** The programs of a divergence, completed: in an object with an alarm handler, from outside, unless they say otherwise. */
export function programsOf(name) {
  return directed[name].map((program) =>
    Array.isArray(program)
      ? { object: "ALARMED", inside: false, steps: program }
      : { object: "ALARMED", ...program },
  );
}
