// Values that are made to break what stores them: each is stored as V8 would store it, or refused with one error.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { deserialize, serialize } from "node:v8";
import vm from "node:vm";
import symbols from "../../dist/shared/symbols.js";
import { Miniflare } from "../../index.mjs";
import { onEachBackend } from "../support/backends.mjs";
import { assertOutcome, nested, outcome, revoked } from "../support/hostile.mjs";

const { kHandle } = symbols;
const script = "export class Any { alarm() {} }; export default { fetch() {} }";

const tooDeep = {
  name: "RangeError",
  code: "ERR_VALUE_TOO_DEEP",
  message:
    "Values cannot be nested more than 1000 levels deep, because a deeper one could not be read again. Store it as JSON text, or its parts under keys of their own.",
};
const cannotClone = (what) => ({ name: "Error", message: `${what} could not be cloned.` });

/** One level of nesting, for each kind of container. */
const levels = {
  object: (inner) => ({ a: inner }),
  "object with a number for a name": (inner) => ({ 0: inner }),
  "object with a name beyond Latin-1": (inner) => ({ Ā: inner }),
  array: (inner) => [inner],
  "array with holes": (inner) => Object.assign([], { 100: inner, length: 200 }),
  "key of a map": (inner) => new Map([[inner, 1]]),
  "value of a map": (inner) => new Map([[1, inner]]),
  set: (inner) => new Set([inner]),
  "cause of an error": (inner) => Object.assign(new Error("x", { cause: inner }), { stack: "" }),
};

/** How deep a value is that has one container in each. */
function depthOf(value) {
  let depth = 0;
  for (let at = value; typeof at === "object"; depth++) {
    const inside = at instanceof Map ? [...at].flat() : at instanceof Set ? [...at] : [];
    const parts = [...inside, ...Object.values(at), at.cause];
    at = parts.find((part) => typeof part === "object") ?? 0;
  }
  return depth;
}

/** Stands between levels, to be gone over. */
const between = () => [
  1n << 70n,
  /x/g,
  new Date(0),
  Object("s"),
  Object(1n),
  Object(2),
  Object(true),
  Uint8Array.of(0x6f, 0x6f),
  new ArrayBuffer(3),
  "o".repeat(50),
  "Ā",
];

