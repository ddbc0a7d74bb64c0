// S10, S13 and S4's reloads for data in files: who sees it while it is in use, and how its use ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Miniflare } from "ferroflare";
import { runModule, temporaryDirectory } from "../support/cli.mjs";
import { count, objectsIn, openFiles, options, storageOf } from "../support/files.mjs";

const HOUR_MS = 60 * 60 * 1000;
const onLinux = process.platform === "linux";

function miniflare(t, root, more) {
  const mf = new Miniflare({ ...options, durableObjectsPersist: root, ...more });
  t.after(() => mf.dispose());
  return mf;
}

async function entries(root, name = "a") {
  const mf = new Miniflare({ ...options, durableObjectsPersist: root });
  try {
    return [...(await (await storageOf(mf, name)).storage.list())];
  } finally {
    await mf.dispose();
  }
}

describe("S10: the end of the use of files", () => {
  test("S10: dispose() makes durable what was not awaited, and closes every file", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = new Miniflare({ ...options, durableObjectsPersist: root });
    const { storage } = await storageOf(mf);
    await storage.put("awaited", 1);
    if (onLinux) assert.notDeepEqual(openFiles(root), []);
    const written = [storage.put("not awaited", 2), storage.delete("awaited")];
    await mf.dispose();
    assert.deepEqual(openFiles(root), []);
    await Promise.all(written);
    assert.deepEqual(await entries(root), [["not awaited", 2]]);
  });

  test("S10: dispose() makes durable what was written while the object was being opened", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = new Miniflare({ ...options, durableObjectsPersist: root });
    const names = Array.from({ length: 20 }, (_, i) => `object ${i}`);
    const storages = [];
    for (const name of names) storages.push((await storageOf(mf, name)).storage);
    const written = storages.map((storage) => storage.put("key", "value"));
    await mf.dispose();
    assert.deepEqual(openFiles(root), []);
    await Promise.all(written);
    for (const name of names) assert.deepEqual(await entries(root, name), [["key", "value"]]);
  });

  test("S10: after dispose() a storage says that it is closed, and writes nothing", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = new Miniflare({ ...options, durableObjectsPersist: root });
    const { storage } = await storageOf(mf);
    await storage.put("key", 1);
    await mf.dispose();
    const closed = { code: "ERR_STORAGE_CLOSED" };
    assert.throws(() => storage.put("key", 2), closed);
    await assert.rejects(storage.get("key"), closed);
    await assert.rejects(
      storage.transaction(async (txn) => txn.put("key", 3)),
      closed,
    );
    assert.deepEqual(openFiles(root), []);
    assert.deepEqual(await entries(root), [["key", 1]]);
  });

  test("S10: the same directory can be used again at once, many times", async (t) => {
    const root = await temporaryDirectory(t);
    for (let round = 1; round <= 10; round++) {
      const mf = new Miniflare({ ...options, durableObjectsPersist: root });
      assert.equal(await count(mf), round);
      await mf.dispose();
    }
    assert.deepEqual(openFiles(root), []);
  });

  const program = (root, use, end) => `
  import { Miniflare } from "ferroflare";
  process.on("beforeExit", () => console.log("ended by itself"));
  const mf = new Miniflare(${JSON.stringify({ ...options, durableObjectsPersist: root })});
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
  ${use}
  ${end}`;

  for (const [what, use] of [
    ["a put", 'await storage.put("key", 1);'],
    ["a put that was not awaited", 'storage.put("key", 1);'],
    ["a response", 'await namespace.get(namespace.idFromName("b")).fetch("http://object/");'],
    ["an alarm in an hour", `await storage.setAlarm(Date.now() + ${HOUR_MS});`],
    ["a read", 'await storage.get("key");'],
  ]) {
    for (const [how, end] of [
      ["after dispose()", "await mf.dispose();"],
      ["without dispose()", ""],
    ]) {
      test(`S10: the process ends by itself after ${what}, ${how}`, async (t) => {
        const root = await temporaryDirectory(t);
        const { code, hung, stderr, stdout } = await runModule(program(root, use, end));
        assert.deepEqual({ code, hung, stderr }, { code: 0, hung: false, stderr: "" });
        assert.equal(stdout, "ended by itself\n");
        const expected = use.includes("storage.put") ? [["key", 1]] : [];
        assert.deepEqual(await entries(root), expected);
      });
    }
  }
});

