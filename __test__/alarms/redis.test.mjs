// Alarms of objects in Redis: found at the start without touching an object, kept across processes, fired once.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Miniflare } from "ferroflare";
import { runModule, until } from "../support/cli.mjs";
import { options, storageOf } from "../support/files.mjs";
import { RedisServer } from "../support/redis.mjs";

const FAR = 4_000_000_000_000;
const script = `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch() {
    return new Response(String((await this.storage.get("fired")) ?? 0));
  }
  async alarm() {
    await this.storage.put("fired", ((await this.storage.get("fired")) ?? 0) + 1);
  }
}
export default { fetch() {} }`;

let server;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.close());
beforeEach(() => server.call("FLUSHALL"));

function open(t, more) {
  const mf = new Miniflare({ ...options, script, durableObjectsPersist: server.url(), ...more });
  t.after(() => mf.dispose());
  return mf;
}

/** Pending alarms as the index has them. */
const pending = (binding = "OBJECT") =>
  server.call("ZRANGE", `${binding}:alarms`, 0, -1, "WITHSCORES");

/** Waits until the index is empty: what it holds too much is removed when a process notices. */
const settled = () =>
  until(async () => ((await pending()).length === 0 ? true : undefined), "the index to be empty");

/** Sets alarms of objects with these names in an instance that fires none, and disposes it. */
async function setAlarms(names, time) {
  const given = { ...options, script, durableObjectsPersist: server.url() };
  const mf = new Miniflare({ ...given, durableObjectsAlarms: false });
  for (const name of names) await (await storageOf(mf, name)).storage.setAlarm(time);
  await mf.dispose();
}

const fired = (storage) =>
  until(async () => (await storage.get("fired")) ?? undefined, "an alarm to fire");

test("an alarm survives a restart", async (t) => {
  await setAlarms(["a"], FAR);
  const { storage } = await storageOf(open(t));
  assert.equal(await storage.getAlarm(), FAR);
});

test("flushAlarms() finds and fires those that no object of this process has set", async (t) => {
  await setAlarms(["a", "b", "c"], FAR);
  const mf = open(t);
  const { DurableObjectsPlugin } = await mf.getPlugins();
  await DurableObjectsPlugin.flushAlarms(mf.getPluginStorage("DurableObjectsPlugin"));
  for (const name of ["a", "b", "c"]) {
    const { storage } = await storageOf(mf, name);
    assert.deepEqual([await storage.get("fired"), await storage.getAlarm()], [1, null]);
  }
  await settled();
});

test("an alarm that became due while nothing ran fires at the start, once", async (t) => {
  await setAlarms(["a"], Date.now() - 60_000);
  for (let start = 1; start <= 3; start++) {
    const mf = open(t);
    await mf.getPlugins();
    const { storage } = await storageOf(mf);
    assert.equal(await fired(storage), 1);
    assert.equal(await storage.getAlarm(), null);
    await mf.dispose();
  }
  await settled();
});

test("an alarm that another process has set and left fires here", async (t) => {
  const given = { ...options, script, durableObjectsPersist: server.url() };
  const { signal } = await runModule(`
  import { Miniflare } from "ferroflare";
  const mf = new Miniflare(${JSON.stringify(given)});
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
  await mf.setOptions({ durableObjectsAlarms: false });
  await storage.setAlarm(Date.now() + 10);
  process.kill(process.pid, "SIGKILL");`);
  assert.equal(signal, "SIGKILL");
  const mf = open(t);
  const { storage } = await storageOf(mf);
  await mf.getPlugins();
  assert.equal(await fired(storage), 1);
});

test("an alarm that another process sets while this one runs fires here", async (t) => {
  const mf = open(t);
  await mf.getPlugins();
  const { storage } = await storageOf(mf);
  await setAlarms(["a"], Date.now() + 200);
  assert.equal(await fired(storage), 1);
});

test("of two instances on one Redis, one fires a due alarm", async (t) => {
  const names = Array.from({ length: 10 }, (_, i) => `object ${i}`);
  await setAlarms(names, Date.now() - 1);
  const [one, other] = [open(t), open(t)];
  await Promise.all([one.getPlugins(), other.getPlugins()]);
  for (const name of names) {
    const { storage } = await storageOf(one, name);
    assert.equal(await fired(storage), 1);
  }
  await Promise.all([one.dispose(), other.dispose()]);
  const again = open(t);
  for (const name of names) {
    const { storage } = await storageOf(again, name);
    assert.equal(await storage.get("fired"), 1);
  }
});

