// S15: what a user sees of transactions. Their isolation has tests of its own, named by anomaly.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Miniflare } from "ferroflare";

async function storageOf(t) {
  const mf = new Miniflare({
    modules: true,
    script: "export class Test {}; export default { fetch() {} }",
    durableObjects: { TEST: "Test" },
  });
  t.after(() => mf.dispose());
  const namespace = await mf.getDurableObjectNamespace("TEST");
  return mf.getDurableObjectStorage(namespace.newUniqueId());
}

async function entries(storage) {
  return [...(await storage.list())];
}

test("S15: transaction() resolves with what the closure returned", async (t) => {
  const storage = await storageOf(t);
  await storage.put("key", 1);
  assert.equal(await storage.transaction(async (txn) => (await txn.get("key")) + 1), 2);
});

test("S15: writes of a transaction are stored when it commits, all of them", async (t) => {
  const storage = await storageOf(t);
  await storage.put("old", 1);
  await storage.transaction(async (txn) => {
    await txn.put({ a: 1, b: 2 });
    await txn.delete("old");
    assert.deepEqual(await entries(storage), [["old", 1]]);
  });
  assert.deepEqual(await entries(storage), [
    ["a", 1],
    ["b", 2],
  ]);
});

test("S15: a transaction reads its own writes", async (t) => {
  const storage = await storageOf(t);
  await storage.put({ a: 1, b: 2, c: 3 });
  await storage.transaction(async (txn) => {
    await txn.put("b", 20);
    await txn.put("d", 4);
    assert.equal(await txn.delete("a"), true);
    assert.equal(await txn.get("a"), undefined);
    assert.equal(await txn.get("b"), 20);
    assert.deepEqual(
      [...(await txn.get(["a", "b", "c"]))],
      [
        ["b", 20],
        ["c", 3],
      ],
    );
    assert.deepEqual(await entries(txn), [
      ["b", 20],
      ["c", 3],
      ["d", 4],
    ]);
  });
});

test("S15: rollback() drops the writes, and the transaction still resolves", async (t) => {
  const storage = await storageOf(t);
  await storage.put("key", 1);
  const result = await storage.transaction(async (txn) => {
    await txn.put("key", 2);
    assert.equal(txn.rollback(), undefined);
    return "rolled back";
  });
  assert.equal(result, "rolled back");
  assert.deepEqual(await entries(storage), [["key", 1]]);
});

test("S15: a closure that throws drops the writes and rejects with its error", async (t) => {
  const storage = await storageOf(t);
  await storage.put("key", 1);
  const error = new Error("mine");
  await assert.rejects(
    storage.transaction(async (txn) => {
      await txn.put("key", 2);
      throw error;
    }),
    (thrown) => thrown === error,
  );
  assert.deepEqual(await entries(storage), [["key", 1]]);
});

test("S15: transactions that touch the same key are retried until none is lost", async (t) => {
  const storage = await storageOf(t);
  let attempts = 0;
  const increment = () =>
    storage.transaction(async (txn) => {
      attempts++;
      const count = (await txn.get("count")) ?? 0;
      await new Promise((resolve) => setImmediate(resolve));
      await txn.put("count", count + 1);
    });
  await Promise.all([increment(), increment(), increment()]);
  assert.equal(await storage.get("count"), 3);
  assert.ok(attempts > 3, "at least one attempt lost and was retried");
});

test("S15: transactions on disjoint keys are never retried", async (t) => {
  const storage = await storageOf(t);
  let attempts = 0;
  const increment = (key) =>
    storage.transaction(async (txn) => {
      attempts++;
      const count = (await txn.get(key)) ?? 0;
      await new Promise((resolve) => setImmediate(resolve));
      await txn.put(key, count + 1);
    });
  const keys = Array.from({ length: 10 }, (_, i) => `key${i}`);
  await Promise.all(keys.map(increment));
  assert.equal(attempts, 10);
  assert.deepEqual(
    await entries(storage),
    keys.map((key) => [key, 1]),
  );
});

test("S15: a plain write during a transaction makes it retry with the new value", async (t) => {
  const storage = await storageOf(t);
  await storage.put("key", 1);
  const seen = [];
  await storage.transaction(async (txn) => {
    const value = await txn.get("key");
    seen.push(value);
    if (seen.length === 1) await storage.put("key", 10);
    await txn.put("key", value + 1);
  });
  assert.deepEqual(seen, [1, 10]);
  assert.equal(await storage.get("key"), 11);
});
