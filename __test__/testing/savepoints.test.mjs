// Storage factories of MiniflareCore: those that stack their storages for tests, and those that users bring.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, test } from "node:test";
import { MemoryStorage } from "@miniflare/storage-memory";
import { DurableObjectError } from "ferroflare";
import { memoryFactory, servingPlugin } from "../support/plugin.mjs";

const plugins = [];
afterEach(async () => {
  for (const plugin of plugins.splice(0)) await plugin.dispose();
});

/** A factory as Miniflare 2's test environments have: its storages are no part of this. */
function stackedFactory() {
  return {
    ...memoryFactory(),
    calls: [],
    push() {
      this.calls.push("push");
    },
    pop() {
      this.calls.push("pop");
    },
  };
}

async function serving(classes, options) {
  const served = await servingPlugin(classes, options);
  plugins.push(served.plugin);
  const id = (name) => served.namespace(Object.keys(classes)[0]).idFromName(name);
  const storage = (name) => served.plugin.getStorage(served.factory, id(name));
  return { ...served, id, storage };
}

class Quiet {
  alarm() {}
  fetch() {
    return new Response();
  }
}

describe("savepoints", () => {
  test("what is written in a savepoint vanishes with it, also for those that keep the storage", async () => {
    const factory = stackedFactory();
    const { storage } = await serving({ QUIET: Quiet }, { factory });
    const held = storage("a");
    await held.put({ seeded: 1, kept: 1 });
    for (let round = 0; round < 2; round++) {
      factory.push();
      assert.deepEqual(
        [...(await held.list())],
        [
          ["kept", 1],
          ["seeded", 1],
        ],
      );
      await held.put("seeded", 2);
      await held.delete("kept");
      factory.push();
      await held.deleteAll();
      await storage("b").put("new", 1);
      factory.pop();
      assert.deepEqual([...(await held.list())], [["seeded", 2]]);
      factory.pop();
      assert.equal((await storage("b").list()).size, 0);
    }
    assert.deepEqual(
      [...(await held.list())],
      [
        ["kept", 1],
        ["seeded", 1],
      ],
    );
    assert.deepEqual(factory.calls, Array(2).fill(["push", "push", "pop", "pop"]).flat());
  });

  test("an object that is first touched in a savepoint is in that savepoint", async () => {
    const factory = stackedFactory();
    factory.push();
    const { storage } = await serving({ QUIET: Quiet }, { factory });
    factory.push();
    await storage("a").put("key", 1);
    factory.pop();
    assert.equal(await storage("a").get("key"), undefined);
  });

  test("a transaction that runs while its savepoint ends runs again in the one below", async () => {
    const factory = stackedFactory();
    const { storage } = await serving({ QUIET: Quiet }, { factory });
    await storage("a").put("key", "below");
    factory.push();
    await storage("a").put("key", "savepoint");
    const seen = [];
    await storage("a").transaction(async (txn) => {
      seen.push(await txn.get("key"));
      if (seen.length === 1) factory.pop();
      await txn.put("key", `${seen.at(-1)} and more`);
    });
    assert.deepEqual(seen, ["savepoint", "below"]);
    assert.equal(await storage("a").get("key"), "below and more");
  });

  test("timers follow: an alarm of a savepoint ends with it, and one that fired in it is due again", async () => {
    const fired = [];
    let heard = () => {};
    class Alarmed extends Quiet {
      constructor(state) {
        super();
        this.state = state;
      }
      alarm() {
        fired.push(String(this.state.id));
        heard();
      }
    }
    const factory = stackedFactory();
    const { storage, plugin, id } = await serving({ ALARMED: Alarmed }, { factory });
    const next = () =>
      new Promise((resolve) => {
        heard = resolve;
      });
    factory.push();
    await storage("savepoint").setAlarm(Date.now() + 10_000_000);
    factory.pop();
    assert.equal(await storage("savepoint").getAlarm(), null);
    await plugin.flushAlarms(factory);
    assert.deepEqual(fired, []);
    await storage("seeded").setAlarm(Date.now() + 50);
    factory.push();
    await next();
    assert.equal(await storage("seeded").getAlarm(), null);
    const again = next();
    factory.pop();
    await again;
    assert.deepEqual(fired, Array(2).fill(String(id("seeded"))));
  });

  test("above files they leave the files as they are", async () => {
    const place = await mkdtemp(path.join(os.tmpdir(), "ferroflare-savepoints-"));
    const options = { durableObjectsPersist: place };
    try {
      const first = await servingPlugin({ QUIET: Quiet }, { options });
      const id = first.namespace("QUIET").idFromName("a");
      await first.plugin.getStorage(first.factory, id).put("key", "stored");
      await first.plugin.dispose();

      const factory = stackedFactory();
      const { plugin } = await servingPlugin({ QUIET: Quiet }, { options, factory });
      factory.push();
      const above = plugin.getStorage(factory, id);
      assert.equal(await above.get("key"), "stored");
      await above.put("key", "above");
      await above.setAlarm(Date.now() + 10_000_000);
      factory.pop();
      assert.equal(await above.get("key"), "stored");
      await above.put("key", "below every savepoint");
      await plugin.dispose();

      const last = await servingPlugin({ QUIET: Quiet }, { options });
      const storage = last.plugin.getStorage(last.factory, id);
      assert.deepEqual([await storage.get("key"), await storage.getAlarm()], ["stored", null]);
      await last.plugin.dispose();
    } finally {
      await rm(place, { recursive: true });
    }
  });
});

describe("storage factories that users bring", () => {
  test("one whose storages are memory tells whose memory is meant", async () => {
    class Mine {
      storages = new Map();
      storage(namespace) {
        const known = this.storages.get(namespace) ?? new MemoryStorage();
        this.storages.set(namespace, known);
        return known;
      }
    }
    const [one, other] = [new Mine(), new Mine()];
    const { storage } = await serving({ QUIET: Quiet }, { factory: one });
    await storage("a").put("key", 1);
    const again = await serving({ QUIET: Quiet }, { factory: one });
    assert.equal(await again.storage("a").get("key"), 1);
    const elsewhere = await serving({ QUIET: Quiet }, { factory: other });
    assert.equal(await elsewhere.storage("a").get("key"), undefined);
  });

  test("one that keeps data elsewhere is refused, with what to do instead", async () => {
    class TableStorage {}
    class TableFactory {
      storage() {
        return new TableStorage();
      }
    }
    await assert.rejects(
      servingPlugin({ QUIET: Quiet }, { factory: new TableFactory() }),
      (error) => {
        assert.ok(error instanceof DurableObjectError);
        assert.equal(error.code, "ERR_STORAGE_FACTORY");
        assert.match(error.message, /\(TableFactory\) keeps data in a TableStorage/);
        assert.match(error.message, /durableObjectsPersist/);
        return true;
      },
    );
  });
});