/** A row: what it is, what makes it, and what comes back or the error. */
const rows = [
  ["a revoked proxy", () => revoked(), cannotClone("null")],
  ["a revoked proxy of an array, inside", () => [revoked([])], cannotClone("null")],
  ["a proxy", () => new Proxy({ a: 1 }, {}), cannotClone("#<Object>")],
  ["a proxy inside", () => ({ a: new Proxy([1], {}) }), cannotClone("[object Array]")],
  [
    "a getter that throws",
    () => ({
      get a() {
        throw new RangeError("mine");
      },
    }),
    { name: "RangeError", message: "mine" },
  ],
  [
    "a getter that throws null",
    () => ({
      get a() {
        throw null;
      },
    }),
    { thrown: null },
  ],
  [
    "a getter that never ends",
    () => ({
      get a() {
        return this.a;
      },
    }),
    tooDeep,
  ],
  [
    "an array that gets shorter",
    () => {
      const array = [1, {}, 3, 4];
      Object.defineProperty(array[1], "x", { enumerable: true, get: () => (array.length = 0) });
      return array;
    },
    { value: Object.assign([1, { x: 0 }], { length: 4 }) },
  ],
  [
    "an array that gets longer",
    () => {
      const array = [1, {}, 3];
      const get = () => array.push(...Array(1000).fill(7));
      Object.defineProperty(array[1], "x", { enumerable: true, get });
      return array;
    },
    { value: [1, { x: 1003 }, 3] },
  ],
  [
    "an element whose getter cuts the array",
    () => {
      const array = [1, 2, 3];
      const get = () => {
        array.length = 2;
        return 9;
      };
      return Object.defineProperty(array, 1, { get, configurable: true, enumerable: true });
    },
    { value: Object.assign([1, 9], { length: 3 }) },
  ],
  [
    "a map that a getter empties",
    () => {
      const map = new Map([
        ["a", { x: 0 }],
        ["b", 2],
      ]);
      Object.defineProperty(map.get("a"), "x", { enumerable: true, get: () => map.clear() });
      return map;
    },
    {
      value: new Map([
        ["a", { x: undefined }],
        ["b", 2],
      ]),
    },
  ],
  [
    "an object of which a getter takes a property",
    () => {
      const object = { a: {}, b: 2 };
      const get = () => delete object.b;
      Object.defineProperty(object.a, "x", { enumerable: true, get });
      return object;
    },
    { value: { a: { x: true } } },
  ],
  [
    "a detached buffer",
    () => {
      const buffer = new ArrayBuffer(8);
      structuredClone(buffer, { transfer: [buffer] });
      return buffer;
    },
    { name: "Error", message: "An ArrayBuffer is detached and could not be cloned." },
  ],
  [
    "a view of a buffer that a getter detaches",
    () => {
      const view = Uint8Array.of(1, 2);
      return {
        get a() {
          structuredClone(view.buffer, { transfer: [view.buffer] });
          return 1;
        },
        view,
      };
    },
    { name: "TypeError", message: /detached ArrayBuffer/ },
  ],
  [
    "memory that threads share",
    () => new SharedArrayBuffer(8),
    cannotClone("#<SharedArrayBuffer>"),
  ],
  [
    "a view of memory that threads share",
    () => new Uint8Array(new SharedArrayBuffer(2)),
    { value: new Uint8Array(2) },
  ],
  ["a reference that is weak", () => new WeakRef({}), cannotClone("#<WeakRef>")],
  [
    "values of another realm",
    () =>
      vm.runInNewContext("({ a: [1, new Map([[1, 2]]), new Date(5)], t: new TypeError('x') }).a"),
    { value: [1, new Map([[1, 2]]), new Date(5)] },
  ],
  [
    "what looks like another class",
    () => ({ constructor: 5, toString: 1, __proto__: null }),
    {
      value: { constructor: 5, toString: 1 },
    },
  ],
];

/** What only a newer Node.js has: buffers that can change their size. */
const resizable = [
  [
    "a buffer that can be resized",
    () => new ArrayBuffer(8, { maxByteLength: 16 }),
    (read) => assert.equal(read.byteLength, 8),
  ],
  [
    "a view that lies outside of its buffer by now",
    () => {
      const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
      const view = new Uint8Array(buffer, 4, 4);
      buffer.resize(2);
      return view;
    },
    (read) => assert.equal(read.length, 0),
  ],
  [
    "a view whose buffer a getter makes smaller",
    () => {
      const buffer = new ArrayBuffer(1024, { maxByteLength: 1024 });
      const view = new Uint8Array(buffer);
      return {
        get a() {
          buffer.resize(0);
          return 1;
        },
        view,
      };
    },
    (read) => assert.deepEqual([read.a, read.view.length], [1, 0]),
  ],
];

