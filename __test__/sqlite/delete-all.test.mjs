// deleteAll(): the whole database goes, at once and for good, and the object goes on with an empty one.
import { example } from "./examples/example.mjs";

example(
  "deleteAll() drops tables, keys and the alarm when it is called",
  async ({ sql, storage, kv, rows }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    kv.put("a", 1);
    await storage.setAlarm(4e12);
    const promise = storage.deleteAll();
    const atOnce = [rows("SELECT name FROM sqlite_schema"), [...kv.list()], sql.databaseSize];
    return [atOnce, await promise, await storage.getAlarm()];
  },
  [[[], [], 4096], "<undefined>", null],
);

example(
  "what is written after it in the same turn stays, what was written before does not",
  [
    async ({ sql, storage, kv }) => {
      sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
      kv.put("a", 1);
      storage.deleteAll();
      sql.exec("CREATE TABLE u(a); INSERT INTO u VALUES (2)");
      kv.put("b", 2);
    },
    ({ kv, values }) => [
      values("SELECT name FROM sqlite_schema ORDER BY name"),
      values("SELECT a FROM u"),
      [...kv.list()],
    ],
  ],
  ["<undefined>", [["_cf_KV", "u"], [2], [["b", 2]]]],
);

example(
  "abort() does not bring back what it deleted",
  [
    async ({ ctx, sql, storage }) => {
      sql.exec("CREATE TABLE t(a)");
      await storage.sync();
      storage.deleteAll();
      ctx.abort("aborted");
    },
    ({ rows }) => rows("SELECT name FROM sqlite_schema"),
  ],
  [{ failed: "Error: aborted", reset: true }, []],
);

example(
  "PRAGMAs begin again",
  async ({ sql, storage, rows }) => {
    sql.exec("PRAGMA foreign_keys = 0");
    sql.exec("PRAGMA recursive_triggers = 1");
    const before = [rows("PRAGMA foreign_keys"), rows("PRAGMA recursive_triggers")];
    await storage.deleteAll();
    return [before, rows("PRAGMA foreign_keys"), rows("PRAGMA recursive_triggers")];
  },
  [
    [[{ foreign_keys: 0 }], [{ recursive_triggers: 1 }]],
    [{ foreign_keys: 1 }],
    [{ recursive_triggers: 0 }],
  ],
);

example(
  "a transaction refuses it",
  async ({ storage, kv, attemptLater }) => {
    kv.put("a", 1);
    const told = await storage.transaction(async (txn) => [
      await attemptLater(() => storage.deleteAll()),
      await attemptLater(() => txn.deleteAll()),
    ]);
    return [told, kv.get("a")];
  },
  [
    [
      "Error: Cannot call deleteAll() within a transaction",
      "Error: Cannot call deleteAll() within a transaction",
    ],
    1,
  ],
);

example(
  "transactionSync() refuses it too",
  async ({ storage, kv, attemptLater }) => {
    kv.put("a", 1);
    const told = await attemptLater(() => storage.transactionSync(() => storage.deleteAll()));
    return [told, kv.get("a")];
  },
  ["Error: Cannot call deleteAll() within a transaction", 1],
  // It has deleted everything before it fails.
  { workerd: ["Error: internal error; reference", "<undefined>"] },
);
