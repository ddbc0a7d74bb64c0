// What is bound to a statement, how many values it takes, and what its columns become.
import { example } from "./examples/example.mjs";

example(
  "null, undefined and NaN are bound as NULL",
  ({ values }) =>
    [null, undefined, Number.NaN].map((value) => values("SELECT typeof(?)", value)[0]),
  ["null", "null", "null"],
);

example(
  "a number is bound as REAL, whatever it is; the column's affinity makes it an integer",
  ({ sql, rows }) => {
    const numbers = [0, -0, 1, -5, 1.5, 2 ** 31, 2 ** 53, 2 ** 63, 1e300, Infinity];
    const shown = numbers.map((number) => Object.values(rows("SELECT typeof(?1), ?1", number)[0]));
    sql.exec("CREATE TABLE t(i INTEGER, t TEXT, n NUMERIC, r REAL, x)");
    for (const number of [1, 1.5, 2 ** 31, 1e20]) {
      sql.exec("INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1)", number);
    }
    return [
      shown,
      [...sql.exec("SELECT typeof(i), t, typeof(n), typeof(r), typeof(x) FROM t").raw()],
    ];
  },
  [
    [
      ["real", 0],
      ["real", "<-0>"],
      ["real", 1],
      ["real", -5],
      ["real", 1.5],
      ["real", 2 ** 31],
      ["real", 2 ** 53],
      ["real", 2 ** 63],
      ["real", 1e300],
      ["real", "<Infinity>"],
    ],
    [
      ["integer", "1.0", "integer", "real", "real"],
      ["real", "1.5", "real", "real", "real"],
      ["integer", "2147483648.0", "integer", "real", "real"],
      ["real", "1.0e+20", "real", "real", "real"],
    ],
  ],
);

example(
  "strings are bound as TEXT with everything in them",
  ({ rows }) =>
    ["", "é😀", "a\0b"].map((text) =>
      Object.values(rows("SELECT typeof(?1), ?1, hex(?1)", text)[0]),
    ),
  [
    ["text", "", ""],
    ["text", "é😀", "C3A9F09F9880"],
    ["text", "a\0b", "610062"],
  ],
);

example(
  "a lone surrogate is replaced when it is bound",
  ({ rows }) => Object.values(rows("SELECT ?1, hex(?1)", "x\udc00y")[0]),
  ["x\ufffdy", "78EFBFBD79"],
  // Its bytes are stored, and each of them is replaced when it is read.
  { workerd: ["x\ufffd\ufffd\ufffdy", "78EDB08079"] },
);

example(
  "a number that becomes text keeps seventeen digits",
  ({ sql, values }) => {
    sql.exec("CREATE TABLE t(a TEXT); INSERT INTO t VALUES (9007199254740992.0), (2.0 / 3)");
    return values("SELECT a FROM t");
  },
  ["9007199254740992.0", "0.66666666666666663"],
  // SQLite before 3.51 keeps fifteen.
  { workerd: ["9.00719925474099e+15", "0.666666666666667"] },
);

example(
  "booleans, dates, objects and functions are bound as their text",
  ({ values }) => {
    const speaking = { toString: () => 5 };
    const preferring = { [Symbol.toPrimitive]: () => "preferred" };
    const all = [
      true,
      false,
      new Date(0),
      {},
      { a: 1 },
      [],
      [1, [2]],
      () => 1,
      speaking,
      preferring,
    ];
    const more = [
      new String("boxed"),
      new Number(5),
      new Map(),
      /re/g,
      new Error("told"),
      new URL("https://a/"),
    ];
    return [
      all.map((value) => values("SELECT ?", value)[0]),
      more.map((value) => values("SELECT ?", value)[0]),
      all.map((value) => values("SELECT typeof(?)", value)[0]).every((type) => type === "text"),
    ];
  },
  [
    [
      "true",
      "false",
      "Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)",
      "[object Object]",
      "[object Object]",
      "",
      "1,2",
      "() => 1",
      "5",
      "preferred",
    ],
    ["boxed", "5", "[object Map]", "/re/g", "Error: told", "https://a/"],
    true,
  ],
);

example(
  "buffers and views are bound as BLOB: the part that a view shows, copied at the call",
  ({ values }) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const all = [
      bytes,
      bytes.buffer,
      bytes.subarray(1, 2),
      new DataView(bytes.buffer, 1),
      new Float64Array([1]),
      new ArrayBuffer(0),
    ];
    return [all.map((value) => values("SELECT ?", value)[0]), values("SELECT typeof(?)", bytes)];
  },
  [["<01 02 03>", "<01 02 03>", "<02>", "<02 03>", "<00 00 00 00 00 00 f0 3f>", "<>"], ["blob"]],
);

