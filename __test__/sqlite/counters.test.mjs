// rowsRead and rowsWritten of typical statements, and the size of the database: what a bill in production would count.
import { example } from "./examples/example.mjs";

/** An example of `[text, rowsRead, rowsWritten]`, in order in one object. */
function counted(name, rows) {
  const run = `({ sql }) => ${JSON.stringify(rows.map(([text]) => text))}.map((text) => {
    const cursor = sql.exec(text);
    cursor.toArray();
    return [text, cursor.rowsRead, cursor.rowsWritten];
  })`;
  example(name, run, rows);
}

counted("a write counts its row and each entry of an index; a seek of a rowid counts as read", [
  ["CREATE TABLE plain(a, b, c)", 1, 2],
  ["CREATE TABLE keyed(id INTEGER PRIMARY KEY, b, c)", 1, 2],
  ["CREATE TABLE two(id INTEGER PRIMARY KEY, b, c)", 1, 2],
  ["CREATE INDEX two_b ON two(b)", 2, 1],
  ["CREATE TABLE three(id TEXT PRIMARY KEY, b UNIQUE, c)", 1, 4],
  ["CREATE INDEX three_c ON three(c)", 2, 1],
  ["CREATE TABLE rowless(k TEXT PRIMARY KEY, v) WITHOUT ROWID", 1, 2],
  ["INSERT INTO plain VALUES (1, 1, 1)", 0, 1],
  ["INSERT INTO plain VALUES (2, 2, 2), (3, 3, 3)", 0, 2],
  ["INSERT INTO keyed VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)", 3, 3],
  ["INSERT INTO two VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)", 3, 6],
  ["INSERT INTO three VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)", 0, 12],
  ["INSERT INTO rowless VALUES ('a', 1), ('b', 2)", 0, 2],
  ["INSERT OR REPLACE INTO rowless VALUES ('a', 3)", 0, 1],
  ["INSERT OR REPLACE INTO keyed VALUES (1, 9, 9)", 1, 1],
  ["INSERT OR REPLACE INTO two VALUES (1, 9, 9)", 1, 2],
  ["INSERT OR REPLACE INTO three VALUES (1, 1, 9)", 1, 4],
  ["INSERT OR IGNORE INTO keyed VALUES (1, 5, 5)", 1, 0],
  ["INSERT INTO two VALUES (1, 5, 5) ON CONFLICT(id) DO UPDATE SET b = excluded.b", 1, 2],
  ["INSERT INTO two VALUES (1, 5, 7) ON CONFLICT(id) DO UPDATE SET c = excluded.c", 1, 1],
  ["INSERT INTO two VALUES (1, 5, 5) ON CONFLICT DO NOTHING", 1, 0],
  ["INSERT INTO two(b, c) VALUES (10, 10) RETURNING *", 1, 2],
  ["INSERT INTO two(b, c) SELECT a + 100, b FROM plain RETURNING id", 9, 6],
  ["INSERT INTO two(b, c) SELECT b + 1000, b FROM two", 14, 14],
  ["UPDATE keyed SET b = b + 1", 3, 3],
  ["UPDATE two SET b = b + 1", 14, 28],
  ["UPDATE two SET c = c + 1", 14, 14],
  ["UPDATE two SET c = 0 WHERE id = 1", 1, 1],
  ["UPDATE two SET c = 0 WHERE id = 999", 1, 0],
  ["UPDATE two SET c = 0 WHERE b = 6", 2, 1],
  ["UPDATE two SET id = id + 1000 WHERE id < 3", 11, 4],
  ["UPDATE two SET c = 1 WHERE id > 2 RETURNING id", 56, 14],
  ["DELETE FROM two WHERE id = 5", 1, 1],
  ["DELETE FROM two WHERE id = 5", 1, 0],
  ["DELETE FROM two WHERE b > 100 RETURNING b", 27, 9],
  ["DELETE FROM rowless WHERE k = 'a'", 1, 1],
  ["DELETE FROM plain WHERE a = 2", 3, 1],
  ["DELETE FROM two", 0, 4],
  ["DELETE FROM three", 0, 3],
  ["DELETE FROM three", 0, 0],
]);

