// The shape of `storage.sql` and `storage.kv`: classes, properties, conversions, realms and the errors of arguments, as in workerd.
import assert from "node:assert/strict";
import test from "node:test";
import { serveStore } from "../support/sqlite-store.mjs";

const SHAPE = `
const shape = (object) => Reflect.ownKeys(object).map((key) => {
  const d = Object.getOwnPropertyDescriptor(object, key);
  const kind = d.get ? "get" : typeof d.value === "function" ? "function " + d.value.name + "/" + d.value.length : typeof d.value;
  return [String(key), kind, (d.writable ? "w" : "") + (d.enumerable ? "e" : "") + (d.configurable ? "c" : "")].join(" ");
});
const names = (object) => { const found = []; for (let at = object; (at = Object.getPrototypeOf(at)); ) found.push(at.constructor.name); return found; };
`;

const programs = {
  shapes: `${SHAPE}
    const cursor = sql.exec("SELECT 1 AS a");
    return {
      own: shape(storage),
      sql: [shape(sql), shape(Object.getPrototypeOf(sql)), String(sql)],
      kv: [shape(kv), shape(Object.getPrototypeOf(kv)), String(kv)],
      cursor: [shape(cursor), shape(Object.getPrototypeOf(cursor)), String(cursor), cursor instanceof sql.Cursor],
      iterators: [cursor[Symbol.iterator](), cursor.raw(), kv.list()].map((it) => [names(it), String(it), it[Symbol.iterator]() === it]),
      steps: [shape(sql.exec("SELECT 1").next()), shape(sql.exec("SELECT 1").raw().next()), shape(kv.list().next())],
    };`,
  illegal: `return [error(() => new sql.Cursor()), error(() => new sql.Statement())];`,
  args: `return [
      error(() => sql.exec()), error(() => sql.exec(5)), error(() => sql.exec({ toString: () => "SELECT 7 AS n" }).one().n),
      error(() => sql.exec(Symbol("x"))), error(() => sql.exec("SELECT ?", 5n)), error(() => sql.exec("SELECT ?", Symbol("q"))),
      error(() => kv.get()), error(() => kv.put()), error(() => kv.put("a")), error(() => kv.delete()), error(() => kv.list(5)),
      error(() => kv.list({ limit: 0 })), error(() => kv.list({ limit: NaN })), error(() => kv.list({ start: "a", startAfter: "b" })),
      error(() => storage.transactionSync()), error(() => storage.transactionSync(5)),
    ];`,
  realm: `
    const row = sql.exec("SELECT 1 AS a, x'0102' AS b").one();
    const rows = sql.exec("SELECT 1").toArray();
    const raw = sql.exec("SELECT 1").raw().next().value;
    kv.put("k", 1);
    let thrown; try { sql.exec("nonsense"); } catch (e) { thrown = e; }
    return [Object.getPrototypeOf(row) === Object.prototype, rows instanceof Array, rows[0] instanceof Object, raw instanceof Array,
      sql.exec("SELECT 1").columnNames instanceof Array, kv.list().next().value instanceof Array, thrown instanceof Error, Object.keys(thrown),
      row.b instanceof ArrayBuffer, row.b.byteLength];`,
  binds: `
    const values = [undefined, null, NaN, Infinity, -0, 5, 1.5, true, "x", [1, 2], { a: 1 }, new String("q"), "a\\0b", "é😀", "a\\ud800b"];
    const bytes = [new ArrayBuffer(2), new Uint8Array([1, 2]), new Uint8Array([1, 2, 3]).subarray(1, 2), new DataView(new ArrayBuffer(3), 1)];
    return [
      values.map((value) => { const { v, t } = sql.exec("SELECT ? AS v, typeof(?1) AS t", value).one(); return [Object.is(v, -0) ? "-0" : v === Infinity ? "Infinity" : v, t]; }),
      bytes.map((value) => { const { v, t } = sql.exec("SELECT ? AS v, typeof(?1) AS t", value).one(); return [[...new Uint8Array(v)], t]; }),
    ];`,
  reentrant: `
    const inner = { toString: () => String(sql.exec("SELECT ? AS x", "inner").one().x) };
    return sql.exec("SELECT ? AS a, ? AS b, ? AS c", "first", inner, "last").one();`,
  names: `
    const cursor = sql.exec("SELECT 1 AS a, 2 AS a, 3 AS b");
    const { columnNames } = cursor;
    const row = cursor.one();
    const odd = sql.exec('SELECT 2 AS constructor, 3 AS "1", 4 AS "0", 5 AS "", 6 AS "a""b\\n"').one();
    sql.exec("CREATE TABLE t (a)");
    const none = sql.exec("SELECT a AS zero FROM t");
    sql.exec("SELECT 1 AS other").one();
    return [columnNames, cursor.columnNames === columnNames, row, Object.keys(odd), none.columnNames, sql.exec("DELETE FROM t").columnNames];`,
  position: `
    const all = "SELECT value AS v FROM json_each('[1,2,3,4]')";
    const mixed = sql.exec(all), raw = mixed.raw();
    const broken = sql.exec(all);
    for (const row of broken) break;
    const many = sql.exec(all), once = sql.exec("SELECT 1 AS v"), second = sql.exec("SELECT 1 AS v UNION ALL SELECT 2");
    second.next();
    return [
      [raw.next(), mixed.next(), raw.next(), mixed.toArray(), raw.next(), mixed.next()],
      broken.toArray(), error(() => many.one()), many.next(), [once.one(), once.next(), error(() => once.one())], second.one(),
    ];`,
  live: `
    sql.exec("CREATE TABLE r (i INTEGER PRIMARY KEY); INSERT INTO r VALUES (1), (2), (3), (4)");
    const cursor = sql.exec("SELECT * FROM r");
    const counts = [cursor.rowsRead];
    for (const row of cursor) counts.push(cursor.rowsRead);
    const ahead = sql.exec("SELECT i FROM r");
    ahead.next();
    sql.exec("DELETE FROM r WHERE i IN (2, 3)");
    await turn();
    return [counts, cursor.rowsRead, ahead.toArray().map((row) => row.i)];`,
  large: `
    sql.exec("CREATE TABLE l (i INTEGER PRIMARY KEY, t TEXT, b BLOB)");
    for (let i = 0; i < 2000; i++) sql.exec("INSERT INTO l VALUES (?, ?, ?)", i, i % 3 ? "x".repeat(i % 200) : "é".repeat(i % 50) + "😀", new Uint8Array(i % 70).fill(i));
    const rows = sql.exec("SELECT * FROM l ORDER BY i").toArray();
    const fine = rows.every(({ i, t, b }) => t === (i % 3 ? "x".repeat(i % 200) : "é".repeat(i % 50) + "😀") && b.byteLength === i % 70 && new Uint8Array(b).every((n) => n === i % 256));
    const long = sql.exec("SELECT ? AS s", "y".repeat(99_999)).one().s.length;
    return [rows.length, fine, long];`,
};