example(
  "a buffer is copied when it is bound",
  ({ sql }) => {
    const bytes = new Uint8Array([1, 2, 3]);
    const cursor = sql.exec("SELECT 1 UNION ALL SELECT ?", bytes);
    bytes[0] = 9;
    return [...cursor.raw()].flat();
  },
  [1, "<01 02 03>"],
  // It reads the caller's memory when the row is read.
  { workerd: [1, "<09 02 03>"] },
);

example(
  "a bigint, a symbol and what has no text are refused; the object's own errors pass",
  ({ values, attempt }) => {
    const failing = {
      toString() {
        throw new RangeError("no text");
      },
    };
    return [5n, Symbol("s"), Object.create(null), failing].map((value) =>
      attempt(() => values("SELECT ?", value)),
    );
  },
  [
    "TypeError: Cannot convert a BigInt value to a number",
    "TypeError: Cannot convert a Symbol value to a string",
    "TypeError: Cannot convert object to primitive value",
    "RangeError: no text",
  ],
);

example(
  "the number of bindings has to be that of the parameters",
  ({ rows, attempt }) => [
    attempt(() => rows("SELECT ?")),
    attempt(() => rows("SELECT ?, ?", 1)),
    attempt(() => rows("SELECT ?", 1, 2)),
    attempt(() => rows("SELECT 1", 1)),
    attempt(() => rows("SELECT ?5", 1)),
    attempt(() => rows("SELECT ?, ?", [1, 2])),
    rows("SELECT ?1 AS a, ?1 AS b", 1),
    rows("SELECT ?2 AS a", 1, 2),
    rows("SELECT :a AS a, @b AS b, $c AS c", 1, 2, 3),
  ],
  [
    ...Array(6).fill("Error: Wrong number of parameter bindings for SQL query."),
    [{ a: 1, b: 1 }],
    [{ a: 2 }],
    [{ a: 1, b: 2, c: 3 }],
  ],
);

example(
  "several statements run in order, the last may bind values and gives the cursor",
  ({ sql, rows, attempt }) => {
    const cursor = sql.exec(
      "CREATE TABLE t(a); INSERT INTO t VALUES (1), (2); SELECT a FROM t WHERE a > ?",
      1,
    );
    return [
      [cursor.toArray(), cursor.rowsWritten],
      attempt(() => rows("SELECT ?; SELECT 1", 1)),
      attempt(() => rows("SELECT ?; SELECT 1")),
      rows("INSERT INTO t VALUES (3); SELECT changes() AS n, last_insert_rowid() AS id"),
      rows("SELECT 1 AS a;;; SELECT 2 AS a;"),
    ];
  },
  [
    [[{ a: 2 }], 0],
    "Error: When executing multiple SQL statements in a single call, only the last statement can have parameters.",
    "Error: When executing multiple SQL statements in a single call, only the last statement can have parameters.",
    [{ n: 1, id: 3 }],
    [{ a: 2 }],
  ],
);

example(
  "of several statements those before one that fails have run",
  ({ values, attempt, sql }) => {
    sql.exec("CREATE TABLE t(a UNIQUE)");
    const told = attempt(() =>
      sql.exec("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"),
    );
    return [
      told,
      attempt(() => sql.exec("INSERT INTO t VALUES (3); nonsense")),
      values("SELECT a FROM t"),
    ];
  },
  [
    "Error: UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)",
    'Error: near "nonsense": syntax error at offset 0: SQLITE_ERROR',
    [1, 3],
  ],
);

example(
  "columns become null, numbers, strings and new buffers; an integer over 2^53 is rounded",
  ({ sql }) => {
    const [row] = sql
      .exec(
        "SELECT NULL, 7, 9007199254740993, -9223372036854775808, 1.5, 1e400, -0.0, 'é', x'0102', CAST(x'ff41' AS TEXT)",
      )
      .raw();
    return row;
  },
  [null, 7, 9007199254740992, -(2 ** 63), 1.5, "<Infinity>", "<-0>", "é", "<01 02>", "\ufffdA"],
);

example(
  "the text of a statement is what String() makes of it",
  ({ sql, attempt }) => [
    attempt(() => sql.exec()),
    attempt(() => sql.exec(undefined)),
    attempt(() => sql.exec(null)),
    attempt(() => sql.exec(Symbol("s"))),
    sql.exec({ toString: () => "SELECT 5 AS a" }).one(),
    sql.exec(["SELECT 6 AS a"]).one(),
    sql.exec`SELECT 7 AS a`.one(),
  ],
  [
    "TypeError: Failed to execute 'exec' on 'SqlStorage': parameter 1 is not of type 'JsString'.",
    'Error: near "undefined": syntax error at offset 0: SQLITE_ERROR',
    'Error: near "null": syntax error at offset 0: SQLITE_ERROR',
    "TypeError: Cannot convert a Symbol value to a string",
    { a: 5 },
    { a: 6 },
    { a: 7 },
  ],
);
