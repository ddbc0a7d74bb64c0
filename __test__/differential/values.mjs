/**
 * Builds JavaScript values from JSON specifications, so that one program text can be printed, sent into a worker's
 * realm and shrunk. A plain JSON value stands for itself; `{$: kind, ...}` stands for what JSON cannot say.
 *
 * Runs in Node and inside workers: imports nothing.
 */

const STACK = "Error: fixed stack\n    at program";

class Point {
  constructor(x, y) {
    this.x = x;
    this.y = y;
  }
  get norm() {
    return this.x + this.y;
  }
}
class NamedList extends Array {}
class NamedError extends Error {}

function errorOf({ type = "Error", message = "m", name, cause, extra }) {
  const make = { Error, TypeError, RangeError, SyntaxError, EvalError, URIError, ReferenceError };
  const error = new make[type](message, cause === undefined ? undefined : { cause });
  error.stack = STACK;
  if (name !== undefined) error.name = name;
  if (extra !== undefined) error.extra = extra;
  return error;
}

function view({ type, bytes }) {
  const make = { Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array };
  Object.assign(make, { Uint32Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array });
  const { buffer } = Uint8Array.from(bytes);
  if (type === "ArrayBuffer") return buffer;
  if (type === "DataView") return new DataView(buffer, 1);
  return new make[type](buffer);
}

const cycles = {
  object: () => {
    const value = { name: "cycle" };
    value.self = value;
    return value;
  },
  array: () => {
    const value = [1];
    value.push(value);
    return value;
  },
  map: () => {
    const value = new Map([["k", 1]]);
    value.set("self", value).set(value, "by self");
    return value;
  },
  set: () => {
    const value = new Set([1]);
    return value.add(value);
  },
};

const sharings = {
  object: (shared = { n: 1 }) => [shared, shared],
  date: (shared = new Date(7)) => ({ a: shared, b: shared }),
  string: (shared = "same") => [shared, shared],
  boxed: (shared = Object("same")) => [shared, shared],
  buffer: (shared = Uint8Array.of(1, 2, 3, 4)) => [shared, new Uint8Array(shared.buffer, 1, 2)],
  map: (shared = new Map([["k", 1]])) =>
    new Map([
      ["x", shared],
      ["y", shared],
    ]),
};

const oddities = {
  holes: () => Object.assign(new Array(4), { 0: 1, 2: 3 }),
  "sparse array": () => Object.assign([], { 100: "far" }),
  "array with a property": () => Object.assign([1, 2], { extra: "x" }),
  "array subclass": () => NamedList.of(1, 2),
  "error subclass": () => Object.assign(new NamedError("sub"), { stack: STACK }),
  "error without stack": () => Object.assign(new Error("bare"), { stack: undefined }),
  "aggregate error": () => Object.assign(new AggregateError([1], "many"), { stack: STACK }),
  "class instance": () => new Point(1, 2),
  "own __proto__": () => JSON.parse('{"__proto__": {"x": 1}, "a": 2}'),
  "integer-like names": () => ({ b: 1, 10: 2, 2: 3, a: 4, "-1": 5, "01": 6 }),
  "symbol name": () => ({ [Symbol("s")]: 1, a: 2 }),
  accessor: () => ({
    get a() {
      return 5;
    },
    b: 6,
  }),
  "throwing accessor": () => ({
    get a() {
      throw new RangeError("accessor");
    },
  }),
  "hidden property": () => Object.defineProperty({ a: 1 }, "b", { value: 2, enumerable: false }),
  frozen: () => Object.freeze({ a: Object.freeze([1]) }),
  "empty object": () => ({}),
  "undefined property": () => ({ a: undefined, b: 1 }),
  arguments: () =>
    (function () {
      // biome-ignore lint/complexity/noArguments: a value under test
      return arguments;
    })(1, "two"),
  "invalid date": () => new Date(Number.NaN),
  "date with a property": () => Object.assign(new Date(5), { extra: 1 }),
  "regexp with lastIndex": () => Object.assign(/a+/dgu, { lastIndex: 3 }),
  "regexp slash": () => /\/[/]\n/m,
  "map in map": () => new Map([[new Map([["a", 1]]), new Set(["b"])]]),
  "map with a property": () => Object.assign(new Map([["a", 1]]), { extra: 1 }),
  "NaN key": () => new Map([[Number.NaN, -0]]),
  globalThis: () => ({ json: JSON, math: Math }),
  proxy: () => new Proxy({ a: 1 }, {}),
  promise: () => Promise.resolve(1),
  "weak map": () => new WeakMap(),
  generator: () => (function* () {})(),
  "shared memory": () => new SharedArrayBuffer(4),
  "nested function": () => ({ deep: [() => 1] }),
  "nested symbol": () => new Map([["s", Symbol("deep")]]),
  deep: () => {
    let value = "bottom";
    for (let i = 0; i < 100; i++) value = i % 2 ? [value] : { value };
    return value;
  },
  wide: () => Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`p${i}`, i])),
};

