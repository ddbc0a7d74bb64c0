// The alarm as a piece of an object's storage; when alarms fire is tested in the folder alarms.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { far, keysOf, serveObjects } from "../support/objects.mjs";

const newObject = serveObjects();
const newStorage = async () => (await newObject()).storage;

describe("the alarm", () => {
  const tooEarly = {
    name: "TypeError",
    message: "setAlarm() cannot be called with an alarm time <= 0",
  };

  test("is set with a number or a Date, read in milliseconds and deleted", async () => {
    const storage = await newStorage();
    assert.equal(await storage.getAlarm(), null);
    await storage.setAlarm(far);
    assert.equal(await storage.getAlarm(), far);
    await storage.setAlarm(new Date(far + 1));
    assert.equal(await storage.getAlarm(), far + 1);
    await storage.deleteAlarm();
    assert.equal(await storage.getAlarm(), null);
  });

  test("is no key: list() does not show it, deleteAll() clears it", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far);
    assert.deepEqual(await keysOf(storage), []);
    await storage.deleteAll();
    assert.equal(await storage.getAlarm(), null);
  });

  test("a time of zero or below is refused and changes nothing", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far);
    for (const time of [0, -1, new Date(0), Number.NEGATIVE_INFINITY]) {
      await assert.rejects(storage.setAlarm(time), tooEarly);
    }
    assert.equal(await storage.getAlarm(), far);
    await storage.put("k", 1);
    assert.equal(await storage.get("k"), 1);
  });

  test("NaN and an invalid Date are refused as what they are", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far);
    const message =
      "setAlarm() cannot be called with an alarm time that is NaN, as that of an invalid Date is: pass milliseconds or a valid Date";
    for (const time of [Number.NaN, new Date(Number.NaN)]) {
      await assert.rejects(storage.setAlarm(time), { ...tooEarly, message });
    }
    assert.equal(await storage.getAlarm(), far);
  });

  test("times that no Date can hold are refused, and the error names the last one", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far);
    for (const [time, shown] of [
      [8.64e15 + 1, "8640000000000001"],
      [1e300, "1e300"],
      [Number.POSITIVE_INFINITY, "Infinity"],
    ]) {
      const message = `setAlarm() cannot be called with an alarm time after 8640000000000000, the last one that a Date can hold: it is ${shown}`;
      await assert.rejects(storage.setAlarm(time), { ...tooEarly, message });
    }
    await assert.rejects(storage.setAlarm(0.5), {
      ...tooEarly,
      message: `${tooEarly.message}: fractions of a millisecond are cut off, and nothing is left of 0.5`,
    });
    await storage.setAlarm(8.64e15);
    assert.equal(await storage.getAlarm(), 8.64e15);
  });

  test("fractions of a millisecond are cut off", async () => {
    const storage = await newStorage();
    await storage.setAlarm(far + 0.75);
    assert.equal(await storage.getAlarm(), far);
  });

  test("of a class without alarm() works from outside until the object starts", async () => {
    const { storage, stub } = await newObject("PLAIN");
    await storage.setAlarm(far);
    assert.equal(await storage.getAlarm(), far);
    await stub.fetch("https://object/");
    assert.equal(await storage.getAlarm(), null);
    await assert.rejects(storage.setAlarm(far), {
      name: "Error",
      message: "Your Durable Object class must have an alarm() handler in order to call setAlarm()",
    });
  });
});
