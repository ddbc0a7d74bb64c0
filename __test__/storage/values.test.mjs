// Which values are stored, how they come back, and how large they may be.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deserialize, serialize } from "node:v8";
import symbols from "../../dist/shared/symbols.js";
import { Miniflare } from "../../index.mjs";
import { keysOf, script, serveObjects } from "../support/objects.mjs";

const { kHandle } = symbols;
const newObject = serveObjects();
const newStorage = async () => (await newObject()).storage;

describe("values", () => {
  const roundTrip = async (value) => {
    const storage = await newStorage();
    await storage.put("k", value);
    return storage.get("k");
  };

  test("every kind that the structured clone algorithm takes comes back", async () => {
    const date = new Date(5);
    const values = [
      0,
      -0,
      "é",
      "😀",
      true,
      null,
      1n,
      Number.NaN,
      date,
      /a/gi,
      [1, [2]],
      { a: { b: 1 } },
    ];
    values.push(
      new Map([["k", new Set([1])]]),
      Uint8Array.of(1, 2),
      new Float64Array([1.5]),
      Object(1),
    );
    values.push(new Uint8Array([1, 2, 3]).buffer, new RangeError("r"), [undefined, null]);
    for (const value of values) assert.deepEqual(await roundTrip(value), value);
  });

  test("cycles and repeated references keep their shape", async () => {
    const shared = { n: 1 };
    const value = { a: shared, b: shared };
    value.self = value;
    const read = await roundTrip(value);
    assert.equal(read.self, read);
    assert.equal(read.a, read.b);
  });

  test("classes become plain objects, errors keep name, message, stack and cause, lastIndex becomes 0", async () => {
    class Point {
      x = 1;
    }
    const point = await roundTrip(new Point());
    assert.equal(Object.getPrototypeOf(point), Object.prototype);
    assert.deepEqual(point, { x: 1 });
    const error = new TypeError("wrong", { cause: "reason" });
    const read = await roundTrip(error);
    assert.deepEqual(
      [read.name, read.message, read.stack, read.cause],
      ["TypeError", "wrong", error.stack, "reason"],
    );
    assert.equal((await roundTrip(Object.assign(/a/g, { lastIndex: 3 }))).lastIndex, 0);
  });

  test("what cannot be cloned is a plain Error with v8's words", async () => {
    const storage = await newStorage();
    const wrong = [
      [() => 1, "() => 1"],
      [Symbol("s"), "Symbol(s)"],
      [Promise.resolve(), "#<Promise>"],
    ];
    for (const [value, text] of wrong) {
      for (const nested of [value, { deep: [value] }]) {
        const error = { name: "Error", message: `${text} could not be cloned.` };
        assert.throws(() => storage.put("k", nested), error);
      }
    }
    assert.deepEqual(await keysOf(storage), []);
  });

  test("put() serialises at the call", async () => {
    const storage = await newStorage();
    const value = { n: 1 };
    const written = storage.put("k", value);
    value.n = 2;
    await written;
    assert.deepEqual(await storage.get("k"), { n: 1 });
  });

  test("a value that V8 cannot read, as one that a newer V8 has written, is an ERR_DESERIALIZATION", async () => {
    const storage = await newStorage();
    const unknownTag = Buffer.from("ff0f07", "hex");
    assert.throws(() => deserialize(unknownTag));
    storage[kHandle].put("k", unknownTag, unknownTag.length, 0);
    const unreadable = {
      name: "DurableObjectError [ERR_DESERIALIZATION]",
      code: "ERR_DESERIALIZATION",
      message: /^Unable to deserialize stored Durable Object data/,
    };
    await assert.rejects(storage.get("k"), unreadable);
    await assert.rejects(storage.list(), unreadable);
    assert.equal(await storage.delete("k"), true);
  });

  test("a getter may use the storage while its value is serialised", async () => {
    const storage = await newStorage();
    await storage.put({ y: "y".repeat(500), z: 1 });
    const inner = [];
    const valueWith = (use) => ({
      before: "before",
      get inner() {
        inner.push(use());
        return 1;
      },
      after: "after",
    });
    const expected = { before: "before", inner: 1, after: "after" };
    const uses = [
      () => storage.get("y"),
      () => storage.get(["y", "z"]),
      () => storage.list(),
      () => storage.put("inner", "x".repeat(900)),
      () => storage.put({ inner: 1, other: "x".repeat(900) }),
      () => storage.delete(["inner", "missing"]),
      () => storage.transaction((txn) => txn.put("inner", 2)),
    ];
    for (const use of uses) {
      await storage.put("single", valueWith(use));
      await storage.put({ first: 1, second: valueWith(use), third: [3] });
      assert.deepEqual(await storage.get("single"), expected);
      assert.deepEqual(await storage.get("second"), expected);
      assert.deepEqual(await storage.get("third"), [3]);
    }
    assert.equal((await Promise.all(inner)).length, 2 * uses.length);
    assert.equal(await inner[0], "y".repeat(500));
  });

  test("what get() returns is the program's own", async () => {
    const storage = await newStorage();
    await storage.put({ a: Uint8Array.of(1, 2, 3), b: Uint8Array.of(4, 5, 6) });
    const first = await storage.get(["a", "b"]);
    first.get("a").fill(9);
    new Uint8Array(first.get("a").buffer).fill(9);
    assert.deepEqual([...first.get("b")], [4, 5, 6]);
    assert.deepEqual([...(await storage.get("a"))], [1, 2, 3]);
  });
});

