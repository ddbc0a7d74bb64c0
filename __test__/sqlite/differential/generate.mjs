// Draws programs of the comparison: requests on one object, each a list of steps, as JSON.

import { query } from "./generate-queries.mjs";
import { oddity } from "./generate-refused.mjs";
import { createSearch, createTable, definition, Schema } from "./generate-schema.mjs";
import { anyKey, binding, key, listOptions, stored } from "./generate-values.mjs";
import { several, write } from "./generate-writes.mjs";

const SLOTS = ["one", "two", "three"];
const HOWS = [
  [8, "array"],
  [2, "one"],
  [2, "spread"],
  [2, "rawSpread"],
  [1, "rawArray"],
];
const READS = [
  [4, "next"],
  [2, "rawNext"],
  [2, "iterate"],
  [2, "mixed"],
  [2, "array"],
  [1, "one"],
  [1, "rawSpread"],
];

/** A step that runs one text; now and then with a binding too many or too few. */
function exec(r, text, bindings = []) {
  const given = bindings.slice(r.chance(0.01) ? 1 : 0);
  if (r.chance(0.01)) given.push(binding(r));
  return ["exec", text, given, r.weighted(HOWS)];
}

function statement(r, schema) {
  const bindings = [];
  const text = r.weighted([
    [9, () => write(r, schema, bindings)],
    [9, () => query(r, schema, bindings)],
    [3, () => definition(r, schema)],
    [1, () => several(r, schema, bindings)],
    [2, () => oddity(r, schema)],
  ])();
  return exec(r, text, bindings);
}

/** A held cursor always reads: one that writes breaks workerd when its turn ends. */
function cursor(r, schema) {
  if (r.chance(0.5)) return ["read", r.pick(SLOTS), r.weighted(READS), r.between(1, 3)];
  const bindings = [];
  const drawn = query(r, schema, bindings);
  // Whether these see what happens to their tables later depends on the version of SQLite.
  const isPlain = /EXISTS|UNION|INTERSECT|EXCEPT/.test(drawn) || r.chance(0.3);
  const text = isPlain ? `SELECT * FROM ${schema.table(r).name}` : drawn;
  return ["open", r.pick(SLOTS), text, isPlain ? [] : bindings];
}

function keyed(r) {
  return r.weighted([
    [4, () => ["kv", "put", [anyKey(r), stored(r)]]],
    [3, () => ["kv", "get", [anyKey(r)]]],
    [1, () => ["kv", "delete", [anyKey(r)]]],
    [2, () => ["kvList", listOptions(r), r.between(1, 9)]],
    [1, () => ["kvOpen", listOptions(r)]],
    [2, () => ["kvNext", r.between(1, 3)]],
    [1, () => ["unawaited", "put", [key(r), stored(r)]]],
    [1, () => ["unawaited", "delete", [key(r)]]],
    [1, () => ["size"]],
  ])();
}

function synchronous(r, schema, depth) {
  return r.weighted([
    [12, () => statement(r, schema)],
    [4, () => cursor(r, schema)],
    [3, () => keyed(r)],
    [depth > 2 ? 0 : 2, () => within(r, schema, depth)],
  ])();
}

function within(r, schema, depth) {
  const steps = r.many(1, 5, () => synchronous(r, schema, depth + 1));
  return ["sync", steps, r.chance(0.4) ? "throw" : "kept"];
}

function later(r) {
  return r.weighted([
    [3, () => ["call", "put", [key(r), stored(r)]]],
    [1, () => ["call", "put", [["object", ["a", ["plain", r.below(9)]], ["b", stored(r)]]]]],
    [3, () => ["call", "get", [key(r)]]],
    [1, () => ["call", "get", [["list", key(r), key(r)]]]],
    [1, () => ["call", "delete", [key(r)]]],
    [2, () => ["list", listOptions(r)]],
    [1, () => ["call", "sync", []]],
    [2, () => ["timer"]],
    [1, () => ["microtask"]],
    [1, () => ["call", "setAlarm", [["plain", 4e12 + r.below(9)]]]],
    [1, () => ["call", "getAlarm", []]],
    [1, () => ["call", "deleteAlarm", []]],
  ])();
}

