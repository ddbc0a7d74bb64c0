// What SQL tells of its connection begins again with each instance of an object, as on a fresh connection.
import { example } from "./examples/example.mjs";

const counts = ({ rows }) =>
  rows("SELECT last_insert_rowid() AS row, changes() AS last, total_changes() AS total")[0];
const insert = ({ rows }) => {
  rows("CREATE TABLE IF NOT EXISTS t(a)");
  rows("INSERT INTO t VALUES (1), (2), (3)");
  return rows("SELECT last_insert_rowid() AS row, changes() AS last, total_changes() AS total")[0];
};
const abort = ({ ctx, rows }) => {
  rows("INSERT INTO t VALUES (4)");
  ctx.abort("enough");
};
const THREE = { row: 3, last: 3, total: 3 };
const NONE = { row: 0, last: 0, total: 0 };
const ABORTED = { failed: "Error: enough", reset: true };

example(
  "counts of changes go on from event to event",
  [
    insert,
    counts,
    ({ rows }) => rows("DELETE FROM t WHERE a = 9"),
    counts,
    ({ rows }) => rows("UPDATE t SET a = 5"),
    counts,
  ],
  [THREE, THREE, [], { row: 3, last: 0, total: 3 }, [], { row: 3, last: 3, total: 6 }],
);

example(
  "after abort() they begin again",
  [insert, abort, counts, insert],
  [THREE, ABORTED, NONE, { row: 6, last: 3, total: 3 }],
);

example(
  "a key that is stored counts as a change",
  ({ kv, rows }) => {
    kv.put("a", 1);
    return rows("SELECT changes() AS last, total_changes() AS total")[0];
  },
  { last: 1, total: 1 },
);

example(
  "after deleteAll() they begin again",
  [
    insert,
    async ({ storage, rows }) => {
      await storage.deleteAll();
      return rows(
        "SELECT last_insert_rowid() AS row, changes() AS last, total_changes() AS total",
      )[0];
    },
    counts,
  ],
  [THREE, NONE, NONE],
);

const VIOLATED =
  "Error: Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
const violate = [
  insert,
  ({ rows }) => {
    rows("CREATE TABLE p(id INTEGER PRIMARY KEY)");
    rows("CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)");
  },
  ({ rows }) => rows("INSERT INTO c VALUES (1)"),
  counts,
];

example(
  "after a commit that has failed they begin again",
  violate,
  [THREE, "<undefined>", { failed: VIOLATED, reset: true }, NONE],
  { workerd: [THREE, "<undefined>", { failed: VIOLATED, reset: false }, NONE] },
);

example(
  "settings of PRAGMAs last as long as the instance",
  [
    ({ rows }) => {
      rows("PRAGMA foreign_keys = 0");
      rows("PRAGMA recursive_triggers = 1");
      rows("PRAGMA case_sensitive_like = 1");
    },
    ({ rows, values }) => [
      rows("PRAGMA foreign_keys"),
      rows("PRAGMA recursive_triggers"),
      values("SELECT 'a' LIKE 'A'"),
    ],
    ({ ctx }) => ctx.abort("enough"),
    ({ rows, values }) => [
      rows("PRAGMA foreign_keys"),
      rows("PRAGMA recursive_triggers"),
      values("SELECT 'a' LIKE 'A'"),
    ],
  ],
  [
    "<undefined>",
    [[{ foreign_keys: 0 }], [{ recursive_triggers: 1 }], [0]],
    ABORTED,
    [[{ foreign_keys: 1 }], [{ recursive_triggers: 0 }], [1]],
  ],
);

example(
  "the functions that count are allowed where SQLite's own are",
  ({ rows, values, attempt }) => {
    rows("CREATE TABLE t(a, b DEFAULT 1)");
    rows("CREATE TABLE log(n)");
    rows("CREATE TRIGGER after_t AFTER INSERT ON t BEGIN INSERT INTO log VALUES (changes()); END");
    rows("INSERT INTO t(a) VALUES (1), (2)");
    rows("CREATE VIEW v AS SELECT total_changes() AS n");
    return [
      values("SELECT n FROM log"),
      rows("SELECT changes() AS last, (SELECT n FROM v) AS total"),
      attempt(() => rows("SELECT changes(1)")),
      attempt(() => rows("CREATE INDEX i ON t(changes())")),
    ];
  },
  [
    [0, 0],
    [{ last: 2, total: 4 }],
    "Error: wrong number of arguments to function changes() at offset 7: SQLITE_ERROR",
    "Error: non-deterministic functions prohibited in index expressions at offset 20: SQLITE_ERROR",
  ],
);
