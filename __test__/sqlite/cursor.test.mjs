// Cursors: what is read when, what two readers share, what they see of later writes, and what they say of themselves.
import { example } from "./examples/example.mjs";

example(
  "exec() gives a cursor that is no iterator, whose iterators are",
  ({ sql }) => {
    const cursor = sql.exec("SELECT 1 AS a");
    const tag = (value) => Object.prototype.toString.call(value);
    return [
      [tag(cursor), cursor.constructor.name, cursor instanceof sql.Cursor, Object.keys(cursor)],
      [tag(cursor[Symbol.iterator]()), cursor[Symbol.iterator]() === cursor],
      [tag(cursor.raw()), typeof cursor.raw().map, typeof cursor.map, typeof cursor.return],
    ];
  },
  [
    ["[object Cursor]", "Cursor", true, []],
    ["[object RowIterator]", false],
    ["[object RawIterator]", "function", "undefined", "undefined"],
  ],
);

example(
  "next() gives a row or the end, with both keys each time",
  ({ sql }) => {
    const cursor = sql.exec("SELECT 1 AS a");
    return [cursor.next(), cursor.next(), Object.keys(cursor.next())];
  },
  [{ done: false, value: { a: 1 } }, { done: true, value: "<undefined>" }, ["done", "value"]],
);

example(
  "next(), raw() and iteration share one position, also after a break",
  ({ sql }) => {
    const cursor = sql.exec(
      "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5",
    );
    const raw = cursor.raw();
    const seen = [raw.next().value, cursor.next().value];
    for (const row of cursor) {
      seen.push(row);
      break;
    }
    for (const row of cursor.raw()) {
      seen.push(row);
      break;
    }
    return [seen, cursor.toArray(), raw.next().done];
  },
  [[[1], { a: 2 }, { a: 3 }, [4]], [{ a: 5 }], true],
);

example(
  "raw() gives arrays and has the methods of iterators",
  ({ sql }) => {
    const query = "SELECT 1 AS a, 'x' AS a UNION ALL SELECT 2, 'y'";
    return [
      [...sql.exec(query).raw()],
      sql.exec(query).raw().toArray(),
      [
        ...sql
          .exec(query)
          .raw()
          .map(([a]) => a),
      ],
    ];
  },
  [
    [
      [1, "x"],
      [2, "y"],
    ],
    [
      [1, "x"],
      [2, "y"],
    ],
    [1, 2],
  ],
);

example(
  "one() wants exactly one row of those that are left, and ends the cursor",
  ({ sql, attempt }) => {
    const THREE = "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3";
    const [many, rest, read] = [
      sql.exec(THREE),
      sql.exec(`${THREE} LIMIT 2`),
      sql.exec("SELECT 1"),
    ];
    rest.next();
    read.toArray();
    return [
      sql.exec("SELECT 7 AS a").one(),
      attempt(() => sql.exec("SELECT 1 WHERE 0").one()),
      attempt(() => many.one()),
      many.toArray(),
      rest.one(),
      attempt(() => read.one()),
    ];
  },
  [
    { a: 7 },
    "Error: Expected exactly one result from SQL query, but got no results.",
    "Error: Expected exactly one result from SQL query, but got multiple results.",
    [],
    { a: 2 },
    "Error: Expected exactly one result from SQL query, but got no results.",
  ],
);

example(
  "columnNames keeps names twice, and can be read after the end; an object has the last value",
  ({ sql }) => {
    const cursor = sql.exec("SELECT 1 AS a, 2 AS a, 3 AS b, 4, 'x' || 'y', 5 AS ''");
    const rows = cursor.toArray();
    return [rows, cursor.columnNames, sql.exec("CREATE TABLE t(x)").columnNames];
  },
  [[{ 4: 4, a: 2, b: 3, "'x' || 'y'": "xy", "": 5 }], ["a", "a", "b", "4", "'x' || 'y'", ""], []],
);

example(
  "a row is a plain object, in which __proto__ is no key",
  ({ sql }) => {
    const row = sql.exec('SELECT 1 AS a, 2 AS __proto__, 3 AS "1", 4 AS constructor').one();
    return [
      Object.getPrototypeOf(row) === Object.prototype,
      Object.keys(row),
      Object.getOwnPropertyDescriptor(row, "a"),
      Object.isFrozen(row),
    ];
  },
  [
    true,
    ["1", "a", "constructor"],
    { value: 1, writable: true, enumerable: true, configurable: true },
    false,
  ],
);

example(
  "rowsRead and rowsWritten are live, and one row ahead",
  ({ sql }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)");
    const cursor = sql.exec("SELECT a FROM t");
    const counts = [[cursor.rowsRead, cursor.rowsWritten]];
    for (const { a } of cursor) counts.push([a, cursor.rowsRead]);
    return [...counts, cursor.rowsRead];
  },
  [[1, 0], [1, 2], [2, 3], [3, 3], 3],
);

example(
  "exactly one row is read ahead: later rows see later writes",
  ({ sql, values }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3), (4)");
    const cursor = sql.exec("SELECT a FROM t");
    const first = cursor.next().value.a;
    sql.exec("UPDATE t SET a = a * 10");
    sql.exec("DELETE FROM t WHERE a = 40");
    sql.exec("INSERT INTO t VALUES (99)");
    const gone = sql.exec("SELECT a FROM t");
    sql.exec("DELETE FROM t");
    return [first, cursor.toArray().map(({ a }) => a), gone.toArray(), values("SELECT a FROM t")];
  },
  [1, [2], [{ a: 10 }], []],
);