describe("S13: files from outside the objects", () => {
  test("S13: getDurableObjectStorage() sees and writes what the object does", async (t) => {
    const mf = miniflare(t, await temporaryDirectory(t));
    assert.equal(await count(mf), 1);
    const { storage } = await storageOf(mf);
    assert.equal(await storage.get("count"), 1);
    await storage.put("count", 10);
    assert.equal(await count(mf), 11);
    assert.deepEqual([...(await storage.list())], [["count", 11]]);
  });

  test("S13: getDurableObjectStorage() does not start the object", async (t) => {
    const root = await temporaryDirectory(t);
    const script = `
    export class Counter {
      constructor() {
        throw new Error("started");
      }
    }
    export default { fetch() {} }`;
    const { storage } = await storageOf(miniflare(t, root, { script }));
    await storage.put("key", 1);
    assert.equal(await storage.get("key"), 1);
  });
});

describe("several users of a directory in one process", () => {
  test("two instances see each other's writes at once", async (t) => {
    const root = await temporaryDirectory(t);
    const [one, other] = [miniflare(t, root), miniflare(t, `${root}/../${root.split("/").pop()}`)];
    assert.equal(await count(one), 1);
    assert.equal(await count(other), 2);
    const [left, right] = [(await storageOf(one)).storage, (await storageOf(other)).storage];
    await left.put("key", "left");
    assert.equal(await right.get("key"), "left");
    await one.dispose();
    assert.equal(await right.get("key"), "left");
    assert.equal(await count(other), 3);
  });

  test("transactions of two instances are serializable", async (t) => {
    const root = await temporaryDirectory(t);
    const storages = [];
    for (const mf of [miniflare(t, root), miniflare(t, root)]) {
      storages.push((await storageOf(mf)).storage);
    }
    const increment = (storage) =>
      storage.transaction(async (txn) => {
        await txn.put("n", ((await txn.get("n")) ?? 0) + 1);
      });
    await Promise.all(Array.from({ length: 40 }, (_, i) => increment(storages[i % 2])));
    assert.equal(await storages[0].get("n"), 40);
  });

  test("worker threads share a directory with the main thread", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = miniflare(t, root);
    const { storage } = await storageOf(mf);
    await storage.put("n", 0);
    const source = `
    const { Miniflare } = require("ferroflare");
    const { parentPort, workerData } = require("node:worker_threads");
    (async () => {
      const mf = new Miniflare(workerData);
      const namespace = await mf.getDurableObjectNamespace("OBJECT");
      const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
      for (let i = 0; i < 25; i++) {
        await storage.transaction(async (txn) => txn.put("n", (await txn.get("n")) + 1));
      }
      await mf.dispose();
      parentPort.postMessage("done");
    })();`;
    const workerData = { ...options, durableObjectsPersist: root };
    const settings = { eval: true, workerData };
    const threads = Array.from({ length: 3 }, () => new Worker(source, settings));
    const ends = threads.map(async (thread) => {
      // A thread that has ended hands over its last message and its end in one go.
      const ended = once(thread, "exit");
      const [message] = await once(thread, "message");
      const [code] = await ended;
      return [message, code];
    });
    for (const end of await Promise.all(ends)) assert.deepEqual(end, ["done", 0]);
    assert.equal(await storage.get("n"), 75);
    assert.equal(objectsIn(root).length, 1);
  });
});

describe("S4: reloads with data in files", () => {
  for (const [what, reload] of [
    ["reload()", (mf) => mf.reload()],
    ["setOptions() with another script", (mf) => mf.setOptions({ script: `${options.script}\n` })],
    [
      "setOptions() with other Durable Object options",
      (mf) => mf.setOptions({ durableObjects: { OBJECT: "Counter", OTHER: "Counter" } }),
    ],
    [
      "setOptions() with another durability",
      (mf) => mf.setOptions({ durableObjectsDurability: "process" }),
    ],
  ]) {
    test(`S4: a storage from before ${what} goes on working`, async (t) => {
      const root = await temporaryDirectory(t);
      const mf = miniflare(t, root);
      assert.equal(await count(mf), 1);
      const { storage } = await storageOf(mf);
      const namespace = await mf.getDurableObjectNamespace("OBJECT");
      const stub = namespace.get(namespace.idFromName("a"));
      await reload(mf);
      assert.equal(await storage.get("count"), 1);
      await storage.put("count", 5);
      assert.equal(await count(mf), 6);
      await reload(mf);
      const response = await stub.fetch("http://object/");
      assert.equal(await response.text(), "7");
      assert.equal(await storage.get("count"), 7);
      await mf.dispose();
      assert.deepEqual(openFiles(root), []);
    });
  }
});
