// Arguments of wrong types: keys, options, times and closures. Each row says what is passed, and the error or the value.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import vm from "node:vm";
import { Miniflare } from "../../index.mjs";
import { onEachBackend } from "../support/backends.mjs";
import { assertOutcome, outcome, revoked } from "../support/hostile.mjs";

const script = "export class Any { alarm() {} }; export default { fetch() {} }";
const far = 4_000_000_000_000;
const mine = () => {
  throw new Error("mine");
};

const keyError = (method, received) => ({
  name: "TypeError",
  message: `${method}() takes a key, which is a string, or an array of keys, but it received ${received}.`,
});
const putError = {
  name: "TypeError",
  message: /^put\(\) may only be called with a single key-value/,
};
const noKey = (method) => ({
  name: "TypeError",
  message: `Failed to execute '${method}' on 'DurableObjectStorage': parameter 1 is not of type 'variant'. (key is undefined)`,
});
const tooLarge = {
  name: "RangeError",
  code: "ERR_KEY_TOO_LARGE",
  message: "Keys cannot be larger than 2048 bytes.",
};
const isRevoked = { name: "TypeError", message: /proxy that has been revoked/ };

/** What is no key: what it is, the value, and how `get()` and `delete()` name it. */
const noKeys = [
  ["a number", 5, "a value of type number"],
  ["null", null, "null"],
  ["a symbol", Symbol("s"), "a value of type symbol"],
  ["a boolean", true, "a value of type boolean"],
  ["a BigInt", 1n, "a value of type bigint"],
  ["a function", () => {}, "a value of type function"],
  ["an array in an array", [["x"]], "an array"],
  ["a symbol in an array", [Symbol("s")], "a value of type symbol"],
  ["a number in an array", [1], "a value of type number"],
];

/** Texts that are keys, or too large: the key, and the one that `list()` shows. */
const texts = [
  ["no character", "", ""],
  ["NUL", "\0", "\0"],
  ["control characters", "\u001b[31m\r\n", "\u001b[31m\r\n"],
  ["a path", "../../x", "../../x"],
  ["braces and colons", "{a}:b:{c}", "{a}:b:{c}"],
  ["half a pair", "a\ud800", "a\ufffd"],
  ["the name of a prototype", "__proto__", "__proto__"],
  ["2,048 bytes", "k".repeat(2048), "k".repeat(2048)],
  ["2,049 bytes", "k".repeat(2049), tooLarge],
  ["683 halves of pairs", "\ud800".repeat(683), tooLarge],
  ["10 KB", "k".repeat(10_240), tooLarge],
];

const wrongTime = (reason) => ({
  name: "TypeError",
  code: "ERR_ALARM_TIME",
  message: `setAlarm() cannot be called with an alarm time ${reason}`,
});
const after2 = "after 8640000000000000, the last one that a Date can hold: it is";
const notANumber = "that is NaN, as that of an invalid Date is: pass milliseconds or a valid Date";
const noDate = { name: "TypeError", message: "scheduledTime.getTime is not a function" };
const noTime = (received) => ({
  name: "TypeError",
  message: `setAlarm() takes a number of milliseconds or a Date, but the getTime() of what it received returns ${received}.`,
});

/** Times of alarms, and what `getAlarm()` gives, or the error. */
const times = [
  ["the last time", 8.64e15, { value: 8.64e15 }],
  ["one millisecond more", 8.64e15 + 1, wrongTime(`${after2} 8640000000000001`)],
  ["Infinity", Number.POSITIVE_INFINITY, wrongTime(`${after2} Infinity`)],
  ["1e300", 1e300, wrongTime(`${after2} 1e300`)],
  ["-Infinity", Number.NEGATIVE_INFINITY, wrongTime("<= 0")],
  ["0", 0, wrongTime("<= 0")],
  ["the first Date", new Date(0), wrongTime("<= 0")],
  [
    "half a millisecond",
    0.5,
    wrongTime("<= 0: fractions of a millisecond are cut off, and nothing is left of 0.5"),
  ],
  ["a fraction", far + 0.75, { value: far }],
  ["NaN", Number.NaN, wrongTime(notANumber)],
  ["an invalid Date", new Date(Number.NaN), wrongTime(notANumber)],
  ["a Date of another realm", vm.runInNewContext(`new Date(${far})`), { value: far }],
  ["an invalid Date of another realm", vm.runInNewContext("new Date(NaN)"), wrongTime(notANumber)],
  ["a BigInt", 10n, noDate],
  ["a text", "4000000000000", noDate],
  ["an object with a time", { getTime: () => far }, { value: far }],
  ["an object with NaN", { getTime: () => Number.NaN }, wrongTime(notANumber)],
  ["an object with a text", { getTime: () => "5" }, noTime("string")],
  ["an object with a BigInt", { getTime: () => 5n }, noTime("bigint")],
  ["an object that throws", { getTime: () => mine() }, { name: "Error", message: "mine" }],
  ["null", null, { name: "TypeError", message: /^Cannot read properties of null/ }],
];