/** A violation that only the end of the transaction finds, and perhaps what repairs it in time. */
function deferred(r) {
  const steps = [
    exec(r, "CREATE TABLE IF NOT EXISTS parent(id INTEGER PRIMARY KEY)"),
    exec(
      r,
      "CREATE TABLE IF NOT EXISTS child(p REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)",
    ),
    exec(r, "INSERT INTO child VALUES (?)", [["plain", r.below(5)]]),
  ];
  if (r.chance(0.5)) steps.push(exec(r, "INSERT OR IGNORE INTO parent SELECT p FROM child"));
  if (r.chance(0.3)) return [["sync", steps, r.chance(0.5) ? "throw" : "kept"]];
  return [...steps, ["timer"]];
}

/** A new beginning after the tables are gone. */
function deleteAll(r, schema) {
  schema.clear();
  return [["deleteAll"], ...beginning(r, schema)];
}

function asynchronous(r, schema, depth) {
  const inner = (count) => r.many(1, count, () => asynchronous(r, schema, depth + 1));
  if (depth > 1 || r.chance(0.75)) return r.chance(0.3) ? later(r) : synchronous(r, schema, 0);
  return r.weighted([
    [1, () => synchronous(r, schema, 0)],
    [
      schema.defers ? 0 : 4,
      () => ["transaction", inner(5), r.pick(["kept", "kept", "throw", "rollback"])],
    ],
    [depth === 0 ? 0 : 1, () => ["deleteAll"]],
    [schema.defers ? 0 : 1, () => ["block", inner(3)]],
  ])();
}

function request(r, schema) {
  const steps = r
    .many(4, 12, () => (r.chance(0.02) ? deleteAll(r, schema) : [asynchronous(r, schema, 0)]))
    .flat();
  if (schema.defers && r.chance(0.3)) steps.splice(r.below(steps.length), 0, ...deferred(r));
  const end = r.weighted([
    [10, []],
    [schema.defers ? 0 : 1, [["abort", "aborted"]]],
    // Which of two failures a caller is told is not defined.
    [schema.defers ? 0 : 1, [["throw", "thrown"]]],
  ]);
  return [...steps, ...end];
}

/** What an object has at first: some tables and a few rows in them. */
function beginning(r, schema) {
  const steps = r.many(1, 3, () => exec(r, createTable(r, schema)));
  if (r.chance(0.3)) steps.push(exec(r, createSearch(r, schema)));
  for (let i = r.between(3, 8); i > 0; i--) {
    const bindings = [];
    steps.push(exec(r, write(r, schema, bindings), bindings));
  }
  return steps;
}

/** A program on an object of its own. `start` is what its constructor does each time. */
export function program(r) {
  const schema = new Schema();
  schema.defers = r.chance(0.25);
  const first = beginning(r, schema);
  const start = r.chance(0.2) ? r.many(1, 3, () => asynchronous(r, schema, 2)) : [];
  const requests = [first, ...r.many(2, 5, () => request(r, schema))];
  // Two alarms could meet: workerd can lose one that is set while a handler ends.
  if (r.chance(0.2) && !schema.defers)
    r.pick(requests).unshift(["alarm", r.many(1, 4, () => asynchronous(r, schema, 1))]);
  return { start, requests };
}

/** How many SQL texts a program runs. */
export function statements(steps) {
  return steps.reduce((sum, [kind, ...args]) => {
    const inner = args.find((part) => Array.isArray(part) && Array.isArray(part[0]));
    const isNested = ["sync", "transaction", "block", "alarm"].includes(kind);
    return sum + (isNested ? statements(inner ?? []) : Number(kind === "exec" || kind === "open"));
  }, 0);
}
