// Transactions as the face runs them: the implicit one of a turn, synchronous ones, asynchronous ones, and calls from outside.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { temporaryDirectory } from "../support/cli.mjs";
import { failure } from "../support/modern.mjs";
import { serveStore } from "../support/sqlite-store.mjs";

const members = `
  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a)");
  }
  alarm() { this.fired?.(); }
`;
const A = `const a = () => sql.exec("SELECT a FROM t ORDER BY a").toArray().map((row) => row.a);`;

const programs = {
  rows: `${A} return a();`,
  keys: "return [...kv.list()];",
  abortInTurn: `storage.put("x", 1); sql.exec("INSERT INTO t VALUES (1)"); await null; kv.put("y", 2); ctx.abort("gone");`,
  abortLater: `storage.put("x", 1); sql.exec("INSERT INTO t VALUES (1)"); await turn(); kv.put("y", 2); ctx.abort("gone");`,
  abortAndGoOn: `
    try { ctx.abort("gone"); } catch {}
    storage.put("x", 1); storage.deleteAll(); storage.transaction(async () => {}); storage.setAlarm(Date.now()); storage.sync();
    const said = [error(() => sql.exec("SELECT 1")), error(() => kv.put("x", 1)), error(() => storage.transactionSync(() => {}))];
    globalThis.said = said.map(([, , message]) => message);
    await turn();`,
  said: "return [globalThis.said, [...kv.list()]];",
  sync: `${A}
    const inner = () => storage.transactionSync(() => { sql.exec("INSERT INTO t VALUES (2)"); kv.put("k", 2); throw new Error("inner"); });
    const value = storage.transactionSync(() => { sql.exec("INSERT INTO t VALUES (1)"); return [error(inner), a(), kv.get("k") === undefined]; });
    const promise = storage.transactionSync(async () => { sql.exec("INSERT INTO t VALUES (3)"); await turn(); sql.exec("INSERT INTO t VALUES (4)"); throw new Error("late"); });
    const late = await promise.catch((e) => e.message);
    return [value, error(() => storage.transactionSync(() => { throw 5; })), late, a()];`,
  async: `${A}
    let runs = 0;
    const value = await storage.transaction(async (txn) => { runs++; await txn.put("k", 1); sql.exec("INSERT INTO t VALUES (1)"); await turn(); kv.put("l", 1); return [await storage.get("k"), await txn.get("l")]; });
    const thrown = await storage.transaction(async (txn) => { runs++; await txn.put("k", 2); sql.exec("INSERT INTO t VALUES (2)"); await turn(); throw new Error("no"); }).catch((e) => e.message);
    const rolled = await storage.transaction(async (txn) => { await txn.put("k", 3); sql.exec("INSERT INTO t VALUES (3)"); txn.rollback(); txn.rollback(); kv.put("after", 1); return "value"; });
    return [runs, value, thrown, rolled, a(), kv.get("k"), kv.get("after")];`,
  nested: `
    const value = await storage.transaction(async (txn) => {
      await txn.put("k", 1);
      await storage.transaction(async (inner) => { await inner.put("k", 2); throw new Error("inner"); }).catch(() => {});
      const kept = await txn.get("k");
      const outer = await storage.transaction(async () => { await txn.put("k", 3); try { txn.rollback(); } catch (e) { return e.message; } });
      return [kept, await txn.get("k"), outer];
    });
    return [value, kv.get("k")];`,
  used: `
    let kept;
    const of = (run) => run().then((value) => ["value", value], (e) => [e.constructor.name, e.message]);
    await storage.transaction(async (txn) => { kept = txn; });
    return Promise.all([
      of(() => storage.transaction(async (txn) => { txn.rollback(); return txn.get("x"); })),
      of(async () => kept.put("a", 1)), of(async () => kept.rollback()),
      of(() => storage.transaction(async (txn) => txn.deleteAll())), of(() => storage.transaction(async () => storage.deleteAll())),
      of(async () => { let p; storage.transactionSync(() => { p = storage.deleteAll(); p.catch(() => {}); }); return p; }),
      of(() => storage.transaction(5)), of(() => storage.transaction(() => 7)),
    ]);`,
  counter: `return storage.transaction(async (txn) => { const n = (await txn.get("n")) ?? 0; await turn(); await txn.put("n", n + 1); return n; });`,
  many: `return Promise.all([1, 2, 3].map(() => this.counter()));`,
  alarms: `
    await storage.setAlarm(Date.now() + 1e7);
    const first = await storage.getAlarm();
    await storage.transaction(async (txn) => { await txn.setAlarm(Date.now() + 2e7); txn.rollback(); });
    const kept = await storage.getAlarm();
    try { storage.transactionSync(() => { storage.deleteAlarm(); throw 1; }); } catch {}
    return [kept === first, (await storage.getAlarm()) === first];`,
  deferred: `
    sql.exec("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)");
    await turn();
    sql.exec("INSERT INTO c VALUES (5)");
    kv.put("x", 1);
    await turn();
    return "not told";`,
  deferredNow: `sql.exec("INSERT INTO c VALUES (5)"); return "told";`,
  deferredPut: `await storage.put("x", 1); sql.exec("INSERT INTO c VALUES (5)"); return "told";`,
  deferredIn: `await storage.transaction(async () => { sql.exec("INSERT INTO c VALUES (5)"); }); return "not told";`,
  hold: `return storage.transaction(async () => { kv.put("held", 1); this.entered(); await this.released; return kv.get("held"); });`,
  prepare: `this.entry = new Promise((resolve) => { this.entered = resolve; }); this.released = new Promise((resolve) => { this.release = resolve; });`,
  begin: `sql.exec("INSERT INTO t VALUES (1), (2), (3)"); for (let i = 0; i < 200; i++) sql.exec("SELECT a FROM t").next();`,
  drop: `return error(() => { sql.exec("DROP TABLE t"); return "dropped"; });`,
  stuck: `return storage.transaction(async () => { kv.put("stuck", 1); this.entered(); await new Promise(() => {}); });`,
  rearm: `
    const soon = Date.now() + 40;
    await storage.setAlarm(soon);
    try { storage.transactionSync(() => { storage.deleteAlarm(); throw 1; }); } catch {}
    await storage.transaction(async (txn) => { await txn.setAlarm(Date.now() + 1e7); txn.rollback(); });
    await new Promise((resolve) => { this.fired = resolve; });
    await storage.setAlarm(soon + 1e7);
    this.fired = () => kv.put("fired", "but rolled back");
    await storage.transaction(async (txn) => { await txn.setAlarm(Date.now()); await new Promise((resolve) => setTimeout(resolve, 20)); txn.rollback(); });
    await new Promise((resolve) => setTimeout(resolve, 20));
    return [kv.get("fired") ?? null, (await storage.getAlarm()) === soon + 1e7];`,
  lists: `
    for (const key of ["a", "b", "c", "d"]) kv.put(key, key);
    const first = kv.list(), pairs = [first.next().value];
    kv.put("bb", 1); kv.delete("c");
    pairs.push(...first);
    const second = kv.list(); second.next();
    const third = kv.list();
    const invalid = error(() => second.next());
    await storage.list();
    return [pairs, invalid, error(() => third.next())[2] === invalid[2], [...kv.list({ reverse: true, limit: 2 })], [...kv.list({ prefix: "b" })]];`,
  large: `
    const entries = Object.fromEntries(Array.from({ length: 300 }, (_, i) => ["m" + String(i).padStart(3, "0"), i]));
    await storage.put(entries);
    const found = await storage.get(Object.keys(entries).reverse());
    const bad = await storage.put({ ...entries, z: () => {} , m000: "changed" }).catch((e) => e.name);
    const deleted = await storage.delete(Object.keys(entries));
    return [found.size, [...found.keys()][0], bad, kv.get("z") === undefined, deleted];`,
  undefinedValue: `kv.put("u", undefined); return [kv.get("u"), [...kv.list()].length, kv.delete("u"), kv.delete("u")];`,
  deleteAll: `
    await storage.setAlarm(Date.now() + 1e7);
    sql.exec("INSERT INTO t VALUES (1), (2), (3)"); kv.put("x", 1);
    const cursor = sql.exec("SELECT * FROM t"); cursor.next();
    const done = storage.deleteAll();
    sql.exec("CREATE TABLE t (a)"); sql.exec("INSERT INTO t VALUES (9)");
    await done;
    return [error(() => cursor.next()), sql.exec("SELECT * FROM t").toArray(), [...kv.list()], (await storage.getAlarm()) === null];`,
};

