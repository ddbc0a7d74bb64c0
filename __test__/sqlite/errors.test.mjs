// The texts of what SQLite refuses: its message, where in the text, its code and its extended code.
import { example } from "./examples/example.mjs";

/** An example whose statements all fail; `tables` exist. */
function refusals(name, tables, expected, options) {
  const texts = JSON.stringify(Object.keys(expected));
  const run = `({ sql, attempt }) => {
    for (const text of ${JSON.stringify(tables)}) sql.exec(text);
    const told = (text) => attempt(() => sql.exec(text).toArray());
    return Object.fromEntries(${texts}.map((text) => [text, told(text)]));
  }`;
  example(name, run, expected, options);
}

const constraint = (message, kind) =>
  `Error: ${message}: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_${kind})`;

refusals(
  "each kind of constraint names what it holds for, and its extended code",
  [
    "CREATE TABLE p(id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL DEFAULT 1, k CHECK (k > 0), i, CONSTRAINT named CHECK (i < 9))",
    "CREATE TABLE c(p REFERENCES p(id))",
    "CREATE TABLE s(a INTEGER, b TEXT) STRICT",
    "CREATE TABLE w(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "CREATE TRIGGER g BEFORE INSERT ON w WHEN new.a > 5 BEGIN SELECT RAISE(ABORT, 'not above 5'); END",
    "CREATE TRIGGER h BEFORE INSERT ON w WHEN new.a = 4 BEGIN SELECT RAISE(FAIL, 'not 4'); END",
    "INSERT INTO p VALUES (1, 'a', 1, 1, 1)",
    "INSERT INTO w VALUES (1, 1)",
    "INSERT INTO c VALUES (1)",
  ],
  {
    "INSERT INTO p(id) VALUES (1)": constraint("UNIQUE constraint failed: p.id", "PRIMARYKEY"),
    "INSERT INTO p(u) VALUES ('a')": constraint("UNIQUE constraint failed: p.u", "UNIQUE"),
    "INSERT INTO p(n) VALUES (NULL)": constraint("NOT NULL constraint failed: p.n", "NOTNULL"),
    "INSERT INTO p(k) VALUES (0)": constraint("CHECK constraint failed: k > 0", "CHECK"),
    "INSERT INTO p(i) VALUES (9)": constraint("CHECK constraint failed: named", "CHECK"),
    "INSERT INTO p(id) VALUES ('x')": "Error: datatype mismatch: SQLITE_MISMATCH",
    "INSERT INTO c VALUES (99)": constraint("FOREIGN KEY constraint failed", "FOREIGNKEY"),
    "DELETE FROM p": constraint("FOREIGN KEY constraint failed", "FOREIGNKEY"),
    "INSERT INTO s VALUES ('x', 'b')": constraint(
      "cannot store TEXT value in INTEGER column s.a",
      "DATATYPE",
    ),
    "INSERT INTO w VALUES (1, 1)": constraint("UNIQUE constraint failed: w.a, w.b", "PRIMARYKEY"),
    "INSERT INTO w VALUES (1, NULL)": constraint("NOT NULL constraint failed: w.b", "NOTNULL"),
    "INSERT INTO w VALUES (6, 6)": constraint("not above 5", "TRIGGER"),
    "INSERT INTO w VALUES (3, 3), (4, 4)": constraint("not 4", "TRIGGER"),
  },
);

