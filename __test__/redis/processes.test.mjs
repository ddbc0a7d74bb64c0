// Several processes, worker threads and Miniflare instances use one Redis and one object at once.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { sleep } from "../support/child.mjs";
import { options, storageOf } from "../support/files.mjs";
import { ask, withPeers } from "../support/history/peers.mjs";
import {
  assertSerializable,
  COUNT,
  counts,
  runInstances,
  runThreads,
  startProcesses,
} from "../support/history/runs.mjs";
import { RedisServer } from "../support/redis.mjs";
import { seed } from "../support/seed.mjs";

let server;
let directory;
before(async () => {
  server = await RedisServer.start();
  directory = server.url();
});
after(() => server.close());
beforeEach(() => server.call("FLUSHALL"));

const everybody = (letter, count) =>
  Object.fromEntries(Array.from({ length: count }, (_, number) => [`${letter}${number}`, COUNT]));

describe("several users of an object", () => {
  for (const processes of [2, 4]) {
    test(`transactions of ${processes} processes on one object are strictly serializable, and each gets on`, async () => {
      const history = await startProcesses({ directory, processes, seed }).history();
      assertSerializable(history);
      assert.deepEqual(counts(history), everybody("p", processes), `seed ${seed}`);
    });
  }

  test("transactions of several worker threads on one object are strictly serializable", async () => {
    const history = await runThreads({ directory, threads: 2, seed });
    assertSerializable(history);
    assert.deepEqual(counts(history), everybody("t", 2), `seed ${seed}`);
  });

  test("transactions of several Miniflare instances of a process on one object are strictly serializable", async () => {
    const history = await runInstances({ directory, instances: 3, seed });
    assertSerializable(history);
    assert.deepEqual(counts(history), everybody("i", 3), `seed ${seed}`);
  });

  test("counters that 4 processes increment sum exactly", async () => {
    const [processes, increments] = [4, 40];
    await withPeers(processes, { directory }, async (...peers) => {
      const each = peers.map(async (peer) => {
        const mine = Array.from({ length: increments }, () => ask(peer, "transact", "o", "count"));
        await Promise.all(mine);
      });
      await Promise.all(each);
      assert.equal(await ask(peers[0], "get", "o", "count"), processes * increments);
    });
  });

  test("a process that is killed at any moment leaves a state that some serial order explains, and nothing to wait for", async () => {
    const { children, history } = startProcesses({ directory, processes: 3, seed });
    await children[0].heard("ok");
    await sleep(seed % 100);
    children[0].kill();
    const transactions = await history();
    assertSerializable(transactions, { unfinished: ["p0"] });
    const { p1, p2 } = counts(transactions);
    assert.deepEqual({ p1, p2 }, { p1: COUNT, p2: COUNT }, `seed ${seed}`);
  });

  test("a process that is killed during its turn holds others up until its lease has run out, not for ever", async () => {
    await withPeers(2, { directory }, async (dying, other) => {
      await ask(dying, "contend", "o", 12);
      while (!(await server.keys("PEER:{*}:turns")).length) await sleep(1);
      dying.kill();
      await dying.ended;
      await ask(other, "transact", "o", "contended");
      assert.ok((await ask(other, "get", "o", "contended")) > 0);
    });
  });

  test("a long reader commits though other processes write all the time", async () => {
    await withPeers(3, { directory }, async (reader, ...writers) => {
      await Promise.all(writers.map((writer) => ask(writer, "contend", "o", 3)));
      for (let round = 0; round < 5; round++) {
        assert.ok((await ask(reader, "sum", "o", 20)) >= 0);
      }
      const written = await Promise.all(writers.map((writer) => ask(writer, "settle")));
      assert.ok(
        written.every((count) => count > 0),
        written.join(),
      );
      const total = written.reduce((sum, count) => sum + count, 0);
      assert.equal(await ask(reader, "get", "o", "contended"), total);
    });
  });

  test("a list of several pages shows one state, in a transaction and outside, while others write", async (t) => {
    const open = () => {
      const mf = new Miniflare({ ...options, durableObjectsPersist: directory });
      t.after(() => mf.dispose());
      return mf;
    };
    const { storage: reading } = await storageOf(open(), "large");
    const { storage: writing } = await storageOf(open(), "large");
    const filling = "x".repeat(1000);
    for (let from = 0; from < 3000; from += 100) {
      const keys = Array.from(
        { length: 100 },
        (_, i) => `key ${String(from + i).padStart(4, "0")}`,
      );
      await reading.put(Object.fromEntries(keys.map((key) => [key, filling])));
    }
    let going = true;
    const writer = (async () => {
      for (let stamp = 1; going; stamp++) {
        await writing.put({ first: stamp, "key 1500": stamp, "the last": stamp });
      }
    })();
    const assertOne = (found) => {
      const stamps = ["first", "key 1500", "the last"].map((key) => found.get(key));
      assert.equal(new Set(stamps).size, 1, stamps.join());
      assert.equal(found.size, 3002);
    };
    while ((await reading.get("first")) === undefined) await sleep(1);
    try {
      for (let round = 0; round < 5; round++) {
        assertOne(await reading.list());
        assertOne(await reading.list({ reverse: true }));
        await reading.transaction(async (txn) => {
          assertOne(await txn.list());
          assert.equal(await txn.get("first"), await txn.get("the last"));
        });
      }
    } finally {
      going = false;
      await writer;
    }
  });

  test("two processes may create and delete the same object all the time", async () => {
    await withPeers(2, { directory }, async (one, other) => {
      const results = await Promise.all([
        ask(one, "churn", 100, seed),
        ask(other, "churn", 100, seed + 1),
      ]);
      assert.deepEqual(results, [100, 100], `seed ${seed}`);
      await ask(one, "deleteAll", "churned");
      assert.deepEqual(await ask(other, "list", "churned"), []);
    });
  });

  test("what idle objects need in Redis is what they hold", async () => {
    await withPeers(2, { directory }, async (one, other) => {
      for (const peer of [one, other]) {
        for (let i = 0; i < 5; i++) await ask(peer, "transact", "o", "count");
      }
      const keys = await server.keys("PEER:{*}:*");
      const lasting = keys.filter((key) => !/:(values|keys|meta|done:[^:]*)$/.test(key));
      assert.deepEqual(lasting, []);
      for (const key of keys.filter((name) => name.includes(":done:"))) {
        assert.ok((await server.call("PTTL", key)) > 0, `${key} stays for ever`);
      }
    });
  });
});

