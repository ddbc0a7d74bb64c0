// What list() gives: ranges, order, limits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { keysOf, manyPairs, serveObjects } from "../support/objects.mjs";

const newObject = serveObjects();
const newStorage = async () => (await newObject()).storage;

describe("list()", () => {
  const listed = async (options) => {
    const storage = await newStorage();
    await storage.put({ a: 1, b: 2, "b/1": 3, "b/2": 4, c: 5 });
    return (await keysOf(storage, options)).join();
  };

  test("start, startAfter, end and prefix bound the range, and combine", async () => {
    assert.equal(await listed(), "a,b,b/1,b/2,c");
    assert.equal(await listed({ start: "b" }), "b,b/1,b/2,c");
    assert.equal(await listed({ startAfter: "b" }), "b/1,b/2,c");
    assert.equal(await listed({ end: "b/2" }), "a,b,b/1");
    assert.equal(await listed({ prefix: "b" }), "b,b/1,b/2");
    assert.equal(await listed({ prefix: "b", start: "b/", end: "c" }), "b/1,b/2");
    assert.equal(await listed({ prefix: "b", startAfter: "b/1" }), "b/2");
    assert.equal(await listed({ start: "c", end: "a" }), "");
    assert.equal(await listed({ start: "", prefix: "" }), "a,b,b/1,b/2,c");
    assert.equal(await listed({ end: "" }), "");
  });

  test("reverse turns the order around and limit counts from there", async () => {
    assert.equal(await listed({ reverse: true }), "c,b/2,b/1,b,a");
    assert.equal(await listed({ reverse: true, limit: 2 }), "c,b/2");
    assert.equal(await listed({ reverse: true, end: "b/2", limit: 1 }), "b/1");
    assert.equal(await listed({ prefix: "b", limit: 2 }), "b,b/1");
    assert.equal(await listed({ startAfter: "a", limit: 2 }), "b,b/1");
  });

  test("startAfter is exclusive in reverse too", async () => {
    assert.equal(await listed({ startAfter: "b", reverse: true }), "c,b/2,b/1");
    assert.equal(await listed({ startAfter: "b/2", reverse: true, limit: 9 }), "c");
  });

  test('odd limits: 1.5 gives one key, "2" two, true one, NaN none, Infinity all', async () => {
    assert.equal(await listed({ limit: 1.5 }), "a");
    assert.equal(await listed({ limit: "2" }), "a,b");
    assert.equal(await listed({ limit: true }), "a");
    assert.equal(await listed({ limit: Number.NaN }), "");
    assert.equal(await listed({ limit: Number.POSITIVE_INFINITY }), "a,b,b/1,b/2,c");
    assert.equal(await listed({ limit: undefined }), "a,b,b/1,b/2,c");
  });

  test("limits of zero and below are refused", async () => {
    for (const limit of [0, -1, null, false, "", Number.NEGATIVE_INFINITY]) {
      await assert.rejects(listed({ limit }), { message: "List limit must be positive." });
    }
  });

  test("list(null) is list()", async () => {
    assert.equal(await listed(null), "a,b,b/1,b/2,c");
  });

  test("list() is not bound to 128 keys", async () => {
    const storage = await newStorage();
    await storage.put(manyPairs(128));
    await storage.put("one more", 1);
    assert.equal((await storage.list()).size, 129);
  });
});
