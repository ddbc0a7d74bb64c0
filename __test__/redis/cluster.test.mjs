// A cluster of real servers, and sentinels: the same promises, and a primary that dies in the middle of a load.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { runCli } from "../support/cli.mjs";
import { count, options, storageOf } from "../support/files.mjs";
import { ask, withPeers } from "../support/history/peers.mjs";
import { assertSerializable, COUNT, counts, startProcesses } from "../support/history/runs.mjs";
import { Load } from "../support/load.mjs";
import { RedisCluster, redisCluster, redisSentinels } from "../support/redis-cluster.mjs";
import { seed } from "../support/seed.mjs";

function open(t, url, more) {
  const mf = new Miniflare({ ...options, durableObjectsPersist: url, ...more });
  // A start that failed fails again when it is disposed of.
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

describe("a cluster of three", () => {
  let cluster;
  before(async () => {
    cluster = await RedisCluster.start();
  });
  after(() => cluster.close());

  test("S7: the URL names its nodes, or one of them", async (t) => {
    assert.equal(await count(open(t, cluster.url())), 1);
    for (const [i, { host }] of cluster.primaries.entries()) {
      assert.equal(await count(open(t, `redis://${host}`)), 2 + i);
    }
  });

  test("S9: every key of an object starts with its name and instance, and lies on one node", async (t) => {
    const mf = open(t, cluster.url());
    const objects = [];
    for (let i = 0; i < 12; i++) {
      const { id, storage } = await storageOf(mf, `object ${i}`);
      await storage.put({ key: i, other: i });
      await storage.setAlarm(4e12 + i);
      await storage.transaction(async (txn) => txn.put("third", await txn.get("key")));
      objects.push({ id, storage });
    }
    const used = new Set();
    for (const { id } of objects) {
      const holders = [];
      for (const node of cluster.primaries) {
        if ((await node.keys(`OBJECT:{${id}}:*`)).length > 0) holders.push(node.port);
      }
      assert.equal(holders.length, 1, id);
      used.add(holders[0]);
    }
    assert.equal(used.size, 3, "some node has no object");
    for (const [i, { storage }] of objects.entries()) {
      assert.deepEqual(Object.fromEntries(await storage.list()), { key: i, other: i, third: i });
    }
    const listed = await runCli(["objects", "list", "--json", "--do-persist", cluster.url()]);
    assert.equal(listed.stderr, "");
    const lines = listed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const [i, { id }] of objects.entries()) {
      assert.equal(lines.find((line) => line.id === id)?.alarm, 4e12 + i);
    }
  });

  test("transactions of 2 processes on one object are strictly serializable", async () => {
    const run = { directory: cluster.url(), processes: 2, seed };
    const history = await startProcesses(run).history();
    assertSerializable(history);
    assert.deepEqual(counts(history), { p0: COUNT, p1: COUNT }, `seed ${seed}`);
  });

  test("an alarm fires once, though two processes know of it", async () => {
    const settings = { directory: cluster.url(), alarms: true };
    await withPeers(2, settings, async (one, other) => {
      for (let i = 0; i < 6; i++) await ask(one, "setAlarm", `alarmed ${i}`, 200);
      const said = (word) => [...one.lines, ...other.lines].filter((line) => line === word).length;
      while (said("handled") < 6) await new Promise((resolve) => setTimeout(resolve, 20));
      for (let i = 0; i < 6; i++) assert.equal(await ask(other, "get", `alarmed ${i}`, "fired"), 1);
      assert.equal(said("fires"), 6);
    });
  });
});

test("a primary of a cluster that dies is replaced by its replica, and the load goes on", async (t) => {
  const cluster = await redisCluster(t, { replicas: 1, aof: true });
  const load = new Load([cluster.url(), cluster.url()]);
  let killed;
  try {
    await load.goesOn();
    const key = (await keysOf(cluster))[0];
    killed = await cluster.primaryOf(key);
    // What the primary has acknowledged before its replica had it is lost with it: that is the server's own promise.
    await settledWrites(load, killed);
    await killed.stop("SIGKILL");
    const start = performance.now();
    await load.goesOn(1);
    t.diagnostic(`every client is served again after ${Math.round(performance.now() - start)} ms`);
    await load.goesOn();
  } finally {
    await load.stop();
  }
  const left = cluster.nodes.filter((node) => node !== killed);
  const url = `redis://${left.map(({ host }) => host).join(",")}`;
  assert.deepEqual(await load.problems(url, { forgetful: true }), []);
});

test("a primary that dies is replaced by the sentinels, and the load goes on", async (t) => {
  const { primary, url } = await redisSentinels(t);
  const load = new Load([url, url]);
  try {
    await load.goesOn();
    await settledWrites(load, primary);
    await primary.stop("SIGKILL");
    const start = performance.now();
    await load.goesOn(1);
    t.diagnostic(`every client is served again after ${Math.round(performance.now() - start)} ms`);
    await load.goesOn();
  } finally {
    await load.stop();
  }
  assert.deepEqual(await load.problems(url, { forgetful: true }), []);
});

test("S7: sentinels that do not know the primary's name are an error that says so", async (t) => {
  const { url } = await redisSentinels(t, { count: 1 });
  const mf = open(t, url.replace("mymaster", "somebody"));
  await assert.rejects(count(mf), (error) => {
    assert.match(error.code, /^ERR_REDIS_/);
    assert.match(error.message, /somebody|sentinel/i);
    return true;
  });
});

/** Keys of objects in the cluster. */
async function keysOf(cluster) {
  const keys = await Promise.all(cluster.primaries.map((node) => node.keys("LOAD:{*}:values")));
  return keys.flat();
}

/** Waits until the replica of a primary is in step, under load as it is. */
async function settledWrites(load, primary) {
  await load.goesOn(2);
  await primary.call("WAIT", 1, 5000);
}
