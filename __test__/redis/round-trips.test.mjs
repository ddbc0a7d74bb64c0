// How many commands each operation costs: counted by the server itself (INFO commandstats), and on the way to it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { options, storageOf } from "../support/files.mjs";
import { CuttingProxy } from "../support/proxy.mjs";
import { callsDuring, RedisServer } from "../support/redis.mjs";

const script = `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch(request) {
    const { storage } = this;
    const what = new URL(request.url).pathname;
    if (what === "/put") await storage.put("inside", 1);
    if (what === "/puts") for (let i = 0; i < 64; i++) storage.put("inside " + i, i);
    if (what === "/gets") await Promise.all(Array.from({ length: 64 }, (_, i) => storage.get("key " + i)));
    return new Response("done");
  }
  alarm() {}
}
export default { fetch() {} }`;

const KEYS = Array.from({ length: 64 }, (_, i) => `key ${i}`);

let server;
let proxy;
let mf;
let storage;
let stub;
before(async () => {
  server = await RedisServer.start();
  proxy = await CuttingProxy.start(server.port, { records: true });
  mf = new Miniflare({
    ...options,
    script,
    durableObjectsPersist: proxy.url(),
    durableObjectsAlarms: false,
  });
  ({ storage } = await storageOf(mf));
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  stub = namespace.get(namespace.idFromName("a"));
  for (const key of KEYS) await storage.put(key, 1);
  // Every script is known to the server, and the object has been started.
  await storage.transaction(async (txn) => txn.put("key 0", await txn.get("key 0")));
  await storage.transaction(async (txn) => txn.list());
  await storage.list();
  await (await stub.fetch("http://x/")).text();
});
after(async () => {
  await mf.dispose();
  await proxy.close();
  await server.close();
});

/** Runs `use` and compares the commands that have been sent, and how often the server has run `counted`. */
async function assertCosts(sent, counted, use) {
  const from = proxy.commands.length;
  const calls = await callsDuring(server, use);
  // Once a second, the store reads the index of alarms. No operation here sends ZRANGE: lists are scripts.
  const commands = proxy.commands.slice(from).filter((name) => name !== "ZRANGE");
  assert.deepEqual(commands, sent);
  for (const [name, count] of Object.entries(counted)) {
    assert.equal(calls[name] ?? 0, count, `${name} of ${JSON.stringify(calls)}`);
  }
}

const ONE_READ = [["HMGET"], { hmget: 1, evalsha: 0, eval: 0, scan: 0, keys: 0 }];
const ONE_SCRIPT = [["EVALSHA"], { evalsha: 1, eval: 0, scan: 0, keys: 0 }];
const ask = async (path) => (await stub.fetch(`http://x${path}`)).text();

describe("outside the object", () => {
  test("a get is one command", () => assertCosts(...ONE_READ, () => storage.get("key 1")));

  test("a get of several keys is one command", () =>
    assertCosts(...ONE_READ, () => storage.get(KEYS)));

  test("64 gets of one turn of the event loop are one command", () =>
    assertCosts(...ONE_READ, () => Promise.all(KEYS.map((key) => storage.get(key)))));

  test("a put is one command", () => assertCosts(...ONE_SCRIPT, () => storage.put("key 1", 2)));

  test("64 puts of one turn of the event loop are one command", () =>
    assertCosts(...ONE_SCRIPT, () => Promise.all(KEYS.map((key) => storage.put(key, 3)))));

  test("puts and deletes of one turn of the event loop are one command", () =>
    assertCosts(...ONE_SCRIPT, async () => {
      const answers = [storage.put("a", 1), storage.delete("b"), storage.put({ c: 1, d: 2 })];
      await Promise.all(answers);
    }));

  test("a delete is one command", () => assertCosts(...ONE_SCRIPT, () => storage.delete("key 2")));

  test("a deleteAll of an object without an alarm is one command", async () => {
    const other = await storageOf(mf, "other");
    await other.storage.put({ a: 1, b: 2 });
    await assertCosts(...ONE_SCRIPT, () => other.storage.deleteAll());
  });

  test("a list is one command", () =>
    assertCosts(...ONE_SCRIPT, () => storage.list({ start: "key 1", limit: 10 })));

  test("a transaction that reads and writes is one command to read and one to commit", () =>
    assertCosts(["EVALSHA", "EVALSHA"], { evalsha: 2, eval: 0 }, () =>
      storage.transaction(async (txn) => {
        const found = await txn.get(["key 1", "key 3"]);
        await txn.put({ "key 1": found.get("key 3") ?? 0, "key 3": found.get("key 1") ?? 0 });
      }),
    ));

  test("reads of one turn in a transaction are one command", () =>
    assertCosts(["EVALSHA", "EVALSHA"], { evalsha: 2, eval: 0 }, () =>
      storage.transaction(async (txn) => {
        await Promise.all(KEYS.map((key) => txn.get(key)));
        await txn.put("key 1", 5);
      }),
    ));
});

describe("inside the object", () => {
  test("64 gets of one turn are one command", () => assertCosts(...ONE_READ, () => ask("/gets")));

  test("a put, acknowledged by the response, is one command", () =>
    assertCosts(...ONE_SCRIPT, () => ask("/put")));

  test("64 puts that no caller waits for are one command", () =>
    assertCosts(...ONE_SCRIPT, () => ask("/puts")));
});

test("a million other keys cost nothing: nothing looks through them", async () => {
  const calls = await callsDuring(server, async () => {
    await storage.list();
    await storage.list({ prefix: "key 1", reverse: true });
    await storage.transaction(async (txn) => txn.list({ prefix: "key" }));
    await storage.deleteAll();
    const plugins = await mf.getPlugins();
    await plugins.DurableObjectsPlugin.flushAlarms(mf.getPluginStorage("DurableObjectsPlugin"));
  });
  for (const name of ["scan", "keys", "hgetall", "hscan", "smembers"]) {
    assert.equal(calls[name] ?? 0, 0, `${name} of ${JSON.stringify(calls)}`);
  }
});

test("however many objects are used at once, there is one connection", async () => {
  const others = Array.from({ length: 30 }, (_, i) => storageOf(mf, `object ${i}`));
  await Promise.all((await Promise.all(others)).map((one) => one.storage.put("key", 1)));
  await Promise.all((await Promise.all(others)).map((one) => one.storage.list()));
  assert.equal(proxy.connections, 1);
});
