/** Many objects at the same moment: what every place must do, however many of them it opens at once. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Log, LogLevel, Miniflare } from "../../index.mjs";
import { openFiles } from "./files.mjs";

const COUNT = 1000;
const FAR = 4_000_000_000_000;
/** Threads for files, for RocksDB and for answers that come later; Node.js has its own before. */
const THREADS_MORE_MAX = 48;
/** A database has a handful of files open, and the lock beside it; each directory around them is open to be synced. */
const FILES_EACH_MAX = 12;
const onLinux = process.platform === "linux";

const script = `
export class Object1 {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }
  alarm() {
    this.env.FIRED.add(this.state.id.toString());
    this.env.FIRES();
  }
}
export default { fetch() {} }`;

/**
 * Registers the tests of a place. `settings` are options of Miniflare. `openMax` is how many objects may be open, where
 * that counts. With `lasts` the next instance finds what was written.
 */
export function testManyObjects(place, settings, { openMax, lasts = true } = {}) {
  describe(`${COUNT} objects at once, ${place}`, () => {
    const fired = { ids: new Set(), count: 0, tell: () => {} };
    let given;
    let mf;

    const open = (durableObjectsAlarms = false) =>
      new Miniflare({
        modules: true,
        script,
        log: new Log(LogLevel.NONE),
        durableObjects: { OBJECT: "Object1" },
        bindings: {
          FIRED: fired.ids,
          FIRES: () => {
            fired.count++;
            fired.tell();
          },
        },
        ...given,
        durableObjectsAlarms,
        ...(openMax && { durableObjectsMaxOpen: openMax }),
      });

    async function storages(kind) {
      const namespace = await mf.getDurableObjectNamespace("OBJECT");
      const names = Array.from({ length: COUNT }, (_, i) => `${kind} ${i}`);
      return Promise.all(
        names.map((name) => mf.getDurableObjectStorage(namespace.idFromName(name))),
      );
    }

    const filesMax = openMax && (openMax + 1) * FILES_EACH_MAX;
    const filesNow = () => openFiles(given.durableObjectsPersist).length;

    /**
     * Runs `work`, and checks how many threads and files the process has meanwhile. Running transactions may wait for each
     * other, so they may keep more objects open than the limit says; afterwards it holds again (`afterwards`).
     */
    async function within(work, { afterwards = false } = {}) {
      if (!onLinux) return work();
      const threadsBefore = threads();
      const most = { threads: 0, files: 0 };
      const look = () => {
        most.threads = Math.max(most.threads, threads());
        if (openMax && !afterwards) most.files = Math.max(most.files, filesNow());
      };
      const looking = setInterval(look, 5);
      try {
        await work();
        look();
      } finally {
        clearInterval(looking);
      }
      const threadsMax = threadsBefore + THREADS_MORE_MAX;
      assert.ok(most.threads <= threadsMax, `${most.threads} threads, more than ${threadsMax}`);
      if (!openMax) return;
      assert.ok(most.files <= filesMax, `${most.files} open files, more than ${filesMax}`);
      while (filesNow() > filesMax) await new Promise((resolve) => setTimeout(resolve, 5));
    }

    async function allHold(kind, value) {
      const all = await storages(kind);
      const found = await Promise.all(all.map((storage) => storage.get("key")));
      assert.deepEqual(
        found.map((one, i) => (one === value(i) ? "" : `${i} holds ${one}`)).filter(Boolean),
        [],
      );
    }

    async function reopen(alarms) {
      if (!lasts) return;
      await mf.dispose();
      mf = open(alarms);
    }

    before(async () => {
      given = typeof settings === "function" ? await settings() : settings;
      mf = open();
    });
    after(() => mf.dispose());

    test("first writes: all are done, and are found", async () => {
      const all = await storages("written");
      await within(() => Promise.all(all.map((storage, i) => storage.put("key", i))));
      await allHold("written", (i) => i);
    });

    test("reads of stored objects: all find what was written", async () => {
      await reopen();
      await within(() => allHold("written", (i) => i));
    });

    test("writes to stored objects, several of each and with reads between: in order", async () => {
      const all = await storages("written");
      await within(() =>
        Promise.all(
          all.map(async (storage, i) => {
            const puts = [storage.put("key", -1), storage.put("key", i + 1)];
            assert.equal(await storage.get("key"), i + 1);
            await Promise.all(puts);
          }),
        ),
      );
      await allHold("written", (i) => i + 1);
    });

    test("transactions: all commit, and none loses because others were opened", async () => {
      const all = await storages("written");
      let attempts = 0;
      await within(
        () =>
          Promise.all(
            all.map((storage) =>
              storage.transaction(async (txn) => {
                attempts++;
                await txn.put("key", (await txn.get("key")) + 1);
              }),
            ),
          ),
        { afterwards: true },
      );
      await allHold("written", (i) => i + 2);
      assert.equal(attempts, COUNT);
    });

    test("setAlarm: all are set", async () => {
      const all = await storages("alarmed");
      await within(() => Promise.all(all.map((storage) => storage.setAlarm(FAR))));
      const set = await Promise.all(all.map((storage) => storage.getAlarm()));
      assert.deepEqual(new Set(set), new Set([FAR]));
    });

    test("alarms that are due together: each fires once", async () => {
      const all = await storages("alarmed");
      await Promise.all(all.map((storage) => storage.setAlarm(Date.now() - 1)));
      const done = new Promise((resolve) => {
        fired.tell = () => fired.count >= COUNT && resolve();
      });
      await within(async () => {
        if (lasts) await reopen(true);
        else await mf.setOptions({ durableObjectsAlarms: true });
        await mf.getPlugins();
        await done;
      });
      await reopen();
      const left = (
        await Promise.all((await storages("alarmed")).map((it) => it.getAlarm()))
      ).filter((alarm) => alarm !== null);
      assert.deepEqual(left, []);
      assert.deepEqual([fired.count, fired.ids.size], [COUNT, COUNT]);
    });

    test("dispose() in the middle of first writes: what was asked is done, and it ends", async () => {
      const all = await storages("late");
      const puts = Promise.allSettled(all.map((storage, i) => storage.put("key", i)));
      await mf.dispose();
      const refused = (await puts).filter(({ status }) => status === "rejected");
      assert.deepEqual(refused, []);
      if (openMax) assert.deepEqual(openFiles(given.durableObjectsPersist), []);
      mf = open();
      if (lasts) await allHold("late", (i) => i);
    });

    test("dispose() in the middle of reads: it ends, and they too", async () => {
      const all = await storages("written");
      const reads = Promise.allSettled(all.map((storage) => storage.get("key")));
      await mf.dispose();
      await reads;
      mf = open();
    });
  });
}

function threads() {
  return readdirSync("/proc/self/task").length;
}
