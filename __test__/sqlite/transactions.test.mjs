// What belongs together: the implicit transaction of a turn, transactionSync(), transaction(), and what undoes them.
import { example } from "./examples/example.mjs";

const lost = (failed) => ({ failed: `Error: ${failed}`, reset: true });

example(
  "writes of a turn are one transaction: abort() loses them, whatever promises of the storage were awaited",
  [
    async ({ ctx, sql, storage, kv }) => {
      sql.exec("CREATE TABLE t(a)");
      await storage.sync();
      sql.exec("INSERT INTO t VALUES (1)");
      kv.put("a", 1);
      await null;
      await storage.put("b", 1);
      await storage.get("b");
      await storage.list();
      storage.transactionSync(() => sql.exec("INSERT INTO t VALUES (2)"));
      ctx.abort("lost");
    },
    ({ values, kv }) => [values("SELECT a FROM t"), [...kv.list()]],
  ],
  [lost("lost"), [[], []]],
);

for (const [what, wait] of [
  ["a timer", "sleep(1)"],
  ["sync()", "storage.sync()"],
  ["blockConcurrencyWhile()", "ctx.blockConcurrencyWhile(async () => {})"],
  ["transaction()", "storage.transaction(async () => {})"],
]) {
  example(
    `${what} ends the turn: what was written before stays, what was written after is lost`,
    [
      `async ({ ctx, sql, storage, sleep }) => {
        sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
        await ${wait};
        sql.exec("INSERT INTO t VALUES (2)");
        ctx.abort("lost");
      }`,
      ({ values }) => values("SELECT a FROM t"),
    ],
    [lost("lost"), [1]],
  );
}

example(
  "an exception out of a handler undoes nothing",
  [
    ({ sql, kv }) => {
      sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
      kv.put("a", 1);
      throw new RangeError("out");
    },
    ({ values, kv }) => [values("SELECT a FROM t"), kv.get("a")],
  ],
  [{ failed: "RangeError: out", reset: false }, [[1], 1]],
);

example(
  "transactionSync() gives what its function gives, and undoes everything when that throws",
  async ({ sql, storage, kv, values, attempt }) => {
    sql.exec("CREATE TABLE t(a)");
    const gave = storage.transactionSync((...args) => [args.length, "given"]);
    const told = attempt(() =>
      storage.transactionSync(() => {
        sql.exec("INSERT INTO t VALUES (1)");
        kv.put("a", 1);
        storage.put("b", 1);
        storage.setAlarm(4e12);
        throw new RangeError("undone");
      }),
    );
    return [gave, told, values("SELECT a FROM t"), [...kv.list()], await storage.getAlarm()];
  },
  [[0, "given"], "RangeError: undone", [], [], null],
);

example(
  "transactionSync() nests: what is inside is undone alone",
  ({ sql, storage, values, attempt }) => {
    sql.exec("CREATE TABLE t(a)");
    const told = storage.transactionSync(() => {
      sql.exec("INSERT INTO t VALUES (1)");
      const inner = attempt(() =>
        storage.transactionSync(() => {
          storage.transactionSync(() => sql.exec("INSERT INTO t VALUES (2)"));
          throw "thrown inside";
        }),
      );
      sql.exec("INSERT INTO t VALUES (3)");
      return inner;
    });
    return [told, values("SELECT a FROM t")];
  },
  ["thrown thrown inside", [1, 3]],
);

example(
  "what an asynchronous function does after transactionSync() has returned is outside of it",
  async ({ sql, storage, values, attemptLater }) => {
    sql.exec("CREATE TABLE t(a)");
    const promise = storage.transactionSync(async () => {
      sql.exec("INSERT INTO t VALUES (1)");
      await null;
      sql.exec("INSERT INTO t VALUES (2)");
      throw new RangeError("later");
    });
    return [
      promise instanceof Promise,
      await attemptLater(() => promise),
      values("SELECT a FROM t"),
    ];
  },
  [true, "RangeError: later", [1, 2]],
);

example(
  "both want a function",
  async ({ storage, attempt, attemptLater }) => [
    attempt(() => storage.transactionSync()),
    attempt(() => storage.transactionSync(5)),
    await attemptLater(() => storage.transaction()),
  ],
  [
    "TypeError: Failed to execute 'transactionSync' on 'DurableObjectStorage': parameter 1 is not of type 'function'.",
    "TypeError: Failed to execute 'transactionSync' on 'DurableObjectStorage': parameter 1 is not of type 'function'.",
    "TypeError: Failed to execute 'transaction' on 'DurableObjectStorage': parameter 1 is not of type 'function'.",
  ],
);