const CURSOR = [
  "next function next/0 wec",
  "toArray function toArray/0 wec",
  "one function one/0 wec",
  "raw function raw/0 wec",
  "columnNames get ec",
  "rowsRead get ec",
  "rowsWritten get ec",
  "constructor function Cursor/0 wc",
  "Symbol(Symbol.toStringTag) string wc",
];

test("sqlite face: classes, names and properties are those of workerd", async (t) => {
  const { store } = await serveStore(t, programs);
  const { own, sql, kv, cursor, iterators, steps } = await store().shapes();
  assert.ok(own.includes("kv object wec") && own.includes("sql object wec"), String(own));
  assert.deepEqual([sql[0], kv[0], cursor[0]], [[], [], []]);
  const sorted = (lines) =>
    lines.filter((line) => !line.startsWith("Symbol(Symbol.iterator)")).sort();
  assert.deepEqual(
    sorted(sql[1]),
    [
      "exec function exec/0 wec",
      "databaseSize get ec",
      "Cursor function Cursor/0 wec",
      "Statement function Statement/0 wec",
      "constructor function SqlStorage/0 wc",
      "Symbol(Symbol.toStringTag) string wc",
    ].sort(),
  );
  assert.deepEqual(
    sorted(kv[1]),
    [
      "get function get/0 wec",
      "list function list/0 wec",
      "put function put/0 wec",
      "delete function delete/0 wec",
      "constructor function SyncKvStorage/0 wc",
      "Symbol(Symbol.toStringTag) string wc",
    ].sort(),
  );
  assert.deepEqual(sorted(cursor[1]), CURSOR.sort());
  assert.deepEqual(
    [sql[2], kv[2], cursor[2], cursor[3]],
    ["[object SqlStorage]", "[object SyncKvStorage]", "[object Cursor]", true],
  );
  assert.deepEqual(
    iterators.map(([names, text, isItself]) => [names[0], text, isItself]),
    ["RowIterator", "RawIterator", "ListIterator"].map((name) => [name, `[object ${name}]`, true]),
  );
  const step = (value) => ["done boolean wec", `value ${value} wec`];
  assert.deepEqual(steps, [step("object"), step("object"), step("undefined")]);
});

