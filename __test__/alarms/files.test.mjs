// Alarms of objects in files: found at the start without opening an object, kept across processes, fired once.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { Miniflare } from "ferroflare";
import { runModule, temporaryDirectory, until } from "../support/cli.mjs";
import { openFiles, options, storageOf } from "../support/files.mjs";

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

function open(t, root, more) {
  const mf = new Miniflare({ ...options, script, durableObjectsPersist: root, ...more });
  t.after(() => mf.dispose());
  return mf;
}

/** The markers of alarms in a root: `<ms>.<NAME>.<id>`. */
function markers(root) {
  try {
    return readdirSync(path.join(root, ".ferroflare", "alarms")).sort();
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

/** Sets alarms of objects with these names in an instance that fires none, and disposes it. */
async function setAlarms(root, names, time) {
  const given = { ...options, script, durableObjectsPersist: root, durableObjectsAlarms: false };
  const mf = new Miniflare(given);
  for (const name of names) await (await storageOf(mf, name)).storage.setAlarm(time);
  await mf.dispose();
}

const fired = (storage) =>
  until(async () => (await storage.get("fired")) ?? undefined, "an alarm to fire");

test("an alarm survives a restart", async (t) => {
  const root = await temporaryDirectory(t);
  await setAlarms(root, ["a"], FAR);
  const { storage } = await storageOf(open(t, root));
  assert.equal(await storage.getAlarm(), FAR);
});

test("pending alarms are found at the start without opening an object", async (t) => {
  const root = await temporaryDirectory(t);
  const names = Array.from({ length: 30 }, (_, i) => `object ${i}`);
  await setAlarms(root, names, FAR);
  assert.equal(markers(root).length, 30);
  const mf = open(t, root);
  await mf.getPlugins();
  assert.deepEqual(openFiles(root), []);
  const { storage } = await storageOf(mf, "object 7");
  assert.equal(await storage.getAlarm(), FAR);
});

test("flushAlarms() finds and fires those that no object of this process has set", async (t) => {
  const root = await temporaryDirectory(t);
  await setAlarms(root, ["a", "b", "c"], FAR);
  const mf = open(t, root);
  const { DurableObjectsPlugin } = await mf.getPlugins();
  await DurableObjectsPlugin.flushAlarms(mf.getPluginStorage("DurableObjectsPlugin"));
  for (const name of ["a", "b", "c"]) {
    const { storage } = await storageOf(mf, name);
    assert.deepEqual([await storage.get("fired"), await storage.getAlarm()], [1, null]);
  }
  await mf.dispose();
  assert.deepEqual(markers(root), []);
});

test("an alarm that became due while nothing ran fires at the start, once", async (t) => {
  const root = await temporaryDirectory(t);
  await setAlarms(root, ["a"], Date.now() - 60_000);
  for (let start = 1; start <= 3; start++) {
    const mf = open(t, root);
    await mf.getPlugins();
    const { storage } = await storageOf(mf);
    assert.equal(await fired(storage), 1);
    assert.equal(await storage.getAlarm(), null);
    await mf.dispose();
  }
  assert.deepEqual(markers(root), []);
});

test("an alarm that another process has set and left fires here", async (t) => {
  const root = await temporaryDirectory(t);
  const given = { ...options, script, durableObjectsPersist: root };
  const { signal } = await runModule(`
  import { Miniflare } from "ferroflare";
  const mf = new Miniflare(${JSON.stringify(given)});
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
  await mf.setOptions({ durableObjectsAlarms: false });
  await storage.setAlarm(Date.now() + 10);
  process.kill(process.pid, "SIGKILL");`);
  assert.equal(signal, "SIGKILL");
  const mf = open(t, root);
  const { storage } = await storageOf(mf);
  await mf.getPlugins();
  assert.equal(await fired(storage), 1);
});

test("of two instances on one directory, one fires a due alarm", async (t) => {
  const root = await temporaryDirectory(t);
  const names = Array.from({ length: 10 }, (_, i) => `object ${i}`);
  await setAlarms(root, names, Date.now() - 1);
  const [one, other] = [open(t, root), open(t, root)];
  await Promise.all([one.getPlugins(), other.getPlugins()]);
  for (const name of names) {
    const { storage } = await storageOf(one, name);
    assert.equal(await fired(storage), 1);
  }
  await Promise.all([one.dispose(), other.dispose()]);
  const again = open(t, root);
  for (const name of names) {
    const { storage } = await storageOf(again, name);
    assert.equal(await storage.get("fired"), 1);
  }
});

test("durableObjectsAlarms: false fires none, and keeps them", async (t) => {
  const root = await temporaryDirectory(t);
  const due = Date.now() - 1000;
  await setAlarms(root, ["a"], due);
  const mf = open(t, root, { durableObjectsAlarms: false });
  const { storage } = await storageOf(mf);
  assert.deepEqual([await storage.getAlarm(), await storage.get("fired")], [due, undefined]);
  await mf.setOptions({ durableObjectsAlarms: true });
  assert.equal(await fired(storage), 1);
});

test("an object has one marker, for the time that was set last", async (t) => {
  const root = await temporaryDirectory(t);
  const { id, storage } = await storageOf(open(t, root));
  for (const time of [FAR, FAR + 1, FAR + 1, new Date(FAR + 2)]) await storage.setAlarm(time);
  assert.deepEqual(markers(root), [`${FAR + 2}.OBJECT.${id}`]);
});

for (const [what, remove] of [
  ["deleteAlarm()", (storage) => storage.deleteAlarm()],
  ["deleteAll()", (storage) => storage.deleteAll()],
  ["deleteAlarm() in a transaction", (storage) => storage.transaction((txn) => txn.deleteAlarm())],
]) {
  test(`${what} removes the marker`, async (t) => {
    const root = await temporaryDirectory(t);
    const { storage } = await storageOf(open(t, root));
    await storage.put("key", 1);
    await storage.setAlarm(FAR);
    assert.equal(markers(root).length, 1);
    await remove(storage);
    await storage.sync();
    assert.deepEqual(markers(root), []);
    assert.equal(await storage.getAlarm(), null);
  });
}

test("a transaction that is rolled back leaves no marker", async (t) => {
  const root = await temporaryDirectory(t);
  const { storage } = await storageOf(open(t, root));
  await storage.transaction(async (txn) => {
    await txn.setAlarm(FAR);
    txn.rollback();
  });
  assert.deepEqual(markers(root), []);
  await storage.transaction((txn) => txn.setAlarm(FAR));
  assert.equal(markers(root).length, 1);
});

test("files that are no markers are left alone", async (t) => {
  const root = await temporaryDirectory(t);
  await setAlarms(root, ["a"], FAR);
  const { writeFileSync } = await import("node:fs");
  const strange = ["notes.txt", "12", "x.OBJECT.y", "5.OTHER.%zz"];
  for (const name of strange) writeFileSync(path.join(root, ".ferroflare", "alarms", name), "");
  const mf = open(t, root);
  const { storage } = await storageOf(mf);
  assert.equal(await storage.getAlarm(), FAR);
  assert.deepEqual(markers(root).length, 1 + strange.length);
});