example(
  "a cursor goes on after the end of its transaction, unless tables that it made are undone",
  async ({ sql, storage, attempt, sleep }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)");
    await sleep(1);
    const undo = (run) =>
      attempt(() =>
        storage.transactionSync(() => {
          run();
          throw new Error("undone");
        }),
      );
    const [before, under] = [sql.exec("SELECT a FROM t"), sql.exec("SELECT a FROM t")];
    let inside;
    undo(() => {
      sql.exec("INSERT INTO t VALUES (3)");
      inside = sql.exec("SELECT a FROM t");
    });
    const rest = [before.toArray(), inside.toArray()];
    undo(() => sql.exec("CREATE TABLE more(a)"));
    return [...rest, attempt(() => under.toArray())];
  },
  [
    [{ a: 1 }, { a: 2 }],
    [{ a: 1 }, { a: 2 }],
    "Error: abort due to ROLLBACK: SQLITE_ABORT (extended: SQLITE_ABORT_ROLLBACK)",
  ],
);

example(
  "transaction() begins after what was called before it, and gives what its function gives",
  async ({ sql, storage }) => {
    const order = [];
    sql.exec("CREATE TABLE t(a)");
    const given = storage.transaction(async (txn) => {
      order.push(Object.prototype.toString.call(txn));
      return "given";
    });
    order.push("called");
    return [
      await given,
      await storage.transaction(() => 6),
      order,
      typeof (await storage.transaction((txn) => typeof txn.sql)),
    ];
  },
  ["given", 6, ["called", "[object DurableObjectTransaction]"], "string"],
);

example(
  "transaction() holds SQL, kv and the asynchronous calls: an exception undoes all of them, also across timers",
  async ({ sql, storage, kv, values, sleep, attemptLater }) => {
    sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
    const told = await attemptLater(() =>
      storage.transaction(async (txn) => {
        sql.exec("INSERT INTO t VALUES (2)");
        kv.put("a", 1);
        await sleep(1);
        await txn.put("b", 1);
        await storage.put("c", 1);
        await txn.setAlarm(4e12);
        throw new RangeError("undone");
      }),
    );
    return [told, values("SELECT a FROM t"), [...kv.list()], await storage.getAlarm()];
  },
  ["RangeError: undone", [1], [], null],
);

example(
  "rollback() undoes what was before it; what comes after is outside, but no calls of txn do",
  async ({ sql, storage, values, attemptLater }) => {
    sql.exec("CREATE TABLE t(a)");
    const gave = await storage.transaction(async (txn) => {
      sql.exec("INSERT INTO t VALUES (1)");
      txn.rollback();
      txn.rollback();
      sql.exec("INSERT INTO t VALUES (2)");
      return [values("SELECT a FROM t"), await attemptLater(() => txn.put("a", 1))];
    });
    return [gave, values("SELECT a FROM t")];
  },
  [[[2], "Error: Cannot put() on rolled back transaction"], [2]],
);

example(
  "transaction() nests, and an outer one cannot be undone inside of an inner one",
  async ({ sql, storage, values, attemptLater }) => {
    sql.exec("CREATE TABLE t(a)");
    await storage.transaction(async () => {
      sql.exec("INSERT INTO t VALUES (1)");
      await storage.transaction(async (inner) => {
        sql.exec("INSERT INTO t VALUES (2)");
        inner.rollback();
      });
      await attemptLater(() =>
        storage.transaction(async () => {
          sql.exec("INSERT INTO t VALUES (3)");
          throw new Error("inner");
        }),
      );
      await storage.transaction(async () => sql.exec("INSERT INTO t VALUES (4)"));
    });
    const told = await attemptLater(() =>
      storage.transaction(async (outer) => {
        await storage.transaction(async () => {
          sql.exec("INSERT INTO t VALUES (5)");
          outer.rollback();
        });
      }),
    );
    return [values("SELECT a FROM t"), told];
  },
  [
    [1, 4],
    "Error: Cannot roll back an outer transaction while a nested transaction is still running.",
  ],
);

