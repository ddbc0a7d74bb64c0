// Several processes, worker threads and Miniflare instances use one directory and one object at once.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { sleep } from "../support/child.mjs";
import { ask, withPeers } from "../support/history/peers.mjs";
import {
  assertSerializable,
  COUNT,
  counts,
  runInstances,
  runThreads,
  startProcesses,
} from "../support/history/runs.mjs";
import { seed } from "../support/seed.mjs";

const directories = [];

async function newDirectory() {
  const made = await mkdtemp(path.join(os.tmpdir(), "ferroflare-processes-"));
  directories.push(made);
  return made;
}

after(() => Promise.all(directories.map((made) => rm(made, { recursive: true, force: true }))));

/** Waits until a process waits for an object of the directory. */
async function requested(shared) {
  const requests = () => readdir(path.join(shared, ".ferroflare", "wanted")).catch(() => []);
  while ((await requests()).length === 0) await sleep(5);
}

// Some of these wait for seconds: the others run meanwhile.
describe("on one directory", { concurrency: 2 }, () => {
  describe("a process that waits", { concurrency: true }, () => {
    test("gets one clear error that names a stopped holder, and the object once the holder goes on", async () => {
      await withPeers(2, { directory: await newDirectory() }, async (holder, waiting) => {
        await ask(holder, "put", "o", "key", "old");
        holder.kill("SIGSTOP");
        try {
          const refused = await ask(waiting, "put", "o", "key", "refused").catch((error) => error);
          assert.equal(refused.code, "ERR_STORAGE_HELD");
          assert.match(
            refused.message,
            new RegExp(`in use by another process \\(process ${holder.pid}\\)`),
          );
          assert.equal(await ask(waiting, "put", "other", "key", 1), null);
        } finally {
          holder.kill("SIGCONT");
        }
        assert.equal(await ask(waiting, "get", "o", "key"), "old");
        await ask(waiting, "put", "o", "key", "new");
        assert.equal(await ask(holder, "get", "o", "key"), "new");
      });
    });

    test("gets the object at once when the holder is killed", async () => {
      const shared = await newDirectory();
      await withPeers(2, { directory: shared }, async (holder, waiting) => {
        await ask(holder, "put", "o", "key", "kept");
        holder.kill("SIGSTOP");
        const read = ask(waiting, "get", "o", "key");
        await requested(shared);
        holder.kill("SIGKILL");
        assert.equal(await read, "kept");
        assert.deepEqual(await readdir(path.join(shared, ".ferroflare", "wanted")), []);
      });
    });

    test("gets the object while transactions of the holder take turns on it without a pause", async () => {
      await withPeers(2, { directory: await newDirectory() }, async (holder, waiting) => {
        await ask(holder, "contend", "o", 12);
        for (let round = 0; round < 5; round++) {
          assert.equal(await ask(waiting, "put", "o", "mine", round), null);
        }
        assert.equal(await ask(holder, "get", "o", "mine"), 4);
        assert.equal((await ask(holder, "settle")) > 0, true);
      });
    });

    test("gets the object though a thread of the holder was terminated in the middle of a turn", async () => {
      await withPeers(2, { directory: await newDirectory() }, async (holder, waiting) => {
        await ask(holder, "terminate", "o");
        assert.equal(await ask(waiting, "put", "o", "key", 1), null);
      });
    });

    test("is not fooled by a request that a killed process left", async () => {
      const shared = await newDirectory();
      await withPeers(3, { directory: shared }, async (holder, killed, waiting) => {
        await ask(holder, "put", "o", "key", 1);
        holder.kill("SIGSTOP");
        const lost = ask(killed, "get", "o", "key");
        lost.catch(() => {});
        await requested(shared);
        killed.kill();
        await killed.ended;
        holder.kill("SIGCONT");
        assert.equal(await ask(holder, "get", "o", "key"), 1);
        assert.equal(await ask(waiting, "get", "o", "key"), 1);
        await ask(holder, "get", "o", "key");
        assert.deepEqual(await readdir(path.join(shared, ".ferroflare", "wanted")), []);
      });
    });

    test("for many objects does not keep others from going on", async () => {
      await withPeers(2, { directory: await newDirectory(), maxOpen: 2000 }, async (one, other) => {
        const count = 150;
        await Promise.all([ask(one, "putMany", "a", count), ask(other, "putMany", "b", count)]);
        const sums = await Promise.all([
          ask(one, "putMany", "b", count),
          ask(other, "putMany", "a", count),
        ]);
        assert.deepEqual(sums, [count, count]);
      });
    });
  });

  describe("several users of an object", () => {
    for (const processes of [2, 4]) {
      test(`transactions of ${processes} processes on one object are strictly serializable, and each gets on`, async () => {
        const history = await startProcesses({
          directory: await newDirectory(),
          processes,
          seed,
        }).history();
        assertSerializable(history);
        const expected = Object.fromEntries(
          Array.from({ length: processes }, (_, number) => [`p${number}`, COUNT]),
        );
        assert.deepEqual(counts(history), expected, `seed ${seed}`);
      });
    }

    test("transactions of several worker threads on one object are strictly serializable", async () => {
      const history = await runThreads({ directory: await newDirectory(), threads: 3, seed });
      assertSerializable(history);
      assert.deepEqual(counts(history), { t0: COUNT, t1: COUNT, t2: COUNT });
    });

    test("transactions of several Miniflare instances of a process on one object are strictly serializable", async () => {
      const history = await runInstances({
        directory: await newDirectory(),
        instances: 3,
        seed,
      });
      assertSerializable(history);
      assert.deepEqual(counts(history), { i0: COUNT, i1: COUNT, i2: COUNT });
    });

    test("transactions are strictly serializable when at most one object is open at a time", async () => {
      const options = { directory: await newDirectory(), processes: 2, seed, maxOpen: 1 };
      const history = await startProcesses(options).history();
      assertSerializable(history);
      assert.deepEqual(counts(history), { p0: COUNT, p1: COUNT }, `seed ${seed}`);
    });

    test("a process that is killed leaves nothing that others have to wait for or clean up", async () => {
      const { children, history } = startProcesses({
        directory: await newDirectory(),
        processes: 3,
        seed,
      });
      await children[0].heard("ok");
      await sleep(seed % 100);
      children[0].kill();
      const transactions = await history();
      assertSerializable(transactions, { unfinished: ["p0"] });
      const { p1, p2 } = counts(transactions);
      assert.deepEqual({ p1, p2 }, { p1: COUNT, p2: COUNT }, `seed ${seed}`);
    });

    test("two processes may create and delete the same object all the time", async () => {
      const shared = await newDirectory();
      await withPeers(2, { directory: shared }, async (one, other) => {
        const results = await Promise.all([
          ask(one, "churn", 60, seed),
          ask(other, "churn", 60, seed + 1),
        ]);
        assert.deepEqual(results, [60, 60], `seed ${seed}`);
        await ask(one, "deleteAll", "churned");
        assert.deepEqual(await ask(other, "list", "churned"), []);
      });
    });
  });

  describe("an alarm", { concurrency: true }, () => {
    /** How often the alarm of an object has fired, as its data says. */
    const fired = (shared, name) =>
      withPeers(1, { directory: shared }, (peer) => ask(peer, "get", name, "fired"));

    /** Waits until one of the processes has handled it, and a moment longer, and says how often it has fired. */
    const firing = async (...peers) => {
      await Promise.any(peers.map((peer) => peer.heard("handled")));
      await sleep(100);
      return peers.flatMap((peer) => peer.lines.filter((line) => line.startsWith("fires"))).length;
    };

    test("fires once though two processes know of it", async () => {
      const shared = await newDirectory();
      await withPeers(2, { directory: shared, alarms: true }, async (one, other) => {
        // Late enough for the other process to find it by itself.
        await ask(one, "setAlarm", "o", 2500);
        assert.equal(await firing(one, other), 1);
      });
      assert.equal(await fired(shared, "o"), 1);
    });

    test("of a process that has died is fired by one that runs", async () => {
      const shared = await newDirectory();
      await withPeers(2, { directory: shared, alarms: true }, async (dying, other) => {
        await ask(dying, "setAlarm", "o", 700);
        dying.kill();
        await dying.ended;
        assert.equal(await firing(other), 1);
      });
      assert.equal(await fired(shared, "o"), 1);
    });

    test("that became due while nothing ran fires at the next start, once", async () => {
      const shared = await newDirectory();
      await withPeers(1, { directory: shared, alarms: false }, async (setting) => {
        await ask(setting, "setAlarm", "o", 1);
      });
      await sleep(10);
      await withPeers(1, { directory: shared, alarms: true }, async (starting) => {
        assert.equal(await firing(starting), 1);
      });
      await withPeers(1, { directory: shared, alarms: true }, async (later) => {
        await ask(later, "put", "other", "key", 1);
        await sleep(100);
        assert.deepEqual(
          later.lines.filter((line) => line.startsWith("fires")),
          [],
        );
      });
      assert.equal(await fired(shared, "o"), 1);
    });

    test("that fires leaves the object to other processes, though its handler writes nothing", async () => {
      const shared = await newDirectory();
      await withPeers(1, { directory: shared, alarms: false }, (setting) =>
        ask(setting, "setAlarm", "silent", 1),
      );
      await withPeers(2, { directory: shared, alarms: true }, async (starting, other) => {
        assert.equal(await firing(starting, other), 1);
        assert.equal(await ask(other, "put", "silent", "key", 1), null);
        assert.equal(await ask(starting, "put", "silent", "key", 2), null);
      });
    });

    test("that was only announced when its process died does not come back for ever", async () => {
      const shared = await newDirectory();
      await withPeers(1, { directory: shared }, (setting) => ask(setting, "put", "o", "key", 1));
      await withPeers(1, { directory: shared }, async (peer) => {
        const id = await ask(peer, "id", "o");
        const markers = path.join(shared, ".ferroflare", "alarms");
        await ask(peer, "plant", path.join(markers, `1000.PEER.${id}`));
      });
      await withPeers(1, { directory: shared, alarms: true }, async (starting) => {
        const markers = path.join(shared, ".ferroflare", "alarms");
        while ((await readdir(markers)).length > 0) await sleep(10);
        assert.equal(await ask(starting, "get", "o", "key"), 1);
        assert.deepEqual(
          starting.lines.filter((line) => line.startsWith("fires")),
          [],
        );
      });
    });
  });
});
