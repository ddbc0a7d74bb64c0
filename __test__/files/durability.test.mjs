// Durability of data in files: a write is seen at once, and what was acknowledged survives kill -9 as a whole.
// Whether a write also reaches the disk cannot be seen from here: a process that is killed loses nothing it gave to the system.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { runModule, temporaryDirectory } from "../support/cli.mjs";
import { options, storageOf } from "../support/files.mjs";

/** A worker whose object does `body` with its storage at each request. */
const scriptOf = (body) => `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch() {
    const use = async (storage) => { ${body} };
    return Response.json((await use(this.storage)) ?? null);
  }
  alarm() {}
}
export default { fetch() {} }`;

const settings = (root, durability, body = "") => ({
  ...options,
  script: scriptOf(body),
  durableObjectsPersist: root,
  durableObjectsDurability: durability,
});

/** Runs `use` in a process that is killed right after it, and opens the directory again. */
async function afterKill(t, use, durability, body) {
  const root = await temporaryDirectory(t);
  const { stdout, stderr, signal } = await runModule(`
  import { Miniflare } from "ferroflare";
  const mf = new Miniflare(${JSON.stringify(settings(root, durability, body))});
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  const id = namespace.idFromName("a");
  const storage = await mf.getDurableObjectStorage(id);
  const inside = async () => (await namespace.get(id).fetch("http://object/")).json();
  ${use}
  process.kill(process.pid, "SIGKILL");`);
  assert.deepEqual({ stderr, signal }, { stderr: "", signal: "SIGKILL" });
  const mf = new Miniflare(settings(root));
  t.after(() => mf.dispose());
  const { storage } = await storageOf(mf);
  return { stdout, storage, entries: [...(await storage.list())] };
}

async function open(t, body) {
  const mf = new Miniflare(settings(await temporaryDirectory(t), "fsync", body));
  t.after(() => mf.dispose());
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  const id = namespace.idFromName("a");
  const storage = await mf.getDurableObjectStorage(id);
  return {
    storage,
    inside: async () => (await namespace.get(id).fetch("http://object/")).json(),
  };
}

for (const durability of ["fsync", "process"]) {
  describe(`durability "${durability}": what survives kill -9`, () => {
    test("a put that was awaited outside", async (t) => {
      const use = 'await storage.put("key", 1);';
      assert.deepEqual((await afterKill(t, use, durability)).entries, [["key", 1]]);
    });

    test("the last of many puts that were awaited", async (t) => {
      const use = 'for (let i = 1; i <= 200; i++) await storage.put("key " + (i % 7), i);';
      const { entries } = await afterKill(t, use, durability);
      const expected = [196, 197, 198, 199, 200, 194, 195].map((n, i) => [`key ${i}`, n]);
      assert.deepEqual(entries, expected);
    });

    test("a batch, a delete and a transaction that were awaited", async (t) => {
      const use = `
      await storage.put({ a: 1, b: 2, c: 3 });
      await storage.delete(["b", "missing"]);
      await storage.transaction(async (txn) => {
        await txn.put({ a: 10, d: 4 });
        await txn.delete("c");
      });`;
      const { entries } = await afterKill(t, use, durability);
      assert.deepEqual(entries, [
        ["a", 10],
        ["d", 4],
      ]);
    });

    test("an alarm, and its removal", async (t) => {
      const set = await afterKill(t, "await storage.setAlarm(4e12);", durability);
      assert.equal(await set.storage.getAlarm(), 4e12);
      const use = "await storage.setAlarm(4e12); await storage.deleteAlarm();";
      assert.equal(await (await afterKill(t, use, durability)).storage.getAlarm(), null);
    });

    test("deleteAll()", async (t) => {
      const use = "await storage.put({ a: 1, b: 2 }); await storage.deleteAll();";
      assert.deepEqual((await afterKill(t, use, durability)).entries, []);
    });

    test("what sync() waited for", async (t) => {
      const use = `
      for (let i = 0; i < 5; i++) storage.put(String(i), i);
      await storage.sync();`;
      assert.equal((await afterKill(t, use, durability)).entries.length, 5);
    });

    test("what a read outside objects has found", async (t) => {
      const reads = ['get("a")', 'get(["a", "b"])', "list()", "getAlarm()"];
      for (const read of reads) {
        const use = `
        storage.put("a", 1);
        storage.setAlarm(4e12);
        await storage.${read};`;
        const { entries, storage } = await afterKill(t, use, durability);
        assert.deepEqual([entries, await storage.getAlarm()], [[["a", 1]], 4e12], read);
      }
    });

    test("whatever an object has written before its response came", async (t) => {
      const body = `
        await storage.put("first", 1);
        storage.put({ second: 2, third: 3 });
        storage.delete("first");
        await storage.transaction(async (txn) => txn.put("fourth", 4));
        storage.put("fifth", 5);
        return 6;`;
      const use = "process.stdout.write(String(await inside()));";
      const { entries, stdout } = await afterKill(t, use, durability, body);
      assert.equal(stdout, "6");
      assert.deepEqual(entries, [
        ["fifth", 5],
        ["fourth", 4],
        ["second", 2],
        ["third", 3],
      ]);
    });

    test("the writes of one turn, as a whole or not at all", async (t) => {
      const use = `
      for (let i = 1; i <= 300; i++) {
        storage.put("a", i);
        storage.put({ b: i, c: i });
        storage.delete("gone " + (i - 1));
        const last = storage.put("gone " + i, i);
        if (i % 3 === 0) await last;
        else await new Promise(setImmediate);
        if (i > 100 && Math.random() < 0.01) break;
      }`;
      const { entries } = await afterKill(t, use, durability);
      const [[, i]] = entries;
      assert.ok(i >= 99, `${i}`);
      assert.deepEqual(entries, [
        ["a", i],
        ["b", i],
        ["c", i],
        [`gone ${i}`, i],
      ]);
    });
  });
}