example(
  "transactions run one after the other, and one that is over takes no calls",
  async ({ storage, sleep, attemptLater }) => {
    const order = [];
    let kept;
    const run = (name) =>
      storage.transaction(async (txn) => {
        order.push(`${name} begins`);
        await sleep(1);
        order.push(`${name} ends`);
        kept = txn;
      });
    await Promise.all([run("one"), run("two")]);
    return [
      order,
      await attemptLater(() => kept.get("a")),
      await attemptLater(() => kept.rollback()),
    ];
  },
  [
    ["one begins", "one ends", "two begins", "two ends"],
    "Error: Cannot call get() on transaction that has already committed: did you move `txn` outside of the closure?",
    "Error: Cannot call rollback() on transaction that has already committed: did you move `txn` outside of the closure?",
  ],
);

example(
  "abort() inside of a transaction undoes it",
  [
    ({ sql }) => sql.exec("CREATE TABLE t(a)").toArray(),
    ({ ctx, sql, storage, sleep }) =>
      storage.transaction(async () => {
        sql.exec("INSERT INTO t VALUES (1)");
        await sleep(1);
        ctx.abort("lost");
      }),
    ({ values }) => values("SELECT a FROM t"),
  ],
  [[], lost("lost"), []],
);

const violated =
  "Error: Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
const parents = ({ sql, kv }) => {
  sql.exec("CREATE TABLE parent(id INTEGER PRIMARY KEY)");
  sql.exec("CREATE TABLE child(p REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)");
  kv.put("a", "before");
};

example(
  "a constraint that is deferred may be broken for a while in a turn",
  [
    parents,
    async ({ sql, storage, values, sleep, attempt }) => {
      sql.exec("INSERT INTO child VALUES (1)");
      sql.exec("INSERT INTO parent VALUES (1)");
      attempt(() =>
        storage.transactionSync(() => {
          sql.exec("INSERT INTO child VALUES (2)");
          throw new Error("undone");
        }),
      );
      await sleep(1);
      return values("SELECT p FROM child");
    },
  ],
  ["<undefined>", [1]],
);

example(
  "at the end of a turn a broken constraint resets the object to what it was before, keys too",
  [
    parents,
    async ({ sql, kv, sleep }) => {
      sql.exec("INSERT INTO child VALUES (1)");
      kv.put("a", "after");
      await sleep(1);
      return "never";
    },
    ({ values, kv }) => [values("SELECT p FROM child"), kv.get("a")],
  ],
  ["<undefined>", { failed: violated, reset: true }, [[], "before"]],
  // It says nothing of the reset.
  { workerd: ["<undefined>", { failed: violated, reset: false }, [[], "before"]] },
);

example(
  "the same at the end of a transaction",
  [
    parents,
    ({ sql, storage }) =>
      storage.transaction(async () => sql.exec("INSERT INTO child VALUES (1)").toArray()),
    ({ values, kv }) => [values("SELECT p FROM child"), kv.get("a")],
  ],
  ["<undefined>", { failed: violated, reset: true }, [[], "before"]],
  {
    workerd: [
      "<undefined>",
      { failed: "Error: internal error; reference", reset: true },
      [[], "before"],
    ],
  },
);

example(
  "PRAGMA defer_foreign_keys holds until the end of the turn",
  async ({ sql, rows, sleep }) => {
    sql.exec("CREATE TABLE t(a)");
    sql.exec("PRAGMA defer_foreign_keys = 1");
    const before = rows("PRAGMA defer_foreign_keys");
    await sleep(1);
    return [before, rows("PRAGMA defer_foreign_keys")];
  },
  [[{ defer_foreign_keys: 1 }], [{ defer_foreign_keys: 0 }]],
);

example(
  "bookmarks grow with each call, and none is restored",
  [
    async ({ sql, storage }) => {
      const first = await storage.getCurrentBookmark();
      sql.exec("CREATE TABLE t(a)");
      await storage.sync();
      const refused = await storage
        .onNextSessionRestoreBookmark(first)
        .catch((error) => error.message);
      return [first, await storage.getCurrentBookmark(), refused];
    },
    ({ storage }) => storage.getCurrentBookmark(),
  ],
  [
    [
      "00000000-00000000-00000000-00000000000000000000000000000000",
      "00000000-00000001-00000000-00000000000000000000000000000000",
      "This Durable Object's storage back-end does not implement point-in-time recovery.",
    ],
    "00000000-00000002-00000000-00000000000000000000000000000000",
  ],
);