test("a handler may set the next alarm, and each fires once", async (t) => {
  const chain = `
  export class Counter {
    constructor(state) {
      this.storage = state.storage;
    }
    async alarm() {
      const fired = ((await this.storage.get("fired")) ?? 0) + 1;
      await this.storage.put("fired", fired);
      if (fired < 5) await this.storage.setAlarm(Date.now() + 5);
    }
  }
  export default { fetch() {} }`;
  const [one, other] = [open(t, { script: chain }), open(t, { script: chain })];
  const { storage } = await storageOf(one);
  await other.getPlugins();
  await storage.setAlarm(Date.now() + 1);
  await until(async () => ((await storage.get("fired")) >= 5 ? true : undefined), "five alarms");
  await settled();
  assert.deepEqual([await storage.get("fired"), await storage.getAlarm()], [5, null]);
});

test("durableObjectsAlarms: false fires none, and keeps them", async (t) => {
  const due = Date.now() - 1000;
  await setAlarms(["a"], due);
  const mf = open(t, { durableObjectsAlarms: false });
  const { storage } = await storageOf(mf);
  assert.deepEqual([await storage.getAlarm(), await storage.get("fired")], [due, undefined]);
  await mf.setOptions({ durableObjectsAlarms: true });
  assert.equal(await fired(storage), 1);
});

test("an alarm is in the index once, for the time that was set last", async (t) => {
  const mf = open(t, { durableObjectsAlarms: false });
  const { storage } = await storageOf(mf);
  for (const time of [FAR, FAR + 1, FAR + 1, new Date(FAR + 2)]) await storage.setAlarm(time);
  const { DurableObjectsPlugin } = await mf.getPlugins();
  assert.ok(DurableObjectsPlugin);
  const times = (await pending()).filter((_, i) => i % 2 === 1).map(Number);
  assert.ok(times.includes(FAR + 2), times.join());
});

for (const [what, remove] of [
  ["deleteAlarm()", (storage) => storage.deleteAlarm()],
  ["deleteAll()", (storage) => storage.deleteAll()],
  ["deleteAlarm() in a transaction", (storage) => storage.transaction((txn) => txn.deleteAlarm())],
]) {
  test(`${what} removes it, and nothing fires`, async (t) => {
    const mf = open(t);
    await mf.getPlugins();
    const { storage } = await storageOf(mf);
    await storage.put("key", 1);
    await storage.setAlarm(Date.now() + 60_000);
    assert.equal((await pending()).length, 2);
    await remove(storage);
    await storage.sync();
    assert.equal(await storage.getAlarm(), null);
    const { DurableObjectsPlugin } = await mf.getPlugins();
    await DurableObjectsPlugin.flushAlarms(mf.getPluginStorage("DurableObjectsPlugin"));
    assert.equal(await storage.get("fired"), undefined);
    await settled();
  });
}

test("a transaction that is rolled back sets none", async (t) => {
  const mf = open(t);
  const { storage } = await storageOf(mf);
  await storage.transaction(async (txn) => {
    await txn.setAlarm(FAR);
    txn.rollback();
  });
  assert.equal(await storage.getAlarm(), null);
  await storage.transaction((txn) => txn.setAlarm(FAR));
  assert.equal(await storage.getAlarm(), FAR);
});

test("alarms of bindings whose names hold special characters are their own", async (t) => {
  const names = ["a", "a:alarms", "a b", "{a}", "*"];
  const durableObjects = Object.fromEntries(names.map((name) => [name, "Counter"]));
  const mf = open(t, { durableObjects });
  for (const [i, name] of names.entries()) {
    await (await storageOf(mf, "same", name)).storage.setAlarm(FAR + i);
  }
  const one = open(t, { durableObjects: { "a:alarms": "Counter" } });
  const { DurableObjectsPlugin } = await one.getPlugins();
  await DurableObjectsPlugin.flushAlarms(one.getPluginStorage("DurableObjectsPlugin"));
  for (const [i, name] of names.entries()) {
    const { storage } = await storageOf(mf, "same", name);
    assert.equal(await storage.getAlarm(), name === "a:alarms" ? null : FAR + i, name);
  }
});
