// The storage contract: keys, batches, errors and order of operations, by promise.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as reference from "@miniflare/durable-objects";
import { OutputGate } from "@miniflare/shared";
import { DurableObjectStorage, DurableObjectTransaction } from "../../index.mjs";
import { far, keysOf, manyKeys, manyPairs, serveObjects } from "../support/objects.mjs";

const newObject = serveObjects({
  durableObjects: { ALARMED: "Alarmed", PLAIN: "Plain", WRITING: "Writing" },
});
const newStorage = async () => (await newObject()).storage;

const variant = (method) => ({
  name: "TypeError",
  message: `Failed to execute '${method}' on 'DurableObjectStorage': parameter 1 is not of type 'variant'. (key is undefined)`,
});
const tooManyKeys = { name: "RangeError", message: "Maximum number of keys is 128." };
const longKey = { name: "RangeError", message: "Keys cannot be larger than 2048 bytes." };
const longKeyNamed = (key) => ({
  name: "RangeError",
  message: `Key "${key}" is larger than the limit of 2048 bytes.`,
});
const putArguments = {
  name: "TypeError",
  message:
    "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with multiple key-value pairs and optional options as put(entries, options)",
};
const received = (method, what) => ({
  name: "TypeError",
  message: `${method}() takes a key, which is a string, or an array of keys, but it received ${what}.`,
});

describe("the face", () => {
  test("storage and transaction have exactly the methods of Miniflare 2", () => {
    const methods = ({ prototype }) => Object.getOwnPropertyNames(prototype).sort();
    assert.deepEqual(methods(DurableObjectStorage), methods(reference.DurableObjectStorage));
    assert.deepEqual(
      methods(DurableObjectTransaction),
      methods(reference.DurableObjectTransaction),
    );
  });

  test("allowConcurrency, allowUnconfirmed and noCache are accepted everywhere", async () => {
    const storage = await newStorage();
    const given = { allowConcurrency: true, allowUnconfirmed: true, noCache: true };
    const use = async (target) => {
      await target.put("a", 1, given);
      await target.put({ b: 2, c: 3 }, given);
      assert.equal(await target.get("a", given), 1);
      assert.equal((await target.get(["a", "b"], given)).size, 2);
      assert.equal((await target.list({ ...given, start: "b" })).size, 2);
      assert.equal(await target.delete("a", given), true);
      assert.equal(await target.delete(["b", "c"], given), 2);
      await target.setAlarm(far, given);
      assert.equal(await target.getAlarm(given), far);
      await target.deleteAlarm(given);
    };
    await use(storage);
    await storage.transaction(use);
    await storage.deleteAll(given);
    assert.deepEqual(await keysOf(storage), []);
  });
});

describe("when errors come", () => {
  test("put() and delete() throw synchronously what is wrong with their arguments", async () => {
    const storage = await newStorage();
    const big = "k".repeat(2049);
    assert.throws(() => storage.put(undefined, 1), variant("put"));
    assert.throws(() => storage.put("a"), {
      name: "TypeError",
      message: "put() called with undefined value.",
    });
    assert.throws(() => storage.put(big, 1), longKey);
    assert.throws(() => storage.put({ a: 1, [big]: 2 }), longKeyNamed(big));
    assert.throws(() => storage.put(manyPairs(129)), {
      name: "RangeError",
      message: "Maximum number of pairs is 128.",
    });
    assert.throws(() => storage.delete(undefined), variant("delete"));
    assert.throws(() => storage.delete(big), longKey);
    assert.throws(() => storage.delete(["a", big]), longKeyNamed(big));
    assert.throws(() => storage.delete(manyKeys(129)), tooManyKeys);
    assert.deepEqual(await keysOf(storage), []);
  });

  test("get(), list(), setAlarm() and transaction() reject", async () => {
    const storage = await newStorage();
    const big = "é".repeat(1025);
    await assert.rejects(storage.get(undefined), variant("get"));
    await assert.rejects(storage.get(big), longKey);
    await assert.rejects(storage.get(["a", big]), longKeyNamed(big));
    await assert.rejects(storage.get(manyKeys(129)), tooManyKeys);
    await assert.rejects(storage.list({ limit: 0 }), {
      name: "TypeError",
      message: "List limit must be positive.",
    });
    await assert.rejects(storage.list({ start: "a", startAfter: "b" }), {
      name: "TypeError",
      message: "list() cannot be called with both start and startAfter values.",
    });
    await assert.rejects(storage.setAlarm(0), { name: "TypeError" });
    await assert.rejects(storage.transaction(5), {
      name: "TypeError",
      message: "closure is not a function",
    });
  });

  test("the limit is checked before start with startAfter", async () => {
    const storage = await newStorage();
    await assert.rejects(storage.list({ limit: -1, start: "a", startAfter: "b" }), {
      message: "List limit must be positive.",
    });
  });

  test("every refusal has a code beside class and message", async () => {
    const storage = await newStorage();
    assert.throws(() => storage.put("k".repeat(2049), 1), { code: "ERR_KEY_TOO_LARGE" });
    assert.throws(() => storage.put("k", "x".repeat(40_000)), { code: "ERR_VALUE_TOO_LARGE" });
    await assert.rejects(storage.get(manyKeys(129)), { code: "ERR_TOO_MANY_KEYS" });
  });
});

