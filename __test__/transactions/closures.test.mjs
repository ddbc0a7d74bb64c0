// What a transaction's closure and its caller can rely on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { entriesOf, far, manyKeys, manyPairs, serveObjects } from "../support/objects.mjs";

const script = `
class Inside {
  constructor(state) {
    this.storage = state.storage;
  }
  alarm() {}
  async fetch(request) {
    return new Response(await this[new URL(request.url).pathname.slice(1)]());
  }
  async failing() {
    const failure = await this.storage
      .transaction(() => {
        throw new Error("mine");
      })
      .catch((error) => error.message);
    await this.storage.put("after", failure);
    return failure;
  }
  async alarming() {
    return this.storage.setAlarm(0).catch((error) => error.message);
  }
  async mutating() {
    const value = { n: 1 };
    await this.storage.transaction(async (txn) => {
      const written = txn.put("k", value);
      value.n = 2;
      await written;
    });
    return JSON.stringify(await this.storage.get("k"));
  }
}
export class Test extends Inside {}
export default { fetch() {} }`;

const newObject = serveObjects({ script, durableObjects: { TEST: "Test" } });
const newStorage = async () => (await newObject()).storage;

const rolledBack = (method) => ({
  name: "Error",
  message: `Cannot ${method}() on rolled back transaction`,
});
const committed = (method) => ({
  name: "Error",
  message: `Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`,
});
const variant = (method) => ({
  name: "TypeError",
  message: `Failed to execute '${method}' on 'DurableObjectTransaction': parameter 1 is not of type 'variant'. (key is undefined)`,
});

/** Every operation that can be refused, with arguments that are otherwise fine; those that throw at the call first. */
const throwing = {
  get: ["k"],
  put: ["k", 1],
  delete: ["k"],
  list: [],
  setAlarm: [far],
  deleteAlarm: [],
};

describe("when errors of a transaction come", () => {
  test("an undefined key and deleteAll() throw synchronously", async () => {
    const storage = await newStorage();
    await storage.transaction(async (txn) => {
      for (const method of ["get", "put", "delete"]) {
        assert.throws(() => txn[method](undefined, 1), variant(method));
      }
      assert.throws(() => txn.deleteAll(), {
        name: "Error",
        message: "Cannot call deleteAll() within a transaction",
      });
    });
  });

  test("after rollback() every operation throws, getAlarm() rejects, rollback() is harmless", async () => {
    const storage = await newStorage();
    await storage.transaction(async (txn) => {
      assert.equal(txn.rollback(), undefined);
      for (const [method, args] of Object.entries(throwing)) {
        assert.throws(() => txn[method](...args), rolledBack(method));
      }
      await assert.rejects(txn.getAlarm(), rolledBack("getAlarm"));
      assert.equal(txn.rollback(), undefined);
    });
  });

  test("after the commit every operation throws, getAlarm() rejects, rollback() throws", async () => {
    const storage = await newStorage();
    const txn = await storage.transaction(async (inner) => ({ inner }));
    for (const [method, args] of Object.entries({ ...throwing, rollback: [] })) {
      assert.throws(() => txn.inner[method](...args), committed(method));
    }
    await assert.rejects(txn.inner.getAlarm(), committed("getAlarm"));
  });

  test("after a failed closure its transaction is rolled back", async () => {
    const storage = await newStorage();
    let leaked;
    const failing = storage.transaction(async (txn) => {
      leaked = txn;
      throw new Error("mine");
    });
    await assert.rejects(failing, { message: "mine" });
    assert.throws(() => leaked.put("k", 1), rolledBack("put"));
  });

  test("other errors reject", async () => {
    const storage = await newStorage();
    const big = "k".repeat(2049);
    const closure = async (txn) => {
      await assert.rejects(txn.get(big), { message: "Keys cannot be larger than 2048 bytes." });
      await assert.rejects(txn.put("k"), { message: "put() called with undefined value." });
      await assert.rejects(txn.put("k", "x".repeat(40_000)), {
        message: "Values cannot be larger than 32768 bytes.",
      });
      await assert.rejects(
        txn.put("k", () => {}),
        { message: "() => {} could not be cloned." },
      );
      await assert.rejects(txn.delete(manyKeys(129)), {
        message: "Maximum number of keys is 128.",
      });
      await assert.rejects(txn.list({ limit: -1 }), { message: "List limit must be positive." });
      await assert.rejects(txn.setAlarm(0), {
        message: "setAlarm() cannot be called with an alarm time <= 0",
      });
      return "went on";
    };
    assert.equal(await storage.transaction(closure), "went on");
  });

  test("transaction(5) rejects", async () => {
    const storage = await newStorage();
    for (const wrong of [5, undefined, {}]) {
      await assert.rejects(storage.transaction(wrong), {
        name: "TypeError",
        message: "closure is not a function",
      });
    }
  });

  test("what a closure throws arrives as it is, whatever it is", async () => {
    const storage = await newStorage();
    for (const thrown of ["text", 5, null, undefined, { a: 1 }]) {
      const failing = storage.transaction(() => {
        throw thrown;
      });
      assert.equal(
        await failing.then(
          () => "resolved",
          (reason) => reason,
        ),
        thrown,
      );
    }
  });
});

