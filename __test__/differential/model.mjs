/**
 * The plainest storage that keeps the contract: one operation after the other, in program order, nothing concurrent.
 * Where the reference breaks program order it is the arbiter. It decides what an operation does and answers; the words
 * of its errors do not matter.
 */
import { deserialize, serialize } from "node:v8";

const KEY_BYTES_MAX = 2048;
const VALUE_BYTES_MAX = 131_072 + 32;
const KEYS_MAX = 128;

function check(condition) {
  if (!condition) throw new Error("refused by the model");
}

const utf8 = (text) => Buffer.from(text);
const compareKeys = ([a], [b]) => Buffer.compare(utf8(a), utf8(b));

function checkedKey(key) {
  check(typeof key === "string" && utf8(key).length <= KEY_BYTES_MAX);
  return key.toWellFormed?.() ?? utf8(key).toString();
}

function checkedKeys(keys) {
  check(keys.length <= KEYS_MAX);
  return keys.filter((key) => key !== undefined).map(checkedKey);
}

function checkedValue(value) {
  const bytes = serialize(value);
  check(bytes.length <= VALUE_BYTES_MAX);
  return bytes;
}

function inRange(key, { start, startAfter, end, prefix }) {
  const against = (bound) => Buffer.compare(utf8(key), utf8(String(bound)));
  if (start !== undefined && against(start) < 0) return false;
  if (startAfter !== undefined && against(startAfter) <= 0) return false;
  if (end !== undefined && against(end) >= 0) return false;
  return prefix === undefined || key.startsWith(String(prefix));
}

class Operations {
  alarms = true;

  constructor(data) {
    this.data = data;
  }

  #load(key) {
    const bytes = this.data.get(key);
    return bytes && deserialize(bytes);
  }

  async get(keys) {
    if (!Array.isArray(keys)) return this.#load(checkedKey(keys));
    const found = checkedKeys(keys).filter((key) => this.data.has(key));
    return new Map(found.map((key) => [key, this.#load(key)]).sort(compareKeys));
  }

  async put(key, value) {
    const single = typeof key === "string";
    check(single || (typeof key === "object" && key !== null && !Array.isArray(key)));
    const pairs = single ? [[key, value]] : Object.entries(key);
    check(pairs.length <= KEYS_MAX && (!single || value !== undefined));
    const defined = pairs.filter(([name, item]) => checkedKey(name) !== null && item !== undefined);
    const ready = defined.map(([name, item]) => [checkedKey(name), checkedValue(item)]);
    for (const [name, bytes] of ready) this.data.set(name, bytes);
  }

  async delete(keys) {
    if (!Array.isArray(keys)) return this.data.delete(checkedKey(keys));
    return checkedKeys(keys).filter((key) => this.data.delete(key)).length;
  }

  async list(options) {
    const { limit, reverse, start, startAfter, end, prefix } = options ?? {};
    const range = { start, startAfter, end, prefix };
    check(limit === undefined || !(limit <= 0));
    check(range.start === undefined || range.startAfter === undefined);
    const entries = [...this.data.keys()].filter(
      (key) => typeof key === "string" && inRange(key, range),
    );
    const sorted = entries.map((key) => [key, this.#load(key)]).sort(compareKeys);
    if (reverse) sorted.reverse();
    return new Map(limit === undefined ? sorted : sorted.slice(0, limit));
  }

  async getAlarm() {
    if (!this.alarms) return null;
    return this.data.get(Operations.alarm) ?? null;
  }

  async setAlarm(time) {
    check(this.alarms);
    const milliseconds = typeof time === "number" ? time : time.getTime();
    check(milliseconds > 0);
    this.data.set(Operations.alarm, Math.trunc(milliseconds));
  }

  async deleteAlarm() {
    this.data.delete(Operations.alarm);
  }

  static alarm = Symbol("alarm");
}

class ModelTransaction extends Operations {
  finished = false;
  rolledBack = false;
  #written = new Set();

  rollback() {
    this.rolledBack = true;
  }

  async perform(method, args) {
    const [keys] = args;
    if (method === "delete") this.#checkWritten([keys].flat());
    if (method === "put") this.#checkWritten(typeof keys === "string" ? [keys] : Object.keys(keys));
    return Operations.prototype[method].apply(this, args);
  }

  /** Counts the keys that the transaction has written so far and would write. */
  #checkWritten(keys) {
    const all = new Set([...this.#written, ...keys.filter((key) => key !== undefined)]);
    check(all.size <= KEYS_MAX);
    this.#written = all;
  }
}

for (const method of ["get", "put", "delete", "list", "getAlarm", "setAlarm", "deleteAlarm"]) {
  ModelTransaction.prototype[method] = function (...args) {
    check(!this.rolledBack && !this.finished);
    check(!["get", "put", "delete"].includes(method) || args[0] !== undefined);
    check(method !== "setAlarm" || this.alarms);
    return this.perform(method, args);
  };
}

export class ModelStorage extends Operations {
  /** `alarms` is false for an object that has started and whose class has no alarm handler. */
  constructor({ alarms = true } = {}) {
    super(new Map());
    this.alarms = alarms;
  }

  async deleteAll() {
    this.data.clear();
  }

  async sync() {}

  async transaction(closure) {
    const before = new Map(this.data);
    const transaction = new ModelTransaction(new Map(this.data));
    transaction.alarms = this.alarms;
    try {
      const result = await closure(transaction);
      if (!transaction.rolledBack) this.#commit(before, transaction.data);
      return result;
    } finally {
      transaction.finished = true;
    }
  }

  #commit(before, after) {
    for (const key of before.keys()) if (!after.has(key)) this.data.delete(key);
    for (const [key, value] of after) if (before.get(key) !== value) this.data.set(key, value);
  }
}