const kinds = {
  undefined: () => undefined,
  number: ({ n }) => Number(n),
  bigint: ({ n }) => BigInt(n),
  symbol: ({ name }) => Symbol(name),
  function: () => () => 1,
  repeat: ({ s, n, tail = "" }) => s.repeat(n) + tail,
  object: ({ e }, make) => defineAll({}, e, make),
  nullPrototype: ({ e }, make) => defineAll(Object.create(null), e, make),
  map: ({ e }, make) => new Map(e.map(([key, value]) => [make(key), make(value)])),
  set: ({ v }, make) => new Set(v.map(make)),
  date: ({ t }) => new Date(t),
  regexp: ({ s, f }) => new RegExp(s, f),
  error: (spec, make) => errorOf({ ...spec, cause: spec.cause && make(spec.cause) }),
  boxed: ({ of }, make) => Object(make(of)),
  bytes: view,
  zeros: ({ n }) => new Uint8Array(n),
  cycle: ({ of }) => cycles[of](),
  shared: ({ of }) => sharings[of](),
  odd: ({ of }) => oddities[of](),
  keys: ({ n, from = 0, prefix = "n" }) => Array.from({ length: n }, (_, i) => prefix + (from + i)),
  entries: ({ n, from = 0, prefix = "n", value = 0 }, make) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [prefix + (from + i), make(value)])),
  reentrant: (spec, make, refs) => ({
    before: "before",
    get inner() {
      reenter(spec, make, refs);
      return "inner";
    },
    after: ["after"],
  }),
  reentrantKeys,
  inherited: ({ from }, make) => Object.create(make(from)),
  ref: ({ name }, _make, refs) => refs[name],
  hex: ({ of, upper }, _make, refs) => (upper ? String(refs[of]).toUpperCase() : String(refs[of])),
};

/** Calls the storage in the middle of another operation's work on its arguments. */
function reenter({ call, args }, make, refs) {
  const outcome = refs.storage[call](...args.map(make));
  outcome.catch(() => {});
}

/** The keys, one of which calls the storage when it is read. */
function reentrantKeys(spec, make, refs) {
  const keys = spec.keys.map(make);
  const last = keys.length - 1;
  const value = keys[last];
  const get = () => {
    reenter(spec, make, refs);
    return value;
  };
  return last < 0 ? keys : Object.defineProperty(keys, last, { get });
}

function defineAll(target, entries, make) {
  for (const [key, value] of entries) {
    const described = { value: make(value), writable: true, enumerable: true, configurable: true };
    Object.defineProperty(target, make(key), described);
  }
  return target;
}

/** The value a specification stands for; `refs` holds what earlier steps of the program have named. */
export function build(spec, refs = {}) {
  const make = (inner) => build(inner, refs);
  if (spec === null || typeof spec !== "object") return spec;
  if (Array.isArray(spec)) return spec.map(make);
  if (spec.$ !== undefined) return kinds[spec.$](spec, make, refs);
  return defineAll({}, Object.entries(spec), make);
}

export const cycleNames = Object.keys(cycles);
export const sharingNames = Object.keys(sharings);
export const oddityNames = Object.keys(oddities);
