// Alarms of an object with SQL: the alarm lies in the same database, and is set, kept and undone with its rows.
import { example } from "./examples/example.mjs";

const lost = { failed: "Error: lost", reset: true };

example(
  "an alarm and rows of one turn are kept or lost together",
  [
    async ({ ctx, sql, storage }) => {
      sql.exec("CREATE TABLE t(a)");
      await storage.sync();
      sql.exec("INSERT INTO t VALUES (1)");
      await storage.setAlarm(4e12);
      const set = await storage.getAlarm();
      if (set !== 4e12) return "not set";
      ctx.abort("lost");
    },
    async ({ sql, storage, values }) => {
      const after = [values("SELECT a FROM t"), await storage.getAlarm()];
      sql.exec("INSERT INTO t VALUES (2)");
      await storage.setAlarm(4e12 + 1);
      return after;
    },
    async ({ storage, values }) => [values("SELECT a FROM t"), await storage.getAlarm()],
  ],
  [lost, [[], null], [[2], 4e12 + 1]],
);

example(
  "transactions undo an alarm that was set, and one that was deleted",
  async ({ storage, attempt, attemptLater }) => {
    const undo = (run) => () => {
      run();
      throw new Error("undone");
    };
    attempt(() => storage.transactionSync(undo(() => storage.setAlarm(4e12))));
    const unset = await storage.getAlarm();
    await storage.setAlarm(4e12);
    attempt(() => storage.transactionSync(undo(() => storage.deleteAlarm())));
    const kept = await storage.getAlarm();
    await attemptLater(() =>
      storage.transaction(async (txn) => {
        await txn.setAlarm(4e12 + 1);
        await storage.deleteAlarm();
        throw new Error("undone");
      }),
    );
    return [unset, kept, await storage.getAlarm()];
  },
  [null, 4e12, 4e12],
);

example(
  "a handler reads and writes the rows of its object, also on a new instance",
  [
    async ({ object, sql, storage, values }) => {
      sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1)");
      const fired = new Promise((resolve) => {
        object.onAlarm = async ({ retryCount }) => {
          sql.exec("INSERT INTO t VALUES (2)");
          resolve([retryCount, await storage.getAlarm()]);
        };
      });
      await storage.setAlarm(Date.now());
      return [await fired, values("SELECT a FROM t")];
    },
    ({ ctx }) => ctx.abort("lost"),
    ({ values }) => values("SELECT a FROM t"),
  ],
  [
    [
      [0, null],
      [1, 2],
    ],
    lost,
    [1, 2],
  ],
);

example(
  "what a handler has written before it fails stays, and it runs again",
  async ({ object, sql, storage, values }) => {
    sql.exec("CREATE TABLE t(a)");
    const run = (then) =>
      new Promise((resolve) => {
        object.onAlarm = ({ retryCount, isRetry }) => {
          sql.exec("INSERT INTO t VALUES (?)", retryCount);
          resolve([retryCount, isRetry]);
          then?.();
        };
      });
    const fail = () => {
      throw new Error("the first run fails");
    };
    const first = run(fail);
    await storage.setAlarm(Date.now());
    const runs = [await first];
    runs.push(await run());
    return [runs, values("SELECT a FROM t")];
  },
  [
    [
      [0, false],
      [1, true],
    ],
    [0, 1],
  ],
);

example(
  "deleteAll() deletes the alarm from the date on at which it does",
  async ({ storage, sql }) => {
    sql.exec("CREATE TABLE t(a)");
    await storage.setAlarm(4e12);
    await storage.deleteAll();
    return storage.getAlarm();
  },
  null,
);
