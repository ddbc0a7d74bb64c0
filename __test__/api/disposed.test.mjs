// After dispose() a storage that was handed out refuses, wherever its data is; others that use the same place go on.
import assert from "node:assert/strict";
import path from "node:path";
import { describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { temporaryDirectory } from "../support/cli.mjs";
import { options, storageOf } from "../support/files.mjs";
import { coreMiniflare, idle, memoryFactory } from "../support/plugin.mjs";
import { RedisServer } from "../support/redis.mjs";

const CLOSED = {
  name: "Error",
  code: "ERR_STORAGE_CLOSED",
  message: "The storage of this object is closed: its Miniflare instance has been disposed.",
};

async function placeOf(kind, t) {
  if (kind === "memory") return undefined;
  if (kind === "files") return path.join(await temporaryDirectory(t), "data");
  const server = await RedisServer.start();
  t.after(() => server.stop());
  return server.url();
}

/** Every operation of a storage, each of which must refuse. */
async function assertRefuses(storage) {
  const operations = {
    get: () => storage.get("key"),
    getMany: () => storage.get(["key"]),
    list: () => storage.list(),
    put: () => storage.put("key", 2),
    putMany: () => storage.put({ key: 2 }),
    delete: () => storage.delete("key"),
    deleteAll: () => storage.deleteAll(),
    getAlarm: () => storage.getAlarm(),
    setAlarm: () => storage.setAlarm(Date.now() + 1e6),
    deleteAlarm: () => storage.deleteAlarm(),
    transaction: () => storage.transaction((txn) => txn.get("key")),
  };
  for (const [name, operation] of Object.entries(operations)) {
    await assert.rejects(async () => operation(), CLOSED, name);
  }
}

for (const kind of ["memory", "files", "Redis"]) {
  describe(kind, () => {
    test("a storage from before dispose() refuses everything after it", async (t) => {
      const mf = new Miniflare({ ...options, durableObjectsPersist: await placeOf(kind, t) });
      const { storage } = await storageOf(mf);
      await storage.put("key", 1);
      await mf.dispose();
      await assertRefuses(storage);
    });

    test("no storage can be had after dispose()", async (t) => {
      const mf = new Miniflare({ ...options, durableObjectsPersist: await placeOf(kind, t) });
      const namespace = await mf.getDurableObjectNamespace("OBJECT");
      const id = namespace.idFromName("a");
      await mf.dispose();
      await assert.rejects(mf.getDurableObjectStorage(id), CLOSED);
      await assert.rejects(namespace.get(id).fetch("/"), { code: "ERR_DISPOSED" });
    });

    test("a storage from before a reload and before other options goes on", async (t) => {
      const mf = new Miniflare({ ...options, durableObjectsPersist: await placeOf(kind, t) });
      t.after(() => mf.dispose());
      const { storage } = await storageOf(mf);
      await storage.put("key", 1);
      await mf.reload();
      await mf.setOptions({ durableObjectsMaxValueSize: 65536 });
      assert.equal(await storage.get("key"), 1);
      await storage.put("key", 2);
      assert.equal(await (await storageOf(mf)).storage.get("key"), 2);
    });
  });
}

describe("a factory of the caller's own", () => {
  const durableObjects = { TEST: "TEST" };
  class TEST {}
  const worker = { exports: { TEST } };
  const storageIn = async (mf) => {
    const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
    const factory = mf.getPluginStorage("DurableObjectsPlugin");
    const id = plugin.getNamespace(factory, "TEST").idFromName("a");
    return plugin.getStorage(factory, id);
  };
  const start = (storageFactory, more) =>
    coreMiniflare(worker, { durableObjects, ...more }, { storageFactory });

  test("keeps what is in memory for the next instance, while storages of the last one refuse", async () => {
    const factory = memoryFactory();
    const first = start(factory);
    const before = await storageIn(first);
    await before.put("key", 1);
    await before.setAlarm(Date.now() + 1e6);
    await first.dispose();
    await idle();
    await assertRefuses(before);
    const second = start(factory);
    const after = await storageIn(second);
    assert.equal(await after.get("key"), 1);
    assert.notEqual(await after.getAlarm(), null);
    await after.put("key", 2);
    assert.equal(await after.get("key"), 2);
    await second.dispose();
  });

  test("is not closed by an instance while another one uses it", async (t) => {
    const factory = memoryFactory();
    const directory = path.join(await temporaryDirectory(t), "data");
    for (const more of [{}, { durableObjectsPersist: directory }]) {
      const first = start(factory, more);
      const second = start(factory, more);
      const [one, other] = [await storageIn(first), await storageIn(second)];
      await one.put("key", 1);
      await first.dispose();
      await idle();
      assert.equal(await other.get("key"), 1);
      await other.put("key", 2);
      assert.equal(await one.get("key"), 2);
      await second.dispose();
      await idle();
      await assertRefuses(other);
    }
  });

  test("whose savepoints can be taken back follows them in the next instance too", async () => {
    const factory = { ...memoryFactory(), push() {}, pop() {} };
    const first = start(factory);
    const before = await storageIn(first);
    await before.put("key", 1);
    factory.push();
    await before.put("key", 2);
    await first.dispose();
    await idle();
    await assertRefuses(before);
    const second = start(factory);
    const after = await storageIn(second);
    assert.equal(await after.get("key"), 2);
    factory.pop();
    assert.equal(await after.get("key"), 1);
    await second.dispose();
  });
});