describe("keys", () => {
  test("any string of up to 2048 bytes is a key", async () => {
    const storage = await newStorage();
    const odd = [
      "",
      "__proto__",
      "constructor",
      "\0",
      "a/b",
      "..",
      "a:b",
      "\u0080",
      "😀",
      "k".repeat(2048),
      "é".repeat(1024),
    ];
    for (const [index, key] of odd.entries()) await storage.put(key, index);
    for (const [index, key] of odd.entries()) assert.equal(await storage.get(key), index);
    assert.equal((await storage.list()).size, odd.length);
    assert.equal(await storage.delete(odd), odd.length);
    assert.deepEqual(await keysOf(storage), []);
  });

  test("keys are ordered by their UTF-8 bytes, not by UTF-16 units", async () => {
    const storage = await newStorage();
    await storage.put({ "😀": 1, "\uffff": 1, "\u0080": 1, z: 1, Z: 1, "": 1 });
    assert.deepEqual(await keysOf(storage), ["", "Z", "z", "\u0080", "\uffff", "😀"]);
    assert.deepEqual([...(await storage.get(["😀", "\uffff"])).keys()], ["\uffff", "😀"]);
    assert.deepEqual(await keysOf(storage, { start: "\uffff" }), ["\uffff", "😀"]);
  });

  test("a lone surrogate is stored as U+FFFD", async () => {
    const storage = await newStorage();
    await storage.put("\ud800", 1);
    assert.deepEqual(await keysOf(storage), ["\ufffd"]);
    assert.equal(await storage.get("\ufffd"), 1);
    assert.equal(await storage.get("\udfff"), 1);
    assert.equal(await storage.delete("\ud800"), true);
  });

  test("get() and delete() name the type they received instead of a key", async () => {
    const storage = await newStorage();
    await assert.rejects(storage.get(5), received("get", "a value of type number"));
    await assert.rejects(storage.get(["a", null]), received("get", "null"));
    await assert.rejects(storage.get([["a"]]), received("get", "an array"));
    assert.throws(() => storage.delete(null), received("delete", "null"));
    assert.throws(
      () => storage.delete([Symbol("s")]),
      received("delete", "a value of type symbol"),
    );
  });

  test("put() refuses what is neither a key nor an object of entries", async () => {
    const storage = await newStorage();
    for (const wrong of [5, null, true, Symbol("s"), 1n, () => {}, ["x"]]) {
      assert.throws(() => storage.put(wrong, 1), putArguments);
    }
    assert.deepEqual(await keysOf(storage), []);
  });

  test("the reference's alarm key is an ordinary key, and the alarm is none", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far);
    assert.equal(await storage.get("__MINIFLARE_ALARMS__"), undefined);
    assert.deepEqual(await keysOf(storage), []);
    await storage.put("__MINIFLARE_ALARMS__", "mine");
    assert.deepEqual(await keysOf(storage), ["__MINIFLARE_ALARMS__"]);
    assert.equal(await storage.delete("__MINIFLARE_ALARMS__"), true);
    assert.equal(await storage.getAlarm(), far);
  });
});