/** Where the data is: each test runs on both. */
const places = {
  memory: () => ({}),
  files: async (t) => ({ durableObjectsPersist: path.join(await temporaryDirectory(t), "data") }),
};

function testEverywhere(name, run) {
  for (const [place, options] of Object.entries(places)) {
    test(`${name} (${place})`, async (t) => {
      const given = await options(t);
      await run((more) => serveStore(t, programs, { members, ...given, ...more }), t);
    });
  }
}

testEverywhere(
  "sqlite transactions: abort() takes back what was written since the microtask queue was empty, and no more",
  async (serve) => {
    const { store } = await serve();
    assert.equal((await failure(store().abortInTurn())).message, "gone");
    assert.deepEqual([await store().keys(), await store().rows()], [[], []]);
    assert.equal((await failure(store().abortLater())).message, "gone");
    assert.deepEqual([await store().keys(), await store().rows()], [[["x", 1]], [1]]);
  },
);

testEverywhere(
  "sqlite transactions: also what a timer writes is committed only when the microtask queue is empty",
  async (serve) => {
    const { mf, namespace, storage } = await serve();
    const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
    const factory = mf.getPluginStorage("DurableObjectsPlugin");
    const state = await plugin.getObject(factory, namespace.idFromName("a"));
    const outside = await storage();
    await new Promise((resolve) => {
      setTimeout(async () => {
        outside.kv.put("x", 1);
        await null;
        assert.throws(() => state.abort("gone"), { message: "gone" });
        resolve();
      });
    });
    assert.equal(await outside.get("x"), undefined);
  },
);