onEachBackend("hostile values", (place) => {
  let namespace;
  let mf;
  const storageOf = async () => {
    if (mf === undefined) {
      const durableObjectsPersist = await place({ after: (done) => cleanUp.push(done) });
      mf = new Miniflare({
        durableObjectsMaxValueSize: 131_072,
        modules: true,
        script,
        durableObjects: { ANY: "Any" },
        durableObjectsPersist,
      });
      namespace = await mf.getDurableObjectNamespace("ANY");
    }
    return mf.getDurableObjectStorage(namespace.newUniqueId());
  };
  const cleanUp = [];
  after(async () => {
    await mf?.dispose();
    for (const done of cleanUp.reverse()) await done();
  });

  for (const [what, make, expected] of rows) {
    test(`${what}: ${expected.message ?? "is stored"}`, async () => {
      const storage = await storageOf();
      await storage.put("kept", 1);
      const stored = async (put) => {
        await put(make());
        return storage.get("k");
      };
      assertOutcome(
        await outcome(() => stored((value) => storage.put("k", value))),
        expected,
        "put",
      );
      if ("value" in expected) return;
      const inTransaction = (value) => storage.transaction((txn) => txn.put("k", value));
      assertOutcome(await outcome(() => stored(inTransaction)), expected, "txn.put");
      assert.deepEqual([...(await storage.list())], [["kept", 1]]);
    });
  }

  for (const [what, make, check] of typeof ArrayBuffer.prototype.resize === "function"
    ? resizable
    : []) {
    test(`${what}: is stored as it is when it is read`, async () => {
      const storage = await storageOf();
      await storage.put("k", make());
      check(await storage.get("k"));
    });
  }

  test("a value of 1,000 levels is stored and read, one of 1,001 is refused", async () => {
    const storage = await storageOf();
    for (const [what, wrap] of Object.entries(levels)) {
      await storage.put("k", nested(1000, wrap));
      assert.equal(depthOf(await storage.get("k")), 1000, what);
      for (const depth of [1001, 3000, 20_000]) {
        const value = nested(depth, wrap);
        assertOutcome(await outcome(() => storage.put("k", value)), tooDeep, `${what} ${depth}`);
        assertOutcome(
          await outcome(() => storage.put({ a: 1, k: value })),
          {
            ...tooDeep,
            message: tooDeep.message.replace("Values cannot be", 'Value for key "k" is'),
          },
          `${what} ${depth}`,
        );
      }
    }
    assert.deepEqual([...(await storage.list()).keys()], ["k"]);
  });

  test("levels are counted whatever lies between them, and wide values are not deep", async () => {
    const storage = await storageOf();
    const wrap = (inner) => ({
      before: between().slice(0, 3),
      inner,
      after: between().slice(3, 6),
    });
    await storage.put("k", nested(90, wrap));
    assert.deepEqual(await storage.get("k"), nested(90, wrap));
    // 999, one in the deepest, and what lies beside it.
    const mixed = nested(1000, (inner) => (inner === 0 ? between() : { inner }));
    await storage.put("k", mixed);
    assertOutcome(await outcome(() => storage.put("k", [mixed])), tooDeep, "mixed");
    const wide = Array.from({ length: 2000 }, (_, at) => [at, { at }]);
    await storage.put("k", wide);
    assert.deepEqual(await storage.get("k"), wide);
  });

  test("what an older version has stored too deep is an error that says so, and other keys are read", async () => {
    const storage = await storageOf();
    const wrap = levels.array;
    let depth = 1000;
    const isRead = (levelsOf) => {
      try {
        deserialize(bytesOf(levelsOf));
        return true;
      } catch {
        return false;
      }
    };
    const bytesOf = (count) => {
      const start = serialize(0).subarray(0, 2);
      const open = Buffer.alloc(count * 2, Buffer.from([0x41, 1]));
      const close = Buffer.alloc(count * 3, Buffer.from([0x24, 0, 1]));
      return Buffer.concat([start, open, Buffer.from([0x49, 0]), close]);
    };
    assert.deepEqual(bytesOf(900), serialize(nested(900, wrap)));
    while (isRead(depth)) depth += 1000;
    const bytes = bytesOf(depth);
    storage[kHandle].put("deep", bytes, bytes.length, 0);
    await storage.put("kept", 1);
    assertOutcome(
      await outcome(() => storage.get("deep")),
      {
        name: "DurableObjectError [ERR_DESERIALIZATION]",
        code: "ERR_DESERIALIZATION",
        message: /nested too deep .* Read it with a larger stack .* or delete its key\.$/,
      },
      "get",
    );
    assert.equal(await storage.get("kept"), 1);
    assert.equal(await storage.delete("deep"), true);
  });

  test("a getter that uses the storage, and a transaction, while it is serialized finds it as it was", async () => {
    const storage = await storageOf();
    await storage.put("k", "before");
    const found = [];
    const value = {
      get a() {
        found.push(storage.get("k"), storage.put("other", { nested: [1] }), storage.list());
        found.push(
          storage.transaction((txn) => txn.put("third", 3)),
          storage.delete("none"),
        );
        return "read";
      },
    };
    await storage.put("k", value);
    const [before, , listed] = await Promise.all(found);
    assert.equal(before, "before");
    assert.equal(listed.has("k"), true);
    assert.deepEqual(
      await storage.get(["k", "other", "third"]),
      new Map([
        ["k", { a: "read" }],
        ["other", { nested: [1] }],
        ["third", 3],
      ]),
    );
  });
});