describe("batches", () => {
  test("get() of keys gives a Map in key order, duplicates once, missing and undefined keys not at all", async () => {
    const storage = await newStorage();
    await storage.put({ b: 2, a: 1 });
    const found = await storage.get(["b", undefined, "missing", "a", "b"]);
    assert.deepEqual(
      [...found],
      [
        ["a", 1],
        ["b", 2],
      ],
    );
    assert.deepEqual(await storage.get([]), new Map());
  });

  test("delete() of keys counts the existing ones, duplicates once", async () => {
    const storage = await newStorage();
    await storage.put({ a: 1, d: 1 });
    assert.equal(await storage.delete(["d", "d", undefined, "missing"]), 1);
    assert.equal(await storage.delete([]), 0);
    assert.deepEqual(await keysOf(storage), ["a"]);
  });

  test("put() of entries skips undefined values", async () => {
    const storage = await newStorage();
    await storage.put({ a: 1, b: undefined, c: null });
    await storage.put({});
    assert.deepEqual(
      [...(await storage.list())],
      [
        ["a", 1],
        ["c", null],
      ],
    );
  });

  test("duplicates and undefined keys count towards 128", async () => {
    const storage = await newStorage();
    const full = Array(128).fill("a");
    assert.equal((await storage.get(full)).size, 0);
    await assert.rejects(storage.get([...full, "a"]), tooManyKeys);
    await assert.rejects(storage.get([...full, undefined]), tooManyKeys);
    assert.throws(() => storage.delete([...full, undefined]), tooManyKeys);
    await storage.put(manyPairs(128));
    assert.throws(() => storage.put({ ...manyPairs(128), more: undefined }), {
      message: "Maximum number of pairs is 128.",
    });
  });

  test("an array of keys may use the storage while it is read", async () => {
    const storage = await newStorage();
    const keysThat = (use) =>
      Object.defineProperty(["a", "?", "c"], 1, {
        get: () => {
          use();
          return "b";
        },
      });
    const uses = [() => storage.get("big"), () => storage.list(), () => storage.put("other", 1)];
    for (const use of uses) {
      await storage.put({ a: 1, b: 2, c: 3, big: "x".repeat(3000) });
      assert.equal((await storage.get(keysThat(use))).size, 3);
      assert.equal(await storage.delete(keysThat(use)), 3);
      assert.equal((await storage.get(["a", "b", "c"])).size, 0);
    }
  });

  test("if one entry of a batch is bad nothing is stored, and the first bad one is reported", async () => {
    const storage = await newStorage();
    const big = "x".repeat(40_000);
    assert.throws(() => storage.put({ a: 1, b: big, ["k".repeat(2049)]: 1 }), {
      name: "RangeError",
      message: 'Value for key "b" is above the limit of 32768 bytes.',
    });
    assert.throws(() => storage.put({ a: 1, b: () => {}, c: big }), /could not be cloned/);
    assert.deepEqual(await keysOf(storage), []);
  });
});

describe("operations that no caller waits for", () => {
  test("take effect in program order", async () => {
    const storage = await newStorage();
    const answers = await Promise.all([
      storage.put("a", 1),
      storage.get("a"),
      storage.put("a", 2),
      storage.get("a"),
      storage.deleteAll(),
      storage.get("a"),
      storage.put("a", 3),
      storage.list(),
    ]);
    assert.deepEqual(answers, [
      undefined,
      1,
      undefined,
      2,
      undefined,
      undefined,
      undefined,
      new Map([["a", 3]]),
    ]);
  });

  test("delete() still reports whether the key existed", async () => {
    const storage = await newStorage();
    await storage.put("old", 1);
    const [, afterPut] = await Promise.all([storage.put("new", 1), storage.delete("new")]);
    assert.equal(afterPut, true);
    const [existing] = await Promise.all([storage.delete("old"), storage.put("old", 2)]);
    assert.equal(existing, true);
    const [missing] = await Promise.all([storage.delete("other"), storage.put("other", 2)]);
    assert.equal(missing, false);
    assert.deepEqual(await keysOf(storage), ["old", "other"]);
  });

  test("a transaction after an un-awaited deleteAll() and put() lists the put", async () => {
    const storage = await newStorage();
    await storage.put("old", 1);
    storage.deleteAll();
    storage.put("new", 2);
    const listed = await storage.transaction(async (txn) => [...(await txn.list()).keys()]);
    assert.deepEqual(listed, ["new"]);
  });

  test("sync() resolves with nothing once they are durable", async () => {
    const storage = await newStorage();
    storage.put("a", 1);
    storage.put("b", 2);
    assert.equal(await storage.sync(), undefined);
    assert.deepEqual(await keysOf(storage), ["a", "b"]);
    assert.equal(await (await newStorage()).sync(), undefined);
  });
});

test("a write on memory is done when it is called, and the output gate has nothing to wait for", async (t) => {
  const { stub, storage } = await newObject("WRITING");
  const waits = t.mock.method(OutputGate.prototype, "waitUntil").mock;
  assert.equal(await (await stub.fetch("http://localhost/")).text(), "written");
  assert.equal(waits.callCount(), 0);
  assert.equal(await storage.get("key"), 1);
});
