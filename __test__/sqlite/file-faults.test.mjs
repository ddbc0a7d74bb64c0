// What the file system does to SQLite-backed objects: one clear error, rows, keys and alarm stay together, and work goes on.
import assert from "node:assert/strict";
import { rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { ask, withDirectory, withPeers } from "../support/history/peers.mjs";
import { limit, mounting, mountPoint } from "../support/limits.mjs";

const FILL = "x".repeat(30_000);

/** What an act of a peer is refused with. */
const refusal = (...asked) => refusalOf(() => ask(...asked));

async function refusalOf(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

/** Two ways to write a row, a key and the alarm together. */
const WAYS = {
  "from outside": (peer, name, number) => ask(peer, "sqlWrite", name, number, FILL),
  "in the object": (peer, name, number) => ask(peer, "sqlCall", name, "write", number, FILL),
};
const refusedTo = (way, ...args) => refusalOf(() => WAYS[way](...args));

const rowsOf = (numbers) => [numbers, numbers.at(-1) ?? 0, numbers.at(-1) ?? 0];

/** Asserts that rows, key and alarm of an object are those of these writes. */
async function assertHolds(peer, name, numbers) {
  assert.deepEqual(await ask(peer, "sqlLook", name), rowsOf(numbers));
}

describe("faults of files of SQLite-backed objects", { concurrency: 2 }, () => {
  for (const durability of ["fsync", "process"]) {
    for (const [way, write] of Object.entries(WAYS)) {
      test(`a write to a directory that has been deleted fails, and the next one starts again (${way}, ${durability})`, () =>
        withDirectory(async (directory) => {
          const settings = { directory, durability, sqlite: true };
          await withPeers(1, settings, async (peer) => {
            await write(peer, "o", 1);
            await rm(directory, { recursive: true });
            const { code, message } = await refusedTo(way, peer, "o", 2);
            assert.equal(code, "ERR_STORAGE_VANISHED", message);
            assert.match(message, /has been deleted or moved while it was in use/);
            await assertHolds(peer, "o", []);
            await write(peer, "o", 3);
            await assertHolds(peer, "o", [3]);
          });
          await withPeers(1, settings, (peer) => assertHolds(peer, "o", [3]));
        }));

      test(`a file that cannot grow refuses writes until it can, and keeps what was acknowledged (${way}, ${durability})`, () =>
        withDirectory(async (directory) => {
          const settings = { directory, durability, sqlite: true };
          await withPeers(1, settings, async (peer) => {
            for (const number of [1, 2, 3]) await write(peer, "o", number);
            limit(peer, "fsize", 100_000);
            const { code, message } = await refusedTo(way, peer, "o", 4);
            assert.equal(code, "ERR_STORAGE_IO", message);
            assert.match(message, /^Cannot write .*object\.sqlite.*: File too large/);
            limit(peer, "fsize", "unlimited");
            await assertHolds(peer, "o", [1, 2, 3]);
            await write(peer, "o", 5);
            await assertHolds(peer, "o", [1, 2, 3, 5]);
          });
          await withPeers(1, settings, (peer) => assertHolds(peer, "o", [1, 2, 3, 5]));
        }));

      test(`a full disk refuses writes with one clear error until there is space, and keeps what was acknowledged (${way}, ${durability})`, {
        skip: mounting === undefined && "this system does not allow to mount a small file system",
      }, async () => {
        const directory = path.join(mountPoint, "root");
        const kept = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        await withPeers(
          1,
          { directory, durability, sqlite: true },
          async (peer) => {
            for (const number of kept) await write(peer, "o", number);
            await ask(peer, "fill", mountPoint);
            for (let at = 0; at < 5; at++) {
              for (const name of ["o", `new${at}`]) {
                const { code, message } = await refusedTo(way, peer, name, 100 + at);
                assert.equal(code, "ERR_STORAGE_IO", message);
                assert.match(message, /No space left.* Free some space on that disk/);
              }
            }
            await ask(peer, "free", mountPoint);
            await assertHolds(peer, "o", kept);
            for (let at = 0; at < 5; at++) {
              await write(peer, "o", 200 + at);
              kept.push(200 + at);
              await write(peer, `new${at}`, at + 1);
              await assertHolds(peer, `new${at}`, [at + 1]);
            }
            await assertHolds(peer, "o", kept);
          },
          { command: mounting },
        );
      });
    }
  }

  test("a directory that is moved away and back again loses nothing that was acknowledged", () =>
    withDirectory(async (directory) => {
      const root = path.join(directory, "root");
      const away = path.join(directory, "away");
      await withPeers(1, { directory: root, sqlite: true }, async (peer) => {
        await ask(peer, "sqlWrite", "o", 1);
        await rename(root, away);
        assert.equal((await refusal(peer, "sqlWrite", "o", 2)).code, "ERR_STORAGE_VANISHED");
        await rename(away, root);
        await assertHolds(peer, "o", [1]);
        await ask(peer, "sqlWrite", "o", 3);
        await assertHolds(peer, "o", [1, 3]);
      });
    }));

  test("only the object whose directory was deleted starts again, and its instance is another one", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory, sqlite: true }, async (peer) => {
        const kept = await ask(peer, "sqlCall", "kept", "write", 1);
        const first = await ask(peer, "sqlCall", "deleted", "write", 1);
        const place = path.join(directory, "PEER", await ask(peer, "id", "deleted"));
        await rm(place, { recursive: true });
        const { code } = await refusal(peer, "sqlCall", "deleted", "write", 2);
        assert.equal(code, "ERR_STORAGE_VANISHED");
        assert.notEqual(await ask(peer, "sqlCall", "deleted", "constructed"), first);
        assert.equal(await ask(peer, "sqlCall", "kept", "write", 2), kept);
        await assertHolds(peer, "kept", [1, 2]);
        await assertHolds(peer, "deleted", []);
      });
    }));

  test("a writer whose lock file was deleted writes nothing more, and then goes on", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory, sqlite: true }, async (peer) => {
        await ask(peer, "sqlWrite", "o", 1);
        await rm(path.join(directory, ".ferroflare", "locks"), { recursive: true });
        const { code, message } = await refusal(peer, "sqlWrite", "o", 2);
        assert.equal(code, "ERR_STORAGE_VANISHED", message);
        assert.match(message, /^The lock file .*locks.* has been deleted or moved .*Leave/);
        await assertHolds(peer, "o", [1]);
        await ask(peer, "sqlWrite", "o", 3);
        await assertHolds(peer, "o", [1, 3]);
      });
    }));

  test("a turn is kept or refused as a whole, even when there is room for a part of it", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory, sqlite: true }, async (peer) => {
        await ask(peer, "sqlWrite", "o", 1);
        const place = path.join(directory, "PEER", await ask(peer, "id", "o"));
        const { size } = await stat(path.join(place, "object.sqlite-wal"));
        limit(peer, "fsize", size + 15_000);
        assert.equal((await refusal(peer, "sqlWrite", "o", 2, FILL)).code, "ERR_STORAGE_IO");
        limit(peer, "fsize", "unlimited");
        await assertHolds(peer, "o", [1]);
        await ask(peer, "sqlWrite", "o", 3, FILL);
        await assertHolds(peer, "o", [1, 3]);
      });
    }));

  test("too few file descriptors give one clear error, and lose nothing once there are more", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory, sqlite: true }, async (peer) => {
        await ask(peer, "sqlWrite", "first", 1);
        limit(peer, "nofile", 60);
        const refused = [];
        for (let at = 0; at < 20; at++) {
          await ask(peer, "sqlCall", `o${at}`, "write", 1).catch((error) =>
            refused.push([at, error]),
          );
        }
        assert.notEqual(refused.length, 0);
        for (const [, { code, message }] of refused) {
          assert.equal(code, "ERR_STORAGE_IO", message);
          assert.match(message, /Too many open files.*Lower durableObjectsMaxOpen/s);
        }
        limit(peer, "nofile", 1024);
        const failed = new Set(refused.map(([at]) => at));
        for (let at = 0; at < 20; at++) {
          await assertHolds(peer, `o${at}`, failed.has(at) ? [] : [1]);
        }
        await ask(peer, "sqlCall", "first", "write", 2);
        await assertHolds(peer, "first", [1, 2]);
      });
    }));
});
