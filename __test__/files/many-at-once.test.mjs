// Many objects of a directory at the same moment: few are open, few threads work, and everything ends.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { after, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { temporaryDirectory } from "../support/cli.mjs";
import { options, storageOf } from "../support/files.mjs";
import { ask, withDirectory, withPeers } from "../support/history/peers.mjs";
import { testManyObjects } from "../support/many.mjs";

const made = [];
after(() => Promise.all(made.map((it) => rm(it, { recursive: true, force: true }))));

for (const durableObjectsDurability of ["fsync", "process"]) {
  const settings = async () => {
    const root = await mkdtemp(path.join(os.tmpdir(), "ferroflare-many-"));
    made.push(root);
    return { durableObjectsPersist: root, durableObjectsDurability };
  };
  testManyObjects(`files, ${durableObjectsDurability}`, settings, { openMax: 64 });
}

describe("while many objects are opened", () => {
  test("a process with too few descriptors tells an error for some, does the others, and goes on", () =>
    withDirectory((directory) =>
      withPeers(
        1,
        { directory },
        async (peer) => {
          const ends = await ask(peer, "tryMany", "few", 300);
          const refused = ends.filter((end) => end !== null);
          for (const { code, message } of refused) {
            assert.equal(code, "ERR_STORAGE_IO", message);
            assert.match(message, /Too many open files/);
          }
          assert.ok(refused.length < 300, "none was written");
          const written = ends.indexOf(null);
          assert.equal(await ask(peer, "get", `few${written}`, "at"), written);
        },
        { command: ["prlimit", "--nofile=150"] },
      ),
    ));

  test("transactions that keep more objects open than may be wait for others, and commit", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = new Miniflare({ ...options, durableObjectsPersist: root, durableObjectsMaxOpen: 4 });
    t.after(() => mf.dispose());
    const at = async (name) => (await storageOf(mf, name)).storage;
    const numbers = Array.from({ length: 24 }, (_, i) => i);
    await Promise.all(numbers.map(async (i) => (await at(`stored ${i}`)).put("key", i)));
    const runs = numbers.map(async (i) => {
      const [mine, other] = [await at(`stored ${i}`), await at(`other ${i}`)];
      await mine.transaction(async (txn) => {
        const value = await txn.get("key");
        await other.put("key", value);
        await txn.put("copied", await other.get("key"));
      });
      return mine.get("copied");
    });
    assert.deepEqual(await Promise.all(runs), numbers);
  });
});

test("two processes hand over 200 objects, again and again, and lose no write", () =>
  withDirectory((directory) =>
    withPeers(2, { directory, maxOpen: 64 }, async (...peers) => {
      for (let round = 0; round < 3; round++) {
        await Promise.all(peers.map((peer) => ask(peer, "countEach", "object ", 200, "count")));
      }
      const counts = await ask(peers[0], "countEach", "object ", 200, "count");
      assert.deepEqual(new Set(counts), new Set([7]));
    }),
  ));