testEverywhere(
  "sqlite transactions: code that goes on after abort() reaches nothing, and nothing that it ignores is unhandled",
  async (serve, t) => {
    const unhandled = [];
    const note = (reason) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    t.after(() => process.off("unhandledRejection", note));
    const { store } = await serve();
    await failure(store().abortAndGoOn());
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(await store().said(), [["gone", "gone", "gone"], []]);
    assert.deepEqual(unhandled, []);
  },
);

testEverywhere(
  "sqlite transactions: transactionSync() nests, rolls back what throws, and passes a promise on",
  async (serve) => {
    const { store } = await serve();
    const [value, , late, rows] = await store().sync();
    assert.deepEqual(value, [[true, "Error", "inner"], [1], true]);
    assert.deepEqual([late, rows], ["late", [1, 3, 4]]);
  },
);

testEverywhere(
  "sqlite transactions: transaction() runs once, and its rollback takes back SQL too",
  async (serve) => {
    const { store } = await serve();
    assert.deepEqual(await store().async(), [2, [1, 1], "no", "value", [1], 1, 1]);
  },
);

testEverywhere(
  "sqlite transactions: transaction() nests, and an outer one cannot roll back meanwhile",
  async (serve) => {
    const { store } = await serve();
    assert.deepEqual(await store().nested(), [
      [1, 3, "Cannot roll back an outer transaction while a nested transaction is still running."],
      3,
    ]);
  },
);

testEverywhere(
  "sqlite transactions: what cannot be done with one is an error in production's words",
  async (serve) => {
    const { store } = await serve();
    const moved = (method) =>
      `Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`;
    const deleteAll = ["Error", "Cannot call deleteAll() within a transaction"];
    assert.deepEqual(await store().used(), [
      ["Error", "Cannot get() on rolled back transaction"],
      ["Error", moved("put")],
      ["Error", moved("rollback")],
      deleteAll,
      deleteAll,
      deleteAll,
      [
        "TypeError",
        "Failed to execute 'transaction' on 'DurableObjectStorage': parameter 1 is not of type 'function'.",
      ],
      ["value", 7],
    ]);
  },
);

testEverywhere(
  "sqlite transactions: those that are started together run one after the other",
  async (serve) => {
    const { store } = await serve();
    assert.deepEqual(await store().many(), [0, 1, 2]);
    const calls = Array.from({ length: 8 }, () => store().counter());
    assert.deepEqual(await Promise.all(calls), [3, 4, 5, 6, 7, 8, 9, 10]);
  },
);

testEverywhere("sqlite transactions: an alarm comes back with a rollback", async (serve) => {
  const { store } = await serve();
  assert.deepEqual(await store().alarms(), [true, true]);
});

testEverywhere("sqlite transactions: timers of alarms follow a rollback", async (serve) => {
  const { store } = await serve();
  assert.deepEqual(await store().rearm(), [null, true]);
});

testEverywhere(
  "sqlite transactions: one that never ends is taken back when its object is reset, and holds up no other",
  async (serve) => {
    const { mf, namespace, store, storage } = await serve();
    await store().prepare();
    const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
    const factory = mf.getPluginStorage("DurableObjectsPlugin");
    const state = await plugin.getObject(factory, namespace.idFromName("a"));
    const instance = await plugin.getInstance(factory, namespace.idFromName("a"));
    const stuck = failure(store().stuck());
    await instance.entry;
    const outside = await storage();
    const waiting = outside.get("stuck");
    assert.throws(() => state.abort("enough"), { message: "enough" });
    assert.equal((await stuck).message, "enough");
    assert.equal(await waiting, undefined);
    assert.equal(await store().counter(), 0);
    assert.equal(outside.kv.get("n"), 1);
  },
);