describe("an alarm", () => {
  /** How often the alarm of an object has fired, as its data says. */
  const fired = (name) => withPeers(1, { directory }, (peer) => ask(peer, "get", name, "fired"));
  const fires = (...peers) =>
    peers.flatMap((peer) => peer.lines.filter((line) => line.startsWith("fires"))).length;

  /** Waits until one of the processes has handled it, and a moment longer, and says how often it has fired. */
  const firing = async (...peers) => {
    await Promise.any(peers.map((peer) => peer.heard("handled")));
    await sleep(100);
    return fires(...peers);
  };

  test("fires once though four processes know of it", async () => {
    await withPeers(4, { directory, alarms: true }, async (...peers) => {
      // Late enough for the other processes to find it by themselves.
      await ask(peers[0], "setAlarm", "o", 2500);
      assert.equal(await firing(...peers), 1);
    });
    assert.equal(await fired("o"), 1);
  });

  test("of a process that has died is fired by one that runs", async () => {
    await withPeers(2, { directory, alarms: true }, async (dying, other) => {
      await ask(dying, "setAlarm", "o", 1500);
      dying.kill();
      await dying.ended;
      assert.equal(await firing(other), 1);
    });
    assert.equal(await fired("o"), 1);
  });

  test("that became due while nothing ran fires at the next start, once", async () => {
    await withPeers(1, { directory, alarms: false }, async (setting) => {
      await ask(setting, "setAlarm", "o", 1);
    });
    await withPeers(1, { directory, alarms: true }, async (starting) => {
      assert.equal(await firing(starting), 1);
    });
    await withPeers(1, { directory, alarms: true }, async (later) => {
      await ask(later, "put", "other", "key", 1);
      await sleep(100);
      assert.equal(fires(later), 0);
    });
    assert.equal(await fired("o"), 1);
  });

  test("whose process was killed between claiming and running it fires in another one", async () => {
    await withPeers(1, { directory, alarms: false }, (setting) =>
      ask(setting, "setAlarm", "deadly", 1),
    );
    await withPeers(1, { directory, alarms: true, deadly: true }, async (dying) => {
      assert.equal((await dying.ended).signal, "SIGKILL");
    });
    await withPeers(1, { directory, alarms: true }, async (other) => {
      assert.equal(await firing(other), 1);
    });
    assert.equal(await fired("deadly"), 1);
    await withPeers(1, { directory, alarms: true }, async (later) => {
      await sleep(100);
      assert.equal(fires(later), 0);
    });
  });
});
