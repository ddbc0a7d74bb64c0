// The worker of the comparison, as text: classes, and an interpreter of programs that answers with what each step gave.
// The same text runs here and in workerd.

export const script = `
import { DurableObject, RpcStub, RpcTarget } from "cloudflare:workers";

class Plain { field = 1; method() { return 1; } }

class Target extends RpcTarget {
  own = 1;
  constructor(name) { super(); this.label = name; }
  get getter() { return 7; }
  get parts() { return { n: 1, call: (x) => [x, this.label], inner: new Target(this.label + "!") }; }
  hi(x) { return [this.label, x]; }
  child(name) { return new Target(name); }
  fail(message) { throw new RangeError(message); }
  async later(x) { await null; return x; }
}

const ERRORS = {
  type: (m) => new TypeError(m),
  range: (m) => new RangeError(m),
  syntax: (m) => new SyntaxError(m),
  cause: (m) => new Error(m, { cause: new RangeError("inner") }),
  own: (m) => Object.assign(new Error(m), { code: "E", info: { list: [1, "a"] } }),
  named: (m) => Object.assign(new TypeError(m), { name: "Custom" }),
  renamed: (m) => Object.assign(new Error(m), { name: "RangeError" }),
  subclass: (m) => new (class Mine extends Error { extra = 1; })(m),
  aggregate: (m) => new AggregateError([new Error("a"), 5], m),
  dom: (m) => new DOMException(m, "AbortError"),
  hidden: (m) => Object.defineProperty(new Error(m), "hidden", { value: 4 }),
  unclonable: (m) => Object.assign(new EvalError(m), { f: () => 1 }),
  instance: (m) => Object.assign(new Error(m), { plain: new Plain() }),
  object: (m) => ({ message: m, n: 1 }),
  array: (m) => [m, 1],
  text: (m) => m,
  number: () => 5,
  nothing: () => undefined,
  nil: () => null,
  big: () => 7n,
  fn: () => () => 1,
  target: () => new Target("thrown"),
};

export class Subject extends DurableObject {
  own = 1;
  count = 0;
  log = [];
  get tree() { return { a: { b: [1, { c: 2 }], f: (...args) => args.length }, n: 5, t: new Target("tree") }; }
  get number() { return 5; }
  get failing() { throw new URIError("getter"); }
  get promised() { return Promise.resolve({ z: 3 }); }
  static fixed() {}
  _private() { return "public"; }
  echo(...values) { return values.length === 1 ? values[0] : values; }
  make(spec) { return make(spec); }
  raise(kind, message) { throw ERRORS[kind](message); }
  async raiseLater(kind, message) { await null; throw ERRORS[kind](message); }
  pass(kind, message) { return ERRORS[kind](message); }
  target(name) { return new Target(name); }
  fn(n) { const f = (x) => [n, x]; f.prop = { q: n }; f.method = (x) => x; return f; }
  object(n) { return { n, f: (x) => x + n, t: new Target("o" + n), list: [n, n + 1], deep: { g: () => n } }; }
  async call(f, ...args) { return await f(...args); }
  async callMember(object, name, ...args) { return await object[name](...args); }
  async get(object, name) { return await object[name]; }
  keep(stub, dup) { this.kept = dup ? stub.dup() : stub; }
  async useKept(x) { return await this.kept(x); }
  async increment(how) {
    const n = (await this.ctx.storage.get("n")) ?? 0;
    if (how === "timer") await new Promise((resolve) => setTimeout(resolve, 1));
    await this.ctx.storage.put("n", n + 1);
    return n + 1;
  }
  note(x) { this.log.push(x); return this.log.length; }
  notes() { return this.log; }
  who() { return [this.ctx.id.name === undefined ? null : this.ctx.id.name, Object.keys(this).includes("ctx")]; }
  async block(x) { return await this.ctx.blockConcurrencyWhile(async () => { await null; return x; }); }
  async blockCalling(f, x) { return await this.ctx.blockConcurrencyWhile(async () => await f(x)); }
  async fetch() { return new Response("fetched " + ++this.count); }
}

export class Classic {
  async fetch() { return new Response("classic"); }
  method() { return 1; }
}

export class Silent extends DurableObject { hi() { return "hi"; } }

function make([kind, ...parts]) {
  switch (kind) {
    case "plain": return parts[0];
    case "undefined": return undefined;
    case "nan": return NaN;
    case "minus": return -0;
    case "big": return BigInt(parts[0]);
    case "date": return new Date(parts[0]);
    case "regexp": return new RegExp(parts[0], "gi");
    case "map": return new Map(parts.map(([k, v]) => [make(k), make(v)]));
    case "set": return new Set(parts.map(make));
    case "list": return parts.map(make);
    case "hole": return Object.assign(new Array(3), { 1: make(parts[0]) });
    case "object": return Object.fromEntries(parts.map(([k, v]) => [k, make(v)]));
    case "bytes": return new Uint8Array(parts);
    case "floats": return new Float64Array(parts);
    case "buffer": return new Uint8Array(parts).buffer;
    case "view": return new Uint8Array([0, ...parts, 0]).subarray(1, parts.length + 1);
    case "data": return new DataView(new Uint8Array(parts).buffer);
    case "boxed": return [Object(parts[0]), Object("text"), Object(true)];
    case "error": return ERRORS[parts[0]](parts[1]);
    case "cycle": { const value = { label: parts[0] }; value.self = value; return value; }
    case "twice": { const value = make(parts[0]); return [value, value]; }
    case "fn": return (x) => [parts[0], x];
    case "target": return new Target(parts[0]);
    case "stub": return new RpcStub((x) => [parts[0], x]);
    case "headers": return new Headers({ name: parts[0] });
    case "response": return new Response(parts[0], { status: 201, headers: { h: "v" } });
    case "request": return new Request("https://host/path", { method: "POST", body: parts[0] });
    case "proxy": return new Proxy({ a: 1 }, {});
    case "proxyOfList": return new Proxy([], {});
    case "instance": return new Plain();
    case "null-object": return Object.create(null);
    case "symbol": return Symbol(parts[0]);
    case "promise": return Promise.resolve(1);
    case "weak": return new WeakMap();
    case "url": return new URL("https://host/");
    case "namespace": return environment.SUBJECT;
    case "id": return environment.SUBJECT.idFromName("x");
    case "form": return new FormData();
    case "generator": return (function* () {})();
    case "getter": return { get a() { return parts[0]; } };
    case "getter-fails": return { get a() { throw new RangeError("got"); } };
    case "property": return environment.SUBJECT.getByName("x").method;
    case "signal": return new AbortController().signal;
    case "thenable": return { then(resolve) { resolve(parts[0]); } };
    default: throw new Error("unknown " + kind);
  }
}

let environment;

const KINDS = ["remote", "durableObjectReset"];

async function show(value, depth = 0) {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return value + "n";
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return String(value);
  if (depth > 6) return "...";
  const again = (part) => show(part, depth + 1);
  if (typeof value === "function") return "[" + typeof value + " " + value.constructor.name + "]";
  if (value instanceof DOMException) return "DOMException " + value.name + " " + value.code + ": " + value.message + marks(value);
  if (value instanceof Error) return showError(value, again);
  if (Array.isArray(value)) {
    const parts = [];
    for (let i = 0; i < value.length; i++) parts.push(i in value ? await again(value[i]) : "hole");
    return "[" + parts.join(", ") + "]";
  }
  if (value instanceof Map) return "Map " + (await again([...value]));
  if (value instanceof Set) return "Set " + (await again([...value]));
  if (value instanceof Date) return "Date " + value.getTime();
  if (value instanceof RegExp) return String(value);
  if (value instanceof ArrayBuffer) return "ArrayBuffer " + [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return value.constructor.name + " " + [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] + " at " + value.byteOffset;
  if (value instanceof Headers) return "Headers " + JSON.stringify([...value]);
  if (value instanceof Response) return "Response " + value.status + " " + value.headers.get("h") + " " + (await bodyOf(value));
  if (value instanceof Request) return "Request " + value.method + " " + value.url + " " + (await bodyOf(value));
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return "boxed " + value;
  const name = value.constructor?.name ?? "none";
  const keys = Object.keys(value).filter((key) => key !== "durableObjectId").sort();
  const parts = [];
  for (const key of keys) parts.push(key + ": " + (value[key] === value ? "itself" : await again(value[key])));
  const isDisposable = typeof value[Symbol.dispose] === "function";
  return (name === "Object" ? "" : name + " ") + "{" + parts.join(", ") + "}" + (isDisposable && depth === 0 ? " disposable" : "");
}

async function bodyOf(message) {
  return message.bodyUsed ? "(used)" : await message.text();
}

function marks(error) {
  return KINDS.filter((kind) => error[kind] === true).map((kind) => " " + kind).join("");
}

async function showError(error, again) {
  const keys = Object.getOwnPropertyNames(error).filter((key) => !["stack", "message", "durableObjectId", ...KINDS].includes(key));
  const parts = [];
  for (const key of keys.sort()) parts.push(key + ": " + (await again(error[key])));
  return error.constructor.name + " " + error.name + ": " + error.message + " {" + parts.join(", ") + "}" + marks(error);
}

async function outcome(run) {
  try {
    return await show(await run());
  } catch (error) {
    return "throws " + (await show(error));
  }
}

function follow(from, path) {
  let at = from;
  for (const name of path) at = at[name];
  return at;
}

/** What one step does, by its kind. */
const STEPS = {
  call: ({ stub }, path, args) => follow(stub, path)(...args.map(make)),
  read: ({ stub }, path) => follow(stub, path),
  pipe: ({ stub }, name, args, path, more) => follow(stub[name](...args.map(make)), path)(...more.map(make)),
  pipeRead: ({ stub }, name, args, path) => follow(stub[name](...args.map(make)), path),
  kinds: ({ stub }, name) => [typeof stub[name], name in stub],
  awaited: async ({ stub }) => (await stub) === stub,
  sameResult: async ({ stub }, spec) => { const p = stub.make(spec); return (await p) === (await p); },
  result: async ({ stub }, n, path, args) => { const object = await stub.object(n); return follow(object, path)(...args.map(make)); },
  dup: async ({ stub }, name) => {
    const target = await stub.target(name);
    const copy = target.dup();
    target[Symbol.dispose]();
    const results = [await outcome(() => target.hi(1)), await outcome(() => copy.hi(2))];
    copy[Symbol.dispose]();
    copy[Symbol.dispose]();
    return [...results, await outcome(() => copy.getter)];
  },
  disposeResult: async ({ stub }, n) => {
    const object = await stub.object(n);
    object[Symbol.dispose]();
    return [object.n, await outcome(() => object.f(1)), await outcome(() => object.t.hi(1)), await outcome(() => object.deep.g())];
  },
  disposePromise: async ({ stub }, name) => {
    const promise = stub.target(name);
    const before = promise.hi(1);
    promise[Symbol.dispose]();
    return [await outcome(() => before), await outcome(() => promise.hi(2)), await outcome(() => promise.getter)];
  },
  keep: async ({ stub }, label, dup) => {
    await stub.keep((x) => [label, x], dup);
    return outcome(() => stub.useKept(1));
  },
  passStub: async ({ stub }, label) => {
    const own = new RpcStub((x) => [label, x]);
    const first = await outcome(() => stub.call(own, 1));
    return [first, await outcome(() => own(2)), await outcome(() => stub.call(own, 3))];
  },
  passBack: async ({ stub }, name) => {
    const target = await stub.target(name);
    return [await outcome(() => stub.callMember(target, "hi", 1)), await outcome(() => stub.get(target, "getter")), await outcome(() => stub.echo(target).then((same) => same.hi(2)))];
  },
  callback: ({ stub }, spec, kind) => stub.call((x) => { if (kind !== null) throw ERRORS[kind]("callback"); return x; }, make(spec)),
  local: async (_, path, args) => follow(new RpcStub({ a: 1, f: (x) => [x], n: { g() { return Object.keys(this); } }, t: new Target("local") }), path)(...args.map(make)),
  wrap: (_, spec) => typeof new RpcStub(make(spec)),
  together: async ({ stub }, calls) => {
    const order = [];
    const all = calls.map(([name, ...args], i) => (name === "fetch" ? stub.fetch("https://host/").then((r) => r.text()) : stub[name](...args)).then((value) => { order.push(i); return value; }));
    const values = await Promise.all(all.map((one) => outcome(() => one)));
    return [values, await outcome(() => stub.notes())];
  },
  fresh: async ({ namespace }, calls) => {
    const stub = namespace.get(namespace.newUniqueId());
    const all = calls.map(([name, ...args]) => outcome(() => stub[name](...args)));
    return [await Promise.all(all), await outcome(() => stub.who())];
  },
  counters: async ({ namespace }, how, count) => {
    const stub = namespace.get(namespace.newUniqueId());
    return (await Promise.all(Array.from({ length: count }, () => stub.increment(how)))).sort();
  },
  blockCalling: ({ stub }, x) => stub.blockCalling((y) => [y, "from the block"], x),
  byName: async ({ namespace }, name) => {
    const stub = namespace.getByName(name);
    const id = namespace.idFromName(name);
    const twin = namespace.get(namespace.idFromString(id.toString()));
    return [stub.name, stub.id.name, stub.id.equals(id), Object.keys(stub).sort(), await stub.who(), await twin.who(), twin.name === undefined];
  },
  unique: async ({ namespace }) => {
    const stub = namespace.get(namespace.newUniqueId());
    return [stub.name === undefined, "name" in stub, await stub.who()];
  },
  getOptions: ({ namespace }, options) => namespace.getByName("a", options).name,
  noName: ({ namespace }) => namespace.getByName(),
  classic: ({ env }, path) => { const stub = env.CLASSIC.getByName("a"); return follow(stub, path)(); },
  classicRead: ({ env }, path) => follow(env.CLASSIC.getByName("a"), path),
  silent: ({ env }) => env.SILENT.getByName("a").fetch("https://host/"),
  thenArguments: ({ stub }, method, args) => stub.number[method](...args.map(make)),
  handled: ({ stub }, method) => stub.nothingOfThatName()[method]((x) => "handled " + x),
  many: async ({ stub }, count) => { for (let i = 0; i < count; i++) { stub.missing(); stub.raise("type", "ignored").deeper.call(); } return "still here"; },
};

export default {
  async fetch(request, env) {
    environment = env;
    const { name, steps } = await request.json();
    const namespace = env.SUBJECT;
    const stub = namespace.getByName(name);
    const results = [];
    for (const [kind, ...args] of steps) results.push(await outcome(() => STEPS[kind]({ env, namespace, stub }, ...args)));
    return Response.json(results);
  },
};
`;