testEverywhere(
  "sqlite transactions: a deferred constraint that is broken at the commit resets the object",
  async (serve) => {
    const { store } = await serve();
    const expected =
      "Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
    const first = await failure(store().deferred());
    assert.deepEqual([first.message, first.durableObjectReset], [expected, true]);
    assert.deepEqual(await store().keys(), []);
    // No result leaves the object before what it has written is committed.
    for (const method of ["deferredNow", "deferredPut", "deferredIn"]) {
      const next = await failure(store()[method]());
      assert.deepEqual([method, next.message, next.durableObjectReset], [method, expected, true]);
    }
    assert.deepEqual(await store().keys(), []);
  },
);

testEverywhere(
  "sqlite transactions: from outside, asynchronous calls wait for one that is open and synchronous ones say so",
  async (serve) => {
    const { mf, namespace, store, storage } = await serve();
    await store().prepare();
    const outside = await storage();
    assert.equal(outside.kv.get("held"), undefined);
    const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
    const factory = mf.getPluginStorage("DurableObjectsPlugin");
    const instance = await plugin.getInstance(factory, namespace.idFromName("a"));
    const held = store().hold();
    await instance.entry;
    const code = "ERR_TRANSACTION_OPEN";
    assert.throws(() => outside.kv.get("held"), { code });
    assert.throws(() => outside.sql.exec("SELECT 1"), { code });
    assert.throws(() => outside.transactionSync(() => {}), { code });
    const waiting = [];
    const get = outside.get("held").then((value) => waiting.push(value));
    const own = outside.transaction(async (txn) => waiting.push(await txn.get("held")));
    assert.deepEqual(waiting, []);
    instance.release();
    assert.equal(await held, 1);
    await Promise.all([get, own]);
    assert.deepEqual(waiting, [1, 1]);
    assert.equal(outside.sql.exec("SELECT count(*) AS n FROM t").one().n, 0);
  },
);

testEverywhere(
  "sqlite transactions: outside, a transaction and plain calls see what the object sees",
  async (serve) => {
    const { store, storage } = await serve();
    const outside = await storage("b");
    outside.sql.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    await outside.put("x", 1);
    await outside.transaction(async (txn) => {
      await txn.put("y", 2);
      outside.sql.exec("INSERT INTO t VALUES (2)");
    });
    const thrown = outside.transaction(async () => {
      outside.kv.put("z", 3);
      throw new Error("no");
    });
    assert.equal((await failure(thrown)).message, "no");
    await outside.sync();
    assert.deepEqual(
      [await store("b").keys(), await store("b").rows()],
      [
        [
          ["x", 1],
          ["y", 2],
        ],
        [1, 2],
      ],
    );
  },
);

testEverywhere(
  "sqlite kv: one list is walked at a time, and sees what is written meanwhile",
  async (serve) => {
    const { store } = await serve();
    const message =
      "kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.";
    const pair = (key) => [key, key];
    assert.deepEqual(await store().lists(), [
      [pair("a"), pair("b"), ["bb", 1], pair("d")],
      [true, "Error", message],
      true,
      [pair("d"), ["bb", 1]],
      [pair("b"), ["bb", 1]],
    ]);
  },
);

testEverywhere("sqlite kv: any number of keys, and undefined is a value", async (serve) => {
  const { store } = await serve();
  assert.deepEqual(await store().large(), [300, "m000", "DataCloneError", true, 300]);
  assert.deepEqual(await store().undefinedValue(), [undefined, 1, true, false]);
});

testEverywhere(
  "sqlite: deleteAll() drops tables, keys and the alarm, and ends cursors",
  async (serve) => {
    const { store } = await serve();
    assert.deepEqual(await store().deleteAll(), [
      [true, "Error", "SQLite query was canceled because the database was deleted."],
      [{ a: 9 }],
      [],
      true,
    ]);
  },
);

testEverywhere(
  "sqlite: a cursor that the program has dropped ends with the garbage, and one that it keeps is in the way",
  async (serve) => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc");
    const { store, storage } = await serve();
    await store().begin();
    const outside = await storage();
    const kept = outside.sql.exec("SELECT a FROM t");
    for (let i = 0; i < 10; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const locked = [true, "Error", "database table is locked: SQLITE_LOCKED"];
    assert.deepEqual(await store().drop(), locked);
    assert.equal(kept.toArray().length, 3);
    let dropped = await store().drop();
    for (let i = 0; i < 50 && Array.isArray(dropped); i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
      dropped = await store().drop();
    }
    assert.deepEqual(dropped, { value: "dropped" });
  },
);
