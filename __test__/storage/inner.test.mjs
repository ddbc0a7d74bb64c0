// A DurableObjectStorage that a program constructs over a storage of Miniflare 2: what that holds already is there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serialize } from "node:v8";
import { DurableObjectStorage as Reference } from "@miniflare/durable-objects";
import { FileStorage } from "@miniflare/storage-file";
import { MemoryStorage } from "@miniflare/storage-memory";
import { DurableObjectStorage } from "ferroflare";
import { far } from "../support/objects.mjs";

const ALARM_KEY = "__MINIFLARE_ALARMS__";

async function memory(entries) {
  const inner = new MemoryStorage();
  for (const [key, value] of Object.entries(entries)) {
    await inner.put(key, { value: serialize(value) });
  }
  return inner;
}

const contents = async (storage) => ({
  entries: [...(await storage.list())],
  alarm: await storage.getAlarm(),
});

test("over memory: entries and the alarm are taken over, as Miniflare 2 has left them", async () => {
  const inner = new MemoryStorage();
  const old = new Reference(inner);
  const entries = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key ${i}`, { i }]));
  for (const [key, value] of Object.entries(entries)) await old.put(key, value);
  await old.setAlarm(far);
  const storage = new DurableObjectStorage(inner);
  const expected = await contents(old);
  assert.equal(expected.entries.length, 300);
  assert.deepEqual(await contents(storage), expected);
  await storage.transaction(async (txn) => {
    assert.deepEqual(await txn.get("key 7"), { i: 7 });
    await txn.put("key 7", "new");
  });
  assert.equal(await storage.get("key 7"), "new");
});

test("over memory: values of up to 2 MiB are taken over, those that expired are not", async () => {
  const inner = await memory({ large: "v".repeat(100_000), kept: 1 });
  await inner.put("expired", { value: serialize(1), expiration: 1 });
  await inner.put("later", { value: serialize(2), expiration: far / 1000 });
  const storage = new DurableObjectStorage(inner);
  assert.deepEqual([...(await storage.list()).keys()], ["kept", "large", "later"]);
  assert.equal((await storage.get("large")).length, 100_000);
  await assert.rejects(async () => storage.put("large", "v".repeat(100_000)), RangeError);
});

test("over memory: what is taken over belongs to the storage, and all storages over one inner storage share it", async () => {
  const inner = await memory({ key: 1 });
  const [one, two] = [new DurableObjectStorage(inner), new DurableObjectStorage(inner)];
  await one.put("key", 2);
  assert.equal(await two.get("key"), 2);
  assert.deepEqual([...inner.map.keys()], ["key"]);
});

test("over memory: an alarm without a time is none", async () => {
  const inner = new MemoryStorage();
  await inner.put(ALARM_KEY, { value: new Uint8Array() });
  assert.deepEqual(await contents(new DurableObjectStorage(inner)), { entries: [], alarm: null });
});

test("over memory: an entry over the limits is refused with its key, and nothing is half taken over", async () => {
  const inner = await memory({ good: 1, "too large": "v".repeat(2_200_000) });
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.throws(() => new DurableObjectStorage(inner), {
      name: "RangeError",
      message: 'Value for key "too large" is above the limit of 2097152 bytes.',
    });
  }
});

test("over another storage: it is refused, because its entries cannot be read at once", () => {
  const inner = new FileStorage("never-created");
  assert.throws(() => new DurableObjectStorage(inner), {
    code: "ERR_STORAGE_FACTORY",
    message: /^A DurableObjectStorage cannot be constructed over an instance of FileStorage: /,
  });
});
