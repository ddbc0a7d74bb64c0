// The worker of the comparison: its object runs a program of steps, and says what each has given, here and in workerd.

export const script = `
import { DurableObject } from "cloudflare:workers";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Steps that the constructor of an object runs, by the object's name. */
const starts = new Map();

/** A value from its description: a tag and its parts. */
function make([kind, ...parts]) {
  switch (kind) {
    case "plain": return parts[0];
    case "undefined": return undefined;
    case "number": return Number(parts[0]);
    case "big": return BigInt(parts[0]);
    case "symbol": return Symbol(parts[0]);
    case "date": return new Date(parts[0]);
    case "long": return parts[0].repeat(parts[1]);
    case "text": return String.fromCharCode(...parts);
    case "buffer": return new Uint8Array(parts).buffer;
    case "bytes": return new Uint8Array(parts);
    case "part": return new Uint8Array([0, ...parts, 0]).subarray(1, 1 + parts.length);
    case "floats": return new Float64Array(parts);
    case "data": return new DataView(new Uint8Array(parts).buffer);
    case "list": return parts.map(make);
    case "object": return Object.fromEntries(parts.map(([key, value]) => [key, make(value)]));
    case "bare": return Object.create(null);
    case "speaking": return { toString: () => parts[0] };
    case "failing": return { toString() { throw new RangeError(parts[0]); } };
    case "boxed": return new Object(parts[0]);
    case "fn": return () => 1;
    case "map": return new Map(parts.map((pair) => pair.map(make)));
    case "set": return new Set(parts.map(make));
    default: throw new Error("unknown " + kind);
  }
}

/** A value as JSON that tells apart what JSON does not. */
function show(value) {
  if (value === undefined) return { undefined: true };
  if (typeof value === "bigint") return { big: String(value) };
  if (typeof value === "number" && (Object.is(value, -0) || !Number.isFinite(value))) return { number: Object.is(value, -0) ? "-0" : String(value) };
  if (value === null || typeof value !== "object") return typeof value === "function" ? "function" : value;
  if (value instanceof ArrayBuffer) return { buffer: Array.from(new Uint8Array(value), (byte) => byte.toString(16).padStart(2, "0")).join("") };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)].join() };
  if (value instanceof Date) return { date: value.getTime() };
  if (value instanceof Map) return { map: [...value].map((pair) => pair.map(show)) };
  if (value instanceof Set) return { set: [...value].map(show) };
  if (Array.isArray(value)) return value.map(show);
  return Object.fromEntries(Object.entries(value).map(([key, part]) => ["." + key, show(part)]));
}

/** The kind and the text of an error. What workerd says of a failure of its own has another number each time. */
function failure(error) {
  if (error === null || typeof error !== "object") return { thrown: show(error) };
  const text = String(error.message).replace(/reference = [a-z0-9]+/, "reference");
  return { error: error.constructor.name, name: error.name, text };
}

function attempt(run) {
  try {
    return show(run());
  } catch (error) {
    return failure(error);
  }
}

async function attemptLater(run) {
  try {
    return show(await run());
  } catch (error) {
    return failure(error);
  }
}

/** How a cursor is read, by name; each reads at most count rows, or all. */
const READS = {
  array: (cursor) => cursor.toArray(),
  one: (cursor) => cursor.one(),
  spread: (cursor) => [...cursor],
  rawSpread: (cursor) => [...cursor.raw()],
  rawArray: (cursor) => cursor.raw().toArray(),
  next: (cursor, count) => Array.from({ length: count }, () => cursor.next()),
  rawNext: (cursor, count) => { const raw = cursor.raw(); return Array.from({ length: count }, () => raw.next()); },
  iterate: (cursor, count) => { const rows = []; for (const row of cursor) { rows.push(row); if (rows.length >= count) break; } return rows; },
  mixed: (cursor, count) => { const raw = cursor.raw(); return Array.from({ length: count }, (_, i) => (i % 2 ? raw.next() : cursor.next())); },
};

/** What a cursor says of itself. It is lost when the database was deleted. */
const counters = (cursor) => [attempt(() => cursor.columnNames), attempt(() => [cursor.rowsRead, cursor.rowsWritten])];

function listed(iterator, count) {
  const pairs = [];
  for (const pair of iterator) { pairs.push(pair); if (pairs.length >= count) break; }
  return pairs;
}

/** Steps that are done when they return. */
const SYNC = {
  exec(object, text, bindings, how) {
    const { storage } = object;
    // An open list keeps tables locked in workerd.
    if (text.startsWith("DROP")) attempt(() => [...(object.list ?? [])]);
    const cursor = storage.sql.exec(text, ...bindings.map(make));
    const rows = attempt(() => READS[how](cursor, 3));
    return [{ rows }, ...counters(cursor), storage.sql.databaseSize];
  },
  open(object, slot, text, bindings) {
    // What an unused cursor keeps locked would depend on when it is collected.
    const old = object.cursors.get(slot);
    object.cursors.delete(slot);
    if (old) attempt(() => old.toArray().length);
    const cursor = object.storage.sql.exec(text, ...bindings.map(make));
    object.cursors.set(slot, cursor);
    return counters(cursor);
  },
  read(object, slot, how, count) {
    const cursor = object.cursors.get(slot);
    if (cursor === undefined) return "no cursor";
    const rows = attempt(() => READS[how](cursor, count));
    // workerd gives rows of nothing after an error.
    if (rows.error) object.cursors.delete(slot);
    return [{ rows }, ...counters(cursor)];
  },
  kv({ storage }, call, args) { return storage.kv[call](...args.map(make)); },
  kvList({ storage }, options, count) { return listed(storage.kv.list(options ?? undefined), count); },
  kvOpen(object, options) { object.list = object.storage.kv.list(options ?? undefined); },
  kvNext(object, count) { return object.list === undefined ? "no list" : Array.from({ length: count }, () => attempt(() => object.list.next())); },
  unawaited({ storage }, call, args) { storage[call](...args.map(make)).catch(() => {}); },
  size: ({ storage }) => storage.sql.databaseSize,
  sync(object, steps, end) {
    const inner = [];
    const result = attempt(() => object.storage.transactionSync(() => {
      for (const step of steps) inner.push(object.now(step));
      if (end === "throw") throw new RangeError("undone");
      return end;
    }));
    // What a list does after its rows are undone is a failure in workerd.
    if (end === "throw") object.list = undefined;
    return [{ inner }, result];
  },
};

/** Steps that are awaited. */
const LATER = {
  call: async ({ storage }, call, args) => storage[call](...args.map(make)),
  async deleteAll(object) {
    await object.storage.deleteAll();
    // A list that is walked while everything is deleted fails in workerd.
    object.list = undefined;
    // Without one, a later deleteAlarm() may make the table of the alarm in workerd.
    await object.storage.setAlarm(4e12);
  },
  list: async ({ storage }, options) => storage.list(options ?? undefined),
  timer: () => sleep(1),
  microtask: () => Promise.resolve(),
  block: async (object, steps) => [{ inner: await object.ctx.blockConcurrencyWhile(() => object.steps(steps)) }],
  async transaction(object, steps, end) {
    let inner = [];
    const result = await attemptLater(() => object.storage.transaction(async (txn) => {
      inner = await object.steps(steps);
      if (end === "throw") throw new RangeError("undone");
      if (end === "rollback") txn.rollback();
      return end;
    }));
    if (end !== "kept") object.list = undefined;
    return [{ inner }, result];
  },
  async alarm(object, steps) {
    object.inAlarm = steps;
    const fired = new Promise((resolve) => { object.onFired = resolve; });
    await object.storage.setAlarm(Date.now());
    // A timer could wait for the gate that a timer in the handler holds: so this waits for the handler's steps first.
    const inner = await fired;
    await sleep(5);
    return [{ inner }];
  },
};

export class Store extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.storage = ctx.storage;
    this.cursors = new Map();
    this.started = [];
    const start = starts.get(ctx.id.name) ?? [];
    if (start.length > 0) ctx.blockConcurrencyWhile(async () => { this.started = await this.steps(start); });
  }
  now([kind, ...args]) {
    return attempt(() => SYNC[kind](this, ...args));
  }
  async steps(steps) {
    const results = [];
    for (const [kind, ...args] of steps) {
      if (kind === "abort") this.ctx.abort(...args);
      if (kind === "throw") throw new RangeError(args[0]);
      if (kind in SYNC) results.push(this.now([kind, ...args]));
      else results.push(await attemptLater(() => LATER[kind](this, ...args)));
    }
    return results;
  }
  async run(steps) {
    const results = await this.steps(steps);
    const { started } = this;
    this.started = [];
    return JSON.stringify([started, results]);
  }
  async alarm() {
    const steps = this.inAlarm ?? [];
    this.inAlarm = undefined;
    this.onFired?.(await this.steps(steps));
  }
}

export default {
  async fetch(request, env) {
    const { name, start, requests } = await request.json();
    starts.set(name, start);
    const results = [];
    for (const steps of requests) {
      try {
        results.push(JSON.parse(await env.STORE.getByName(name).run(steps)));
      } catch (error) {
        results.push({ failed: failure(error), reset: error.durableObjectReset === true });
      }
    }
    return Response.json(results);
  },
};
`;