describe("the value limit", () => {
  const storageWith = async (t, options) => {
    const instance = new Miniflare({
      modules: true,
      script,
      durableObjects: { ALARMED: "Alarmed" },
      ...options,
    });
    t.after(() => instance.dispose());
    const namespace = await instance.getDurableObjectNamespace("ALARMED");
    return instance.getDurableObjectStorage(namespace.newUniqueId());
  };
  const sized = (bytes) => "x".repeat(bytes - serialize("x".repeat(20_000)).length + 20_000);

  test("is 32 KiB and 32 bytes of V8's serialization", async () => {
    const storage = await newStorage();
    await storage.put("k", sized(32_768 + 32));
    const error = { name: "RangeError", message: "Values cannot be larger than 32768 bytes." };
    assert.throws(() => storage.put("k", sized(32_768 + 33)), error);
    assert.throws(() => storage.put({ k: sized(32_768 + 33) }), {
      name: "RangeError",
      message: 'Value for key "k" is above the limit of 32768 bytes.',
    });
    assert.equal(serialize(await storage.get("k")).length, 32_800);
  });

  test("durableObjectsMaxValueSize sets it, up to 2 MiB", async (t) => {
    const classic = await storageWith(t, { durableObjectsMaxValueSize: 131_072 });
    await classic.put("k", new Uint8Array(131_072));
    assert.throws(() => classic.put("k", new Uint8Array(131_104)), {
      message: "Values cannot be larger than 131072 bytes.",
    });
    const large = await storageWith(t, { durableObjectsMaxValueSize: 2_097_152 });
    await large.put("k", new Uint8Array(2_097_152));
    assert.equal((await large.get("k")).length, 2_097_152);
  });

  test("counts the bytes V8 writes: alignment and two-byte strings too", async (t) => {
    const storage = await storageWith(t, { durableObjectsMaxValueSize: 20_000 });
    for (const text of [
      "é".repeat(16_384),
      "ж".repeat(10_013),
      "ж".repeat(10_014),
      "é".repeat(20_026),
      "é".repeat(20_024),
    ]) {
      const fits = serialize(text).length <= 20_032;
      if (fits) await storage.put("k", text);
      else assert.throws(() => storage.put("k", text), /larger than 20000 bytes/, `${text.length}`);
    }
    assert.equal(serialize("é".repeat(16_384)).length, 16_384 + 6);
  });
});