/** Options of `list()` for the keys a, b and c: the keys that come, or the error. */
const lists = [
  ["null", null, { value: "a,b,c" }],
  ["a number", 5, { value: "a,b,c" }],
  ["a limit of NaN", { limit: Number.NaN }, { value: "" }],
  ["a limit of Infinity", { limit: Number.POSITIVE_INFINITY }, { value: "a,b,c" }],
  ["a limit of 0", { limit: 0 }, { name: "TypeError", message: "List limit must be positive." }],
  ["a limit that is text", { limit: "2" }, { value: "a,b" }],
  ["a BigInt as limit", { limit: 2n }, { name: "TypeError", message: /BigInt value to a number/ }],
  [
    "a symbol as limit",
    { limit: Symbol("s") },
    { name: "TypeError", message: /Symbol value to a n/ },
  ],
  ["a huge limit", { limit: 1e300 }, { value: "a,b,c" }],
  [
    "a symbol as bound",
    { start: Symbol("s") },
    { name: "TypeError", message: /Symbol value to a s/ },
  ],
  ["a bound that throws", { end: { toString: mine } }, { name: "Error", message: /./ }],
  ["a prefix of 10 KB", { prefix: "x".repeat(10_240) }, { value: "" }],
  ["a prefix of half a pair", { prefix: "\ud800" }, { value: "" }],
  ["a revoked proxy", revoked(), isRevoked],
];

const twoGetters = {
  get allowConcurrency() {
    return false;
  },
  get allowUnconfirmed() {
    return mine();
  },
};
const oneGetter = {
  get allowConcurrency() {
    return mine();
  },
};
const isMine = { name: "Error", message: "mine" };

/** Operations with options that cannot be read. Nothing is done then. */
const operations = [
  ["get", (storage, options) => storage.get("a", options), "one"],
  ["list", (storage, options) => storage.list(options), "one"],
  ["getAlarm", (storage, options) => storage.getAlarm(options), "one"],
  ["put", (storage, options) => storage.put("a", 2, options), "two"],
  ["put of several", (storage, options) => storage.put({ a: 2, z: 3 }, options), "two"],
  ["delete", (storage, options) => storage.delete("a", options), "two"],
  ["deleteAll", (storage, options) => storage.deleteAll(options), "two"],
  ["setAlarm", (storage, options) => storage.setAlarm(far + 5, options), "two"],
  ["deleteAlarm", (storage, options) => storage.deleteAlarm(options), "two"],
];

/** What is like a promise. */
// biome-ignore lint/suspicious/noThenProperty: what is like a promise is tested
const thenable = (then) => Object.defineProperty({}, "then", then);

const closures = [
  ["a number", 5, { name: "TypeError", message: "closure is not a function" }],
  ["nothing", undefined, { name: "TypeError", message: "closure is not a function" }],
  [
    "a class",
    class Closure {},
    { name: "TypeError", message: /^Class constructor Closure cannot/ },
  ],
  ["a revoked proxy", revoked(() => {}), { name: "TypeError", message: /revoked/ }],
  ["one that throws", () => mine(), isMine],
  ["one that rejects with nothing", () => Promise.reject(undefined), { thrown: undefined }],
  [
    "one that returns what is like a promise",
    () => thenable({ value: (give) => give(5) }),
    { value: 5 },
  ],
  ["one whose result cannot be waited for", () => thenable({ get: mine }), isMine],
];