describe("the writes of a transaction", () => {
  test("a caught error of an operation is the closure's own business", async () => {
    const storage = await newStorage();
    const result = await storage.transaction(async (txn) => {
      await txn.put("before", 1);
      await txn.put({ good: 1, bad: () => {} }).catch(() => {});
      await txn.put("after", 2);
      return "committed";
    });
    assert.equal(result, "committed");
    assert.deepEqual(await entriesOf(storage), [
      ["after", 2],
      ["before", 1],
    ]);
  });

  test("at most 128 keys are modified, counted once each", async () => {
    const storage = await newStorage();
    const tooMany = {
      name: "Error",
      message: "Maximum number of keys modified in a transaction is 128.",
    };
    await storage.transaction(async (txn) => {
      await txn.put(manyPairs(100));
      await txn.put(manyPairs(100));
      await txn.delete(manyKeys(28, 100));
      await assert.rejects(txn.put("one more", 1), tooMany);
      await assert.rejects(txn.delete("one more"), tooMany);
      await txn.put("key 0", 2);
    });
    assert.equal((await storage.list()).size, 100);
    assert.equal(await storage.get("key 0"), 2);
    const failing = storage.transaction((txn) =>
      txn.put(manyPairs(128)).then(() => txn.put("x", 1)),
    );
    await assert.rejects(failing, tooMany);
    assert.equal(await storage.get("x"), undefined);
  });

  test("the alarm does not count towards the 128 keys", async () => {
    const storage = await newStorage();
    await storage.transaction(async (txn) => {
      await txn.put(manyPairs(128));
      await txn.setAlarm(far);
    });
    assert.equal((await storage.list()).size, 128);
    assert.equal(await storage.getAlarm(), far);
  });

  test("a delete() of duplicates counts each key once", async () => {
    const storage = await newStorage();
    await storage.put({ d: 1, e: 1 });
    await storage.transaction(async (txn) => {
      assert.equal(await txn.delete(["d", "d", "missing"]), 1);
      assert.equal(await txn.delete("d"), false);
      assert.equal(await txn.delete("e"), true);
    });
    assert.deepEqual(await entriesOf(storage), []);
  });

  test("those that no caller waits for belong to the transaction", async () => {
    const storage = await newStorage();
    await storage.transaction(async (txn) => {
      txn.put("a", 1);
      txn.put("b", 1);
      txn.delete("a");
    });
    assert.deepEqual(await entriesOf(storage), [["b", 1]]);
  });

  test("put() serialises at the call, inside an object too", async () => {
    const { storage, stub } = await newObject();
    await storage.transaction(async (txn) => {
      const value = { n: 1 };
      const [, written] = [txn.get("k"), txn.put("k", value)];
      value.n = 2;
      await written;
    });
    assert.deepEqual(await storage.get("k"), { n: 1 });
    assert.equal(await (await stub.fetch("https://object/mutating")).text(), '{"n":1}');
  });
});

describe("the reads of a transaction", () => {
  test("list() lays its own writes over the stored entries, with every option", async () => {
    const storage = await newStorage();
    await storage.put({ a: 1, b: 2, c: 3, d: 4 });
    await storage.transaction(async (txn) => {
      await txn.delete(["b", "c"]);
      await txn.put({ c: 30, bb: 25, z: 26 });
      const listed = async (options) => [...(await txn.list(options)).keys()].join();
      assert.equal(await listed(), "a,bb,c,d,z");
      assert.equal(await listed({ limit: 2 }), "a,bb");
      assert.equal(await listed({ reverse: true, limit: 3 }), "z,d,c");
      assert.equal(await listed({ start: "b", end: "d" }), "bb,c");
      assert.equal(await listed({ prefix: "b" }), "bb");
      assert.equal(await listed({ startAfter: "bb", limit: 1 }), "c");
      assert.equal(await listed({ startAfter: "c", reverse: true }), "z,d");
      assert.deepEqual(await txn.get(["b", "c"]), new Map([["c", 30]]));
    });
  });

  test("the alarm is read, set and deleted in it, and seen outside only after the commit", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far);
    await storage.transaction(async (txn) => {
      assert.equal(await txn.getAlarm(), far);
      await txn.deleteAlarm();
      assert.equal(await txn.getAlarm(), null);
      assert.equal(await storage.getAlarm(), far);
      await txn.setAlarm(new Date(far + 5));
      assert.equal(await txn.getAlarm(), far + 5);
    });
    assert.equal(await storage.getAlarm(), far + 5);
    const rolling = storage.transaction(async (txn) => {
      await txn.deleteAlarm();
      txn.rollback();
    });
    await rolling;
    assert.equal(await storage.getAlarm(), far + 5);
  });

  test("its own writes are not reads: they never make it retry", async () => {
    const storage = await newStorage();
    let attempts = 0;
    await storage.transaction(async (txn) => {
      attempts++;
      await txn.put("k", 1);
      await txn.get("k");
      await storage.put("k", 2);
    });
    assert.equal(attempts, 1);
    assert.equal(await storage.get("k"), 1);
  });
});

describe("inside an object", () => {
  test("a caught failure of a transaction leaves the response alone", async () => {
    const { storage, stub } = await newObject();
    const response = await stub.fetch("https://object/failing");
    assert.equal(await response.text(), "mine");
    assert.equal(await storage.get("after"), "mine");
  });

  test("a caught failure of setAlarm() leaves the response alone", async () => {
    const { stub } = await newObject();
    const response = await stub.fetch("https://object/alarming");
    assert.equal(await response.text(), "setAlarm() cannot be called with an alarm time <= 0");
  });
});