counted(
  "a query counts each row that it looks at, also those of a sorter and of a table function",
  [
    ["CREATE TABLE plain(a, b)", 1, 2],
    ["CREATE TABLE keyed(id INTEGER PRIMARY KEY, b, c)", 1, 2],
    ["CREATE INDEX keyed_b ON keyed(b)", 2, 1],
    ["SELECT * FROM plain", 1, 0],
    ["SELECT 1", 0, 0],
    ["VALUES (1), (2)", 0, 0],
    ["INSERT INTO plain VALUES (1, 1), (2, 2), (3, 3)", 0, 3],
    ["INSERT INTO keyed(b, c) VALUES (1, 5), (2, 5), (3, 5), (4, 6), (5, 6)", 0, 10],
    ["SELECT * FROM keyed", 5, 0],
    ["SELECT * FROM keyed WHERE id = 3", 1, 0],
    ["SELECT * FROM keyed WHERE id = 99", 1, 0],
    ["SELECT * FROM keyed WHERE b = 3", 2, 0],
    ["SELECT b FROM keyed WHERE b = 3", 2, 0],
    ["SELECT * FROM keyed WHERE c = 6", 5, 0],
    ["SELECT * FROM keyed LIMIT 2", 2, 0],
    ["SELECT * FROM keyed LIMIT 2 OFFSET 2", 4, 0],
    ["SELECT count(*) FROM keyed", 5, 0],
    ["SELECT count(b) FROM keyed", 5, 0],
    ["SELECT max(id) FROM keyed", 1, 0],
    ["SELECT max(c) FROM keyed", 5, 0],
    ["SELECT * FROM keyed ORDER BY c LIMIT 3", 10, 0],
    ["SELECT * FROM keyed ORDER BY b LIMIT 3", 3, 0],
    ["SELECT * FROM keyed ORDER BY id DESC LIMIT 1", 1, 0],
    ["SELECT c, count(*) FROM keyed GROUP BY c", 10, 0],
    ["SELECT DISTINCT c FROM keyed", 5, 0],
    ["SELECT keyed.id FROM plain JOIN keyed ON keyed.id = plain.a", 6, 0],
    ["SELECT count(*) FROM plain, keyed", 18, 0],
    ["SELECT a FROM plain WHERE a IN (SELECT id FROM keyed)", 6, 0],
    ["SELECT a, (SELECT max(b) FROM keyed WHERE keyed.id = plain.a) AS m FROM plain", 6, 0],
    ["WITH q AS (SELECT a FROM plain) SELECT count(*) FROM q", 3, 0],
    [
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT i FROM n",
      11,
      0,
    ],
    ["SELECT a FROM plain UNION SELECT id FROM keyed", 13, 0],
    ["SELECT a FROM plain UNION ALL SELECT id FROM keyed", 8, 0],
    ["SELECT a, row_number() OVER (ORDER BY a) AS r FROM plain", 13, 0],
    ["SELECT value FROM json_each('[1,2,3]')", 3, 0],
    ["SELECT name FROM sqlite_schema", 3, 0],
  ],
);

example(
  "a newer SQLite may need fewer rows",
  ({ sql }) => {
    sql.exec("CREATE TABLE plain(a); INSERT INTO plain VALUES (1), (2), (3)");
    sql.exec(
      "CREATE TABLE keyed(id INTEGER PRIMARY KEY); INSERT INTO keyed VALUES (1), (2), (3), (4), (5)",
    );
    const cursor = sql.exec("SELECT a FROM plain UNION SELECT id FROM keyed");
    return [cursor.toArray().length, cursor.rowsRead];
  },
  [5, 11],
  { workerd: [5, 13] },
);

counted("full-text search counts its rows, and not those of the tables that it keeps", [
  ["CREATE VIRTUAL TABLE f USING fts5(body)", 1, 2],
  ["INSERT INTO f VALUES ('hello world')", 0, 1],
  ["INSERT INTO f VALUES ('one two'), ('three hello')", 0, 2],
  ["SELECT * FROM f WHERE f MATCH 'hello'", 2, 0],
  ["SELECT * FROM f", 3, 0],
  ["UPDATE f SET body = 'bye' WHERE rowid = 1", 0, 1],
  ["DELETE FROM f WHERE rowid = 2", 0, 1],
  ["INSERT INTO f(f) VALUES ('optimize')", 0, 1],
]);

counted(
  "of several statements the last alone is counted; a change of the schema reads and writes it",
  [
    ["CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, b)", 2, 4],
    ["INSERT INTO t(b) VALUES (1)", 1, 2],
    ["INSERT INTO t(b) VALUES (1), (2)", 1, 3],
    ["INSERT INTO t(b) VALUES (1); SELECT * FROM t", 4, 0],
    ["INSERT INTO t(b) VALUES (1); SELECT 5", 0, 0],
    ["CREATE TABLE w(k)", 1, 2],
    ["CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO w VALUES (new.b); END", 0, 1],
    ["INSERT INTO t(b) VALUES (1), (2)", 3, 5],
    ["CREATE TABLE copy AS SELECT * FROM t", 8, 9],
    ["CREATE VIEW v AS SELECT b FROM t", 1, 2],
    ["SELECT * FROM v", 7, 0],
    ["CREATE TABLE IF NOT EXISTS w(k)", 0, 0],
    ["DROP TABLE IF EXISTS nowhere", 0, 0],
  ],
);

example(
  "databaseSize is the pages in use, 4096 bytes each: free pages do not count",
  async ({ sql, kv, storage }) => {
    const sizes = {};
    const note = (what) => {
      sizes[what] = sql.databaseSize;
    };
    note("new");
    sql.exec("CREATE TABLE t(a)");
    note("a table");
    sql.exec("CREATE INDEX i ON t(a)");
    note("and its index");
    sql.exec("INSERT INTO t VALUES (zeroblob(100000))");
    note("a large row");
    sql.exec("DELETE FROM t");
    note("without it");
    sql.exec("DROP TABLE t");
    note("dropped");
    kv.put("a", 1);
    note("a key");
    await storage.setAlarm(4e12);
    note("an alarm");
    await storage.deleteAll();
    note("nothing");
    return sizes;
  },
  {
    new: 4096,
    "a table": 8192,
    "and its index": 12288,
    "a large row": 212992,
    "without it": 12288,
    dropped: 4096,
    "a key": 8192,
    "an alarm": 12288,
    nothing: 4096,
  },
);