refusals("an error of syntax or of a name says at which byte it is", ["CREATE TABLE t(a)"], {
  "SELEC 1": 'Error: near "SELEC": syntax error at offset 0: SQLITE_ERROR',
  "SELECT 1 1": 'Error: near "1": syntax error at offset 9: SQLITE_ERROR',
  "SELECT 'é' x y": 'Error: near "y": syntax error at offset 14: SQLITE_ERROR',
  "SELECT 'é😀' || b": "Error: no such column: b at offset 19: SQLITE_ERROR",
  "SELECT 1; SELEC": 'Error: near "SELEC": syntax error at offset 0: SQLITE_ERROR',
  SELECT: "Error: incomplete input: SQLITE_ERROR",
  "SELECT (": "Error: incomplete input: SQLITE_ERROR",
  "SELECT 'abc": 'Error: unrecognized token: "\'abc" at offset 7: SQLITE_ERROR',
  "SELECT b FROM t": "Error: no such column: b at offset 7: SQLITE_ERROR",
  "SELECT * FROM nowhere": "Error: no such table: nowhere: SQLITE_ERROR",
  "INSERT INTO t(b) VALUES (1)": "Error: table t has no column named b: SQLITE_ERROR",
  "INSERT INTO t VALUES (1, 2)":
    "Error: table t has 1 columns but 2 values were supplied: SQLITE_ERROR",
  "SELECT nowhat(1)": "Error: no such function: nowhat at offset 7: SQLITE_ERROR",
  "SELECT abs()": "Error: wrong number of arguments to function abs() at offset 7: SQLITE_ERROR",
  "CREATE TABLE t(a)": "Error: table t already exists at offset 13: SQLITE_ERROR",
  "SELECT 1 WHERE count(*) > 1":
    "Error: misuse of aggregate function count() at offset 15: SQLITE_ERROR",
  "CREATE TABLE c(a COLLATE nowhat)":
    "Error: no such collation sequence: nowhat: SQLITE_ERROR (extended: SQLITE_ERROR_MISSING_COLLSEQ)",
});

refusals(
  "what fails while it runs has no offset",
  ["CREATE TABLE t(a)", "CREATE VIRTUAL TABLE f USING fts5(a)"],
  {
    "SELECT abs(-9223372036854775808)": "Error: integer overflow: SQLITE_ERROR",
    "SELECT json('nonsense')": "Error: malformed JSON: SQLITE_ERROR",
    "SELECT json_extract('{}', 'x')": "Error: bad JSON path: 'x': SQLITE_ERROR",
    "SELECT 1 LIKE 2 ESCAPE 'ab'":
      "Error: ESCAPE expression must be a single character: SQLITE_ERROR",
    "SELECT zeroblob(1e10)": "Error: string or blob too big: SQLITE_TOOBIG",
    "SELECT 1 LIMIT 'x'": "Error: datatype mismatch: SQLITE_MISMATCH",
    "SELECT * FROM f('\"')": "Error: unterminated string: SQLITE_ERROR",
    "SELECT * FROM f('AND')": 'Error: fts5: syntax error near "AND": SQLITE_ERROR',
    "INSERT INTO f(f) VALUES ('nonsense')": "Error: SQL logic error: SQLITE_ERROR",
  },
);

refusals(
  "a text without a statement at its end is refused: also a comment after the last one",
  [],
  Object.fromEntries(
    [
      "",
      " ",
      ";",
      "-- comment",
      "/* comment */",
      "/* open",
      "SELECT 1; -- end",
      "SELECT 1; ;",
      "SELECT 1; /* end */",
    ].map((text) => [text, "Error: SQL code did not contain a statement."]),
  ),
);

example(
  "a statement may end in a semicolon or be followed by a comment; text in double quotes is text",
  ({ rows }) => [
    rows("SELECT 1 AS a;"),
    rows("SELECT 1 AS a -- end"),
    rows('SELECT "nothing" AS a'),
    rows("SELECT 1_000 AS a"),
  ],
  [[{ a: 1 }], [{ a: 1 }], [{ a: "nothing" }], [{ a: 1000 }]],
);

example(
  "a failed statement leaves what was before, and OR FAIL what it had done",
  ({ sql, values, attempt }) => {
    sql.exec("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1)");
    const told = [
      "INSERT INTO t VALUES (2), (1)",
      "INSERT OR FAIL INTO t VALUES (3), (1), (4)",
      "INSERT OR IGNORE INTO t VALUES (5), (1), (6)",
    ].map((text) => typeof attempt(() => sql.exec(text)));
    return [told, values("SELECT a FROM t ORDER BY a")];
  },
  [
    ["string", "string", "object"],
    [1, 3, 5, 6],
  ],
);