describe("what is seen when", () => {
  test("a write is seen at once, before it is durable, by everybody", async (t) => {
    const { storage } = await open(t);
    await storage.put("key", 0);
    const written = storage.put("key", 1);
    const seen = [await storage.get("key"), [...(await storage.list())]];
    assert.deepEqual(seen, [1, [["key", 1]]]);
    await written;
  });

  test("inside an object a put resolves before sync() does", async (t) => {
    const { inside } = await open(
      t,
      `
      await storage.put("warm", 1);
      const order = [];
      const put = storage.put("key", 1).then(() => order.push("put"));
      const sync = storage.sync().then(() => order.push("sync"));
      await Promise.all([put, sync]);
      return order;`,
    );
    const order = await inside();
    assert.deepEqual(order, ["put", "sync"]);
  });

  test("allowUnconfirmed writes as well, and sync() waits for it", async (t) => {
    const { inside } = await open(
      t,
      `
      storage.put("key", 1, { allowUnconfirmed: true });
      await storage.sync();
      return storage.get("key");`,
    );
    const found = await inside();
    assert.equal(found, 1);
  });

  test("loops of writes that never wait for the disk let timers run", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = new Miniflare(settings(root, "process"));
    t.after(() => mf.dispose());
    const { storage } = await storageOf(mf);
    const { storage: other } = await storageOf(mf, "other");
    for (const opened of [storage, other]) await opened.put("a", 0);
    let over = false;
    setTimeout(() => {
      over = true;
    }, 1);
    let operations = 0;
    const repeat = async (operation) => {
      while (!over) await operation(operations++);
    };
    const increment = async (txn) => txn.put("b", ((await txn.get("b")) ?? 0) + 1);
    await Promise.all([
      repeat((number) => storage.put("a", number)),
      repeat(() => storage.transaction(increment)),
      repeat((number) => other.setAlarm(4e12 + number)),
      repeat((number) => other.put("a", number)),
    ]);
    assert.ok((await storage.get("b")) < operations);
  });

  test("writes go on while a test fakes process.nextTick()", async (t) => {
    const { storage } = await open(t);
    t.mock.method(process, "nextTick", () => {});
    await storage.put("a", 1);
    await storage.transaction((txn) => txn.put("b", 2));
    await storage.sync();
    assert.equal((await storage.list()).size, 2);
  });

  test("sync() with nothing written resolves", async (t) => {
    const { storage } = await open(t);
    assert.equal(await storage.sync(), undefined);
  });
});

describe("operations that are begun while the database is being opened", () => {
  const steps = `
    const answers = [
      storage.get("a"),
      storage.put("a", 1),
      storage.get("a"),
      storage.delete("a"),
      storage.delete("a"),
      storage.put({ a: 2, b: 3 }),
      storage.list(),
      storage.getAlarm(),
      storage.setAlarm(4e12),
      storage.getAlarm(),
      storage.deleteAll(),
      storage.list(),
      storage.getAlarm(),
      storage.put("c", 4),
      storage.get(["a", "c"]),
      storage.delete(["c", "d"]),
      storage.put("e", 5),
    ];
    return (await Promise.all(answers)).map((answer) => (answer instanceof Map ? [...answer] : answer));`;
  const none = null;
  const expected = [
    none,
    none,
    1,
    true,
    false,
    none,
    [
      ["a", 2],
      ["b", 3],
    ],
    none,
    none,
    4e12,
    none,
    [],
    none,
    none,
    [["c", 4]],
    1,
    none,
  ];

  test("are answered in program order, outside", async (t) => {
    const { storage } = await open(t);
    const run = new (async () => {}).constructor("storage", steps);
    const answers = (await run(storage)).map((answer) => answer ?? null);
    assert.deepEqual(answers, expected);
    assert.deepEqual([...(await storage.list())], [["e", 5]]);
  });

  test("are answered in program order, inside", async (t) => {
    const { inside, storage } = await open(t, steps);
    assert.deepEqual(await inside(), expected);
    assert.deepEqual([...(await storage.list())], [["e", 5]]);
  });

  test("also when the object exists", async (t) => {
    const root = await temporaryDirectory(t);
    for (const expected of [undefined, 1, 2]) {
      const mf = new Miniflare(settings(root));
      const { storage } = await storageOf(mf);
      const [before, , after] = await Promise.all([
        storage.get("n"),
        storage.put("n", (expected ?? 0) + 1),
        storage.get("n"),
      ]);
      assert.deepEqual([before, after], [expected, (expected ?? 0) + 1]);
      await mf.dispose();
    }
  });

  test("a transaction commits on what was written before it", async (t) => {
    const { storage } = await open(t);
    const put = storage.put("n", 1);
    const result = storage.transaction(async (txn) => {
      const n = await txn.get("n");
      await txn.put("n", n + 1);
      return n;
    });
    assert.equal(await result, 1);
    assert.equal(await storage.get("n"), 2);
    await put;
  });

  test("many objects are opened at once, each in order", async (t) => {
    const mf = new Miniflare(settings(await temporaryDirectory(t)));
    t.after(() => mf.dispose());
    const use = async (_, i) => {
      const { storage } = await storageOf(mf, `object ${i}`);
      const answers = [storage.put("key", i), storage.get("key"), storage.delete("key")];
      return (await Promise.all(answers)).slice(1);
    };
    const answers = await Promise.all(Array.from({ length: 50 }, use));
    assert.deepEqual(
      answers,
      answers.map((_, i) => [i, true]),
    );
  });
});
