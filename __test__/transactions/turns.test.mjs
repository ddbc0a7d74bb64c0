// Transactions beside each other: one that runs alone, one that never ends, one that fights itself.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runModule } from "../support/cli.mjs";
import { serveObjects } from "../support/objects.mjs";

const newObject = serveObjects();
const newStorage = async () => (await newObject()).storage;
const pause = () => new Promise((resolve) => setImmediate(resolve));

/** Makes a transaction lose until it runs alone, by changing a key that it reads. */
async function aloneAt(storage, closure) {
  let attempts = 0;
  return storage.transaction(async (txn) => {
    await txn.get("contended");
    if (++attempts <= 3) await storage.put("contended", attempts);
    return closure(txn, attempts);
  });
}

describe("transactions and others", () => {
  test("an error that no caller waits for is an unhandled rejection", async () => {
    const { stdout } = await runModule(`
      import { Miniflare } from "ferroflare";
      process.on("unhandledRejection", ({ message }) => console.log("unhandled:", message));
      const script = "export class Test {}; export default { fetch() {} }";
      const mf = new Miniflare({ modules: true, script, durableObjects: { TEST: "Test" } });
      const namespace = await mf.getDurableObjectNamespace("TEST");
      const storage = await mf.getDurableObjectStorage(namespace.newUniqueId());
      await storage.transaction(async (txn) => {
        txn.put("good", 1);
        txn.put("bad", Symbol("s"));
      });
      console.log("stored:", [...(await storage.list()).keys()].join());
      await mf.dispose();`);
    assert.deepEqual(stdout.trim().split("\n").sort(), [
      "stored: good",
      "unhandled: Symbol(s) could not be cloned.",
    ]);
  });

  test("one that never ends stops no other", async () => {
    const storage = await newStorage();
    let stuck;
    storage.transaction(async (txn) => {
      await txn.get("k");
      await txn.put("k", "stuck");
      await new Promise((resolve) => {
        stuck = resolve;
      });
      txn.rollback();
    });
    await pause();
    await storage.put("k", 1);
    await storage.transaction(async (txn) => txn.put("k", (await txn.get("k")) + 1));
    assert.equal(await storage.get("k"), 2);
    stuck();
  });

  test("one that runs alone may use the storage inside its closure", async () => {
    const storage = await newStorage();
    await storage.put("other", 1);
    const result = await aloneAt(storage, async (txn, attempt) => {
      await storage.put("beside", attempt);
      await storage.transaction((inner) => inner.put("nested", attempt));
      await txn.put("mine", attempt);
      return [attempt, await storage.get("beside"), await storage.get("nested")];
    });
    assert.deepEqual(result, [4, 4, 4]);
    assert.equal(await storage.get("mine"), 4);
  });

  test("one that runs alone holds up the writes of others, which then happen in order", async () => {
    const storage = await newStorage();
    const others = waitingWriters(storage);
    await aloneAt(storage, async (txn, attempt) => {
      if (attempt < 4) return;
      others.begin();
      await pause();
      assert.equal(await txn.get("k"), undefined);
      await txn.put("k", "alone");
    });
    await others.end;
    assert.equal(await storage.get("k"), "second");
  });

  test("one that writes around itself is told so, and leaves the storage usable", async () => {
    const storage = await newStorage();
    await storage.put("k", 0);
    const conflicting = storage.transaction(async (txn) => {
      await storage.put("k", (await txn.get("k")) + 1);
      await txn.put("done", true);
    });
    await assert.rejects(conflicting, {
      name: "Error",
      code: "ERR_SELF_CONFLICT",
      message:
        'Transaction can never commit: its closure changes key "k" outside the transaction (for example through `storage` instead of `txn`) after reading it through the transaction. Use `txn` for both.',
    });
    assert.equal(await storage.get("done"), undefined);
    await storage.transaction(async (txn) => txn.put("k", (await txn.get("k")) + 1));
    assert.equal(await storage.get("k"), 5);
  });
});

/** Two writes out of another chain of promises than any closure, begun on demand. */
function waitingWriters(storage) {
  let begin;
  const begun = new Promise((resolve) => {
    begin = resolve;
  });
  const end = begun.then(() =>
    Promise.all([storage.put("k", "first"), storage.put("k", "second")]),
  );
  return { begin, end };
}
