// Faults of a server while a load runs: nothing acknowledged is lost, nothing is applied twice, nothing hangs.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Miniflare } from "ferroflare";
import { options, storageOf } from "../support/files.mjs";
import { Load } from "../support/load.mjs";
import { startProxy } from "../support/proxy.mjs";
import { random } from "../support/random.mjs";
import { redisServer, redisVersion } from "../support/redis.mjs";
import { seed } from "../support/seed.mjs";

const CUTS = 25;
const UNREACHED = /^ERR_REDIS_(UNREACHABLE|UNKNOWN_OUTCOME)$/;

/** Runs a load during `fault`, until each of its clients has gone on; reports how long that took. */
async function during(t, server, urls, fault) {
  const load = new Load(urls);
  try {
    await load.goesOn();
    await fault(load);
    const over = performance.now();
    await load.goesOn(1);
    t.diagnostic(`every client is served ${Math.round(performance.now() - over)} ms after it`);
    await load.goesOn();
  } finally {
    await load.stop();
  }
  assert.deepEqual(await load.problems(server.url()), []);
  return load;
}

const killClients = (server) => server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");

/** What happens to a server; every operation succeeds nevertheless, later perhaps. */
const SURVIVED = {
  "connections that the server closes (CLIENT KILL)": async (server, load) => {
    for (let round = 0; round < 10; round++) {
      await killClients(server);
      await load.goesOn(2);
    }
  },
  "a server that pauses all clients (CLIENT PAUSE)": async (server) => {
    await server.call("CLIENT", "PAUSE", 1500);
    await sleep(1500);
  },
  "a server that pauses writes (CLIENT PAUSE WRITE)": async (server) => {
    await server.call("CLIENT", "PAUSE", 1500, "WRITE");
    await sleep(1500);
  },
  "a server that stands still (DEBUG SLEEP)": async (server) => {
    await server.call("DEBUG", "SLEEP", 1.5);
  },
  "a server that stands still longer than an answer may take": async (server) => {
    server.freeze();
    await sleep(6500);
    server.thaw();
  },
  "a server that is restarted in order": async (server) => {
    await server.stop("SIGTERM");
    await server.restart();
  },
  "a server that crashes, with every write on disk": async (server, load) => {
    for (let round = 0; round < 3; round++) {
      await server.stop("SIGKILL");
      await server.restart();
      await load.goesOn(2);
    }
  },
  "a server that forgets its scripts": async (server, load) => {
    for (let round = 0; round < 10; round++) {
      await server.call("SCRIPT", "FLUSH");
      await load.goesOn(2);
    }
  },
};

for (const [what, fault] of Object.entries(SURVIVED)) {
  const skip =
    what.includes("WRITE") && redisVersion() < 7 && "Redis 6.0 cannot pause writes alone";
  test(`nothing fails, is lost or done twice: ${what}`, { skip }, async (t) => {
    const server = await redisServer(t, { aof: true });
    const urls = [server.url(), server.url()];
    const load = await during(t, server, urls, (running) => fault(server, running));
    assert.deepEqual(load.failures, []);
  });
}

test("a server that is gone for longer: operations fail with one clear error, and afterwards all goes on", async (t) => {
  const server = await redisServer(t, { aof: true });
  const load = await during(t, server, [server.url(), server.url()], async (running) => {
    await server.stop("SIGKILL");
    while (running.failures.length === 0) await sleep(20);
    await server.restart();
  });
  for (const { code, message } of load.failures) {
    assert.match(code, UNREACHED, message);
    assert.ok(message.includes(server.host), message);
  }
});