example(
  "a cursor goes on across awaits, commits and other requests",
  [
    async ({ object, sql, storage, sleep }) => {
      sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)");
      object.cursor = sql.exec("SELECT a FROM t");
      const first = object.cursor.next().value;
      await sleep(1);
      sql.exec("INSERT INTO t VALUES (4)");
      await storage.sync();
      return first;
    },
    async ({ object, sql }) => {
      sql.exec("INSERT INTO t VALUES (5)");
      return object.cursor.toArray().map(({ a }) => a);
    },
  ],
  [{ a: 1 }, [2, 3, 4, 5]],
);

example(
  "two cursors of one text are independent",
  ({ sql }) => {
    const query = "SELECT 1 AS a UNION ALL SELECT 2 UNION ALL SELECT 3";
    const [one, other] = [sql.exec(query), sql.exec(query)];
    return [
      one.next().value,
      other.next().value,
      other.next().value,
      one.toArray(),
      other.toArray(),
    ];
  },
  [{ a: 1 }, { a: 1 }, { a: 2 }, [{ a: 2 }, { a: 3 }], [{ a: 3 }]],
);

example(
  "under an open cursor what exists cannot be dropped, but new things can be made",
  ({ sql, attempt }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2); CREATE TABLE other(a)");
    const cursor = sql.exec("SELECT a FROM t");
    const results = [
      "DROP TABLE t",
      "DROP TABLE other",
      "CREATE TABLE more(a)",
      "CREATE INDEX i ON t(a)",
      "DROP INDEX i",
      "CREATE VIEW v AS SELECT a FROM t",
      "ALTER TABLE t ADD COLUMN b",
    ].map((text) => attempt(() => sql.exec(text).toArray().length));
    const rest = cursor.toArray();
    return [...results, rest, attempt(() => sql.exec("DROP TABLE other").toArray().length)];
  },
  [
    "Error: database table is locked: SQLITE_LOCKED",
    "Error: database table is locked: SQLITE_LOCKED",
    0,
    0,
    "Error: database table is locked: SQLITE_LOCKED",
    0,
    0,
    [{ a: 1 }, { a: 2 }],
    0,
  ],
);

example(
  "the same text is prepared again after its table has changed",
  ({ sql }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    const before = sql.exec("SELECT * FROM t").columnNames;
    sql.exec("ALTER TABLE t ADD COLUMN b DEFAULT 5");
    return [before, sql.exec("SELECT * FROM t").toArray()];
  },
  [["a"], [{ a: 1, b: 5 }]],
);

example(
  "after deleteAll() an open cursor says so each time, and one that was at its end does not",
  async ({ sql, storage, attempt }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)");
    const [open, ended] = [sql.exec("SELECT a FROM t"), sql.exec("SELECT a FROM t")];
    ended.toArray();
    await storage.deleteAll();
    return [
      attempt(() => open.next()),
      attempt(() => open.toArray()),
      attempt(() => open.rowsRead),
      open.columnNames,
      [ended.next().done, ended.toArray(), ended.rowsRead],
    ];
  },
  [
    "Error: SQLite query was canceled because the database was deleted.",
    "Error: SQLite query was canceled because the database was deleted.",
    "Error: SQLite query was canceled because the database was deleted.",
    ["a"],
    [true, [], 2],
  ],
);

example(
  "an insert that returns rows has written all of them before the first is read",
  ({ sql, values }) => {
    sql.exec("CREATE TABLE t(a)");
    const cursor = sql.exec("INSERT INTO t VALUES (1), (2), (3) RETURNING a * 2 AS b");
    const stored = values("SELECT a FROM t");
    return [stored, cursor.columnNames, cursor.toArray(), cursor.rowsWritten];
  },
  [[1, 2, 3], ["b"], [{ b: 2 }, { b: 4 }, { b: 6 }], 3],
);

example(
  "an insert whose rows are not all read is committed like any other",
  [
    async ({ object, sql, sleep }) => {
      sql.exec("CREATE TABLE t(a)");
      object.cursor = sql.exec("INSERT INTO t VALUES (1), (2), (3) RETURNING a");
      const first = object.cursor.next().value;
      await sleep(1);
      return [first, object.cursor.toArray()];
    },
    ({ values }) => values("SELECT a FROM t"),
  ],
  [
    [{ a: 1 }, [{ a: 2 }, { a: 3 }]],
    [1, 2, 3],
  ],
  // "cannot commit transaction - SQL statements in progress", and the object is reset.
  {
    workerd: [
      { failed: "Error: internal error; reference", reset: false },
      { failed: "Error: no such table: t: SQLITE_ERROR", reset: false },
    ],
  },
);

example(
  "what is no statement of SQL is refused: classes cannot be constructed, methods need their object",
  ({ sql, attempt }) => {
    const { exec } = sql;
    return [
      attempt(() => new sql.Cursor()),
      attempt(() => new sql.Statement()),
      attempt(() => new sql.constructor()),
      attempt(() => exec("SELECT 1")).replace(/ See .*/, ""),
      attempt(() => sql.prepare("SELECT 1")),
      Object.prototype.toString.call(sql),
      Object.keys(sql),
    ];
  },
  [
    "TypeError: Illegal constructor",
    "TypeError: Illegal constructor",
    "TypeError: Illegal constructor",
    "TypeError: Illegal invocation: function called with incorrect `this` reference.",
    "TypeError: sql.prepare is not a function",
    "[object SqlStorage]",
    [],
  ],
);