test("sqlite face: what is wrong with arguments is said in production's words", async (t) => {
  const { store } = await serveStore(t, programs);
  const typeError = (message) => [true, "TypeError", message];
  const parameter = (method, owner, position, type) =>
    typeError(
      `Failed to execute '${method}' on '${owner}': parameter ${position} is not of type '${type}'.`,
    );
  assert.deepEqual(await store().illegal(), [
    typeError("Illegal constructor"),
    typeError("Illegal constructor"),
  ]);
  const limit = typeError("List limit must be positive.");
  assert.deepEqual(await store().args(), [
    parameter("exec", "SqlStorage", 1, "JsString"),
    [true, "Error", 'near "5": syntax error at offset 0: SQLITE_ERROR'],
    { value: 7 },
    typeError("Cannot convert a Symbol value to a string"),
    typeError("Cannot convert a BigInt value to a number"),
    typeError("Cannot convert a Symbol value to a string"),
    parameter("get", "SyncKvStorage", 1, "string"),
    parameter("put", "SyncKvStorage", 1, "string"),
    parameter("put", "SyncKvStorage", 2, "JsValue"),
    parameter("delete", "SyncKvStorage", 1, "string"),
    parameter("list", "SyncKvStorage", 1, "ListOptions"),
    limit,
    limit,
    typeError("list() cannot be called with both start and startAfter values."),
    parameter("transactionSync", "DurableObjectStorage", 1, "function"),
    parameter("transactionSync", "DurableObjectStorage", 1, "function"),
  ]);
});

test("sqlite face: rows, arrays and errors are objects of the worker's realm", async (t) => {
  const { store } = await serveStore(t, programs);
  const shown = await store().realm();
  assert.deepEqual(shown, [true, true, true, true, true, true, true, [], true, 2]);
});

test("sqlite face: bindings become what production makes of them, also one whose conversion runs a query", async (t) => {
  const { store } = await serveStore(t, programs);
  const [values, bytes] = await store().binds();
  assert.deepEqual(values, [
    [null, "null"],
    [null, "null"],
    [null, "null"],
    ["Infinity", "real"],
    ["-0", "real"],
    [5, "real"],
    [1.5, "real"],
    ["true", "text"],
    ["x", "text"],
    ["1,2", "text"],
    ["[object Object]", "text"],
    ["q", "text"],
    ["a\0b", "text"],
    ["é😀", "text"],
    ["a\ufffdb", "text"],
  ]);
  assert.deepEqual(bytes, [
    [[0, 0], "blob"],
    [[1, 2], "blob"],
    [[2], "blob"],
    [[0, 0], "blob"],
  ]);
  assert.deepEqual(await store().reentrant(), { a: "first", b: "inner", c: "last" });
});

test("sqlite face: names of columns are those of their own statement, and of equal ones the last counts in a row", async (t) => {
  const { store } = await serveStore(t, programs);
  assert.deepEqual(await store().names(), [
    ["a", "a", "b"],
    true,
    { a: 2, b: 3 },
    ["0", "1", "constructor", "", 'a"b\n'],
    ["zero"],
    [],
  ]);
});

test("sqlite face: a cursor and its iterators share one position", async (t) => {
  const { store } = await serveStore(t, programs);
  const end = { done: true, value: undefined };
  const [mixed, broken, many, afterMany, once, second] = await store().position();
  assert.deepEqual(mixed, [
    { done: false, value: [1] },
    { done: false, value: { v: 2 } },
    { done: false, value: [3] },
    [{ v: 4 }],
    end,
    end,
  ]);
  assert.deepEqual(broken, [{ v: 2 }, { v: 3 }, { v: 4 }]);
  const one = (found) => [
    true,
    "Error",
    `Expected exactly one result from SQL query, but got ${found}.`,
  ];
  assert.deepEqual(many, one("multiple results"));
  assert.deepEqual(afterMany, end);
  assert.deepEqual(once, [{ v: 1 }, end, one("no results")]);
  assert.deepEqual(second, { v: 2 });
});

test("sqlite face: one row is read ahead, and the counters follow", async (t) => {
  const { store } = await serveStore(t, programs);
  const [counts, end, left] = await store().live();
  assert.deepEqual([counts, end], [[1, 2, 3, 4, 4], 4]);
  assert.deepEqual(left, [2, 4]);
});

test("sqlite face: results larger than any buffer arrive whole", async (t) => {
  const { store } = await serveStore(t, programs);
  assert.deepEqual(await store().large(), [2000, true, 99_999]);
});