describe("connections that are cut on the way", () => {
  for (const [what, cut] of [
    ["after a request has reached the server", (proxy) => proxy.cutAfterRequest("EVALSHA")],
    ["in the middle of a request", (proxy, { between }) => proxy.cutRequests(between(0, 3000))],
    ["in the middle of a reply", (proxy, { between }) => proxy.cutReplies(between(0, 300))],
  ]) {
    test(`nothing fails, is lost or done twice when it happens ${what} (seed ${seed})`, async (t) => {
      const server = await redisServer(t);
      const proxy = await startProxy(t, server.port);
      const choices = random(seed);
      const load = await during(t, server, [proxy.url(), server.url()], async (running) => {
        for (let round = 0; round < CUTS; round++) {
          await cut(proxy, choices);
          await running.goesOn(1);
        }
      });
      assert.deepEqual(load.failures, []);
      assert.ok(proxy.connections > CUTS, `${proxy.connections} connections`);
    });
  }

  test("a commit whose reply was lost is applied once, though it was sent again", async (t) => {
    const server = await redisServer(t);
    const proxy = await startProxy(t, server.port);
    const mf = new Miniflare({ ...options, durableObjectsPersist: proxy.url() });
    t.after(() => mf.dispose());
    const { storage } = await storageOf(mf);
    await storage.put("count", 0);
    let runs = 0;
    for (let round = 1; round <= 10; round++) {
      const cut = proxy.cutAfterRequest(`receipt ${round}`);
      await storage.transaction(async (txn) => {
        runs++;
        await txn.put({ count: (await txn.get("count")) + 1, [`receipt ${round}`]: round });
      });
      await cut;
      assert.equal(await storage.get("count"), round);
    }
    assert.equal(runs, 10, "a closure ran again, although its commit had been applied");
    const deleted = proxy.cutAfterRequest("receipt 1");
    assert.equal(await storage.delete("receipt 1"), true, "the answer is that of the first time");
    await deleted;
  });

  test("an alarm that was claimed while the reply was lost fires once", async (t) => {
    const server = await redisServer(t);
    const proxy = await startProxy(t, server.port);
    const script = `
    export class Counter {
      constructor(state) {
        this.storage = state.storage;
      }
      async alarm() {
        await this.storage.put("fired", ((await this.storage.get("fired")) ?? 0) + 1);
      }
    }
    export default { fetch() {} }`;
    const mf = new Miniflare({ ...options, script, durableObjectsPersist: proxy.url() });
    t.after(() => mf.dispose());
    const { storage } = await storageOf(mf);
    for (let round = 1; round <= 5; round++) {
      await storage.setAlarm(Date.now() + 300);
      proxy.cutAfterRequest("EVALSHA");
      while ((await storage.get("fired")) !== round) await sleep(10);
    }
    await sleep(100);
    assert.deepEqual([await storage.get("fired"), await storage.getAlarm()], [5, null]);
  });

  test("while no request gets through, operations fail in time, and go on afterwards", async (t) => {
    const server = await redisServer(t);
    const proxy = await startProxy(t, server.port);
    const load = await during(t, server, [proxy.url()], async (running) => {
      proxy.refusing = true;
      proxy.cutAll();
      while (running.failures.length === 0) await sleep(20);
      proxy.refusing = false;
    });
    for (const { code, message } of load.failures) {
      assert.match(code, UNREACHED, message);
    }
  });
});

test("the load notices what is lost, applied twice or applied late", async (t) => {
  const server = await redisServer(t);
  for (const [damage, found] of [
    [(storage, load) => storage.put("count", load.count - 1), /the count is/],
    [(storage) => storage.delete("receipt:0.1:1"), /increment 1 of client 0\.1 .* is lost/],
    [
      async (storage) => storage.put("receipt:0.1:1", await storage.get("receipt:0.2:1")),
      /two receipts are for the same count/,
    ],
    [(storage) => storage.delete("put:0.0:2"), /put 2 of client 0\.0 .* is lost/],
    [(storage) => storage.put("last:0.0", 1), /the last put of client 0\.0 is 1/],
  ]) {
    await server.call("FLUSHALL");
    const load = new Load([server.url()]);
    await load.goesOn();
    await load.stop();
    const mf = new Miniflare({
      ...options,
      durableObjectsPersist: server.url(),
      durableObjects: { LOAD: "Counter" },
    });
    const { storage } = await storageOf(mf, "object", "LOAD");
    assert.deepEqual(await load.problems(server.url()), []);
    await damage(storage, { count: await storage.get("count") });
    await mf.dispose();
    assert.match((await load.problems(server.url())).join("\n"), found);
  }
});