onEachBackend("hostile arguments", (place) => {
  const done = [];
  let mf;
  let namespace;
  after(async () => {
    await mf?.dispose();
    for (const clean of done.reverse()) await clean();
  });
  const newStorage = async () => {
    if (mf === undefined) {
      const durableObjectsPersist = await place({ after: (clean) => done.push(clean) });
      mf = new Miniflare({
        modules: true,
        script,
        durableObjects: { ANY: "Any" },
        durableObjectsPersist,
      });
      namespace = await mf.getDurableObjectNamespace("ANY");
    }
    return mf.getDurableObjectStorage(namespace.newUniqueId());
  };

  describe("keys", () => {
    for (const [what, key, received] of noKeys) {
      test(`${what} is no key`, async () => {
        const storage = await newStorage();
        assertOutcome(await outcome(() => storage.get(key)), keyError("get", received), what);
        assertOutcome(await outcome(() => storage.delete(key)), keyError("delete", received), what);
        assertOutcome(await outcome(() => storage.put(key, 1)), putError, what);
        assert.equal((await storage.list()).size, 0);
      });
    }

    test("nothing, and a proxy of which nothing can be read, are no keys", async () => {
      const storage = await newStorage();
      for (const method of ["get", "delete", "put"]) {
        assertOutcome(await outcome(() => storage[method](undefined, 1)), noKey(method), method);
        assertOutcome(await outcome(() => storage[method](revoked([]), 1)), isRevoked, method);
      }
      assert.equal((await storage.list()).size, 0);
    });

    for (const [what, key, shown] of texts) {
      test(`a key of ${what} is ${typeof shown === "string" ? "a key" : "refused"}`, async () => {
        const storage = await newStorage();
        if (typeof shown !== "string") {
          for (const method of ["get", "delete", "put"]) {
            assertOutcome(await outcome(() => storage[method](key, 1)), shown, method);
          }
          return;
        }
        await storage.put(key, 1);
        assert.deepEqual([...(await storage.list())], [[shown, 1]]);
        assert.deepEqual(
          [await storage.get(key), await storage.get([key])],
          [1, new Map([[key, 1]])],
        );
        assert.equal(await storage.delete(key), true);
      });
    }
  });

  for (const [what, time, expected] of times) {
    test(`a time of setAlarm(): ${what}`, async () => {
      const storage = await newStorage();
      await storage.setAlarm(far - 1);
      const set = async (operator) => {
        await operator.setAlarm(time);
        return storage.getAlarm();
      };
      assertOutcome(await outcome(() => set(storage)), expected, "storage");
      if ("value" in expected) return;
      assertOutcome(await outcome(() => storage.transaction(set)), expected, "txn");
      assert.equal(await storage.getAlarm(), far - 1);
    });
  }

  for (const [what, options, expected] of lists) {
    test(`list: ${what}`, async () => {
      const storage = await newStorage();
      await storage.put({ a: 1, b: 2, c: 3 });
      const keys = async () => [...(await storage.list(options)).keys()].join();
      assertOutcome(await outcome(keys), expected, what);
    });
  }

  for (const [what, operation, getters] of operations) {
    test(`${what}: options that cannot be read are the error, and nothing is done`, async () => {
      const storage = await newStorage();
      await storage.put("a", 1);
      await storage.setAlarm(far);
      assertOutcome(await outcome(() => operation(storage, oneGetter)), isMine, "a getter");
      assertOutcome(await outcome(() => operation(storage, revoked())), isRevoked, "a proxy");
      if (getters === "two") {
        assertOutcome(await outcome(() => operation(storage, twoGetters)), isMine, "the second");
      }
      assert.deepEqual([...(await storage.list())], [["a", 1]]);
      assert.equal(await storage.getAlarm(), far);
      for (const options of [5, "text", null, Symbol("s"), () => {}]) {
        assert.ok("value" in (await outcome(() => operation(storage, options))), String(options));
      }
    });
  }

  for (const [what, closure, expected] of closures) {
    test(`transaction: ${what}`, async () => {
      const storage = await newStorage();
      assertOutcome(await outcome(() => storage.transaction(closure)), expected, what);
      await storage.put("k", 1);
      assert.equal(await storage.get("k"), 1);
    });
  }
});
