// What the file system does to a running process: one clear error, a reset object, and everything works again afterwards.
import assert from "node:assert/strict";
import { readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { sleep } from "../support/child.mjs";
import { ask, withDirectory, withPeers } from "../support/history/peers.mjs";
import { limit, mounting, mountPoint } from "../support/limits.mjs";

const VALUE = "x".repeat(30_000);

/** What an act of a peer is refused with. */
async function refusal(...asked) {
  try {
    await ask(...asked);
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: `${asked.slice(1).join(" ")} was not refused` });
}

/** Increments the key "key" of the object "o" of the peers, and ends in good order: others may then open it to read. */
async function incrementAndClose({ directory, durability }, count) {
  const mf = new Miniflare({
    modules: true,
    script: "export class Peer {}; export default { fetch() {} }",
    durableObjects: { PEER: "Peer" },
    durableObjectsPersist: directory,
    durableObjectsDurability: durability,
  });
  const id = (await mf.getDurableObjectNamespace("PEER")).idFromName("o");
  const storage = await mf.getDurableObjectStorage(id);
  for (let i = 0; i < count; i++) {
    await storage.transaction(async (txn) => txn.put("key", ((await txn.get("key")) ?? 0) + 1));
  }
  await mf.dispose();
}

describe("faults", { concurrency: 2 }, () => {
  for (const durability of ["fsync", "process"]) {
    test(`a write to a directory that has been deleted fails, and the next one starts again (${durability})`, () =>
      withDirectory(async (directory) => {
        const settings = { directory, durability };
        await withPeers(1, settings, async (peer) => {
          await ask(peer, "put", "o", "lost", 1);
          await rm(directory, { recursive: true });
          const { code, message } = await refusal(peer, "put", "o", "refused", 1);
          assert.equal(code, "ERR_STORAGE_VANISHED");
          assert.match(message, /has been deleted or moved while it was in use/);
          assert.deepEqual(await ask(peer, "list", "o"), []);
          await ask(peer, "put", "o", "kept", 1);
          assert.deepEqual(await ask(peer, "list", "o"), [["kept", 1]]);
        });
        assert.deepEqual(await withPeers(1, settings, (peer) => ask(peer, "list", "o")), [
          ["kept", 1],
        ]);
      }));
  }

  test("a directory that is moved away and back again loses nothing that was acknowledged", () =>
    withDirectory(async (directory) => {
      const root = path.join(directory, "root");
      const away = path.join(directory, "away");
      await withPeers(1, { directory: root }, async (peer) => {
        await ask(peer, "put", "o", "kept", 1);
        await rename(root, away);
        assert.equal((await refusal(peer, "put", "o", "refused", 1)).code, "ERR_STORAGE_VANISHED");
        await rename(away, root);
        assert.equal(await ask(peer, "get", "o", "kept"), 1);
        await ask(peer, "put", "o", "more", 2);
        assert.equal(await ask(peer, "get", "o", "more"), 2);
      });
    }));

  const LOCKS = path.join(".ferroflare", "locks");

  for (const durability of ["fsync", "process"]) {
    test(`what has only been read is not written over what others wrote after the lock files were deleted (${durability})`, () =>
      withDirectory(async (directory) => {
        const settings = { directory, durability };
        const increments = (count) => incrementAndClose(settings, count);
        await increments(5);
        await withPeers(1, settings, async (reader) => {
          assert.equal(await ask(reader, "get", "o", "key"), 5);
          await rm(path.join(directory, LOCKS), { recursive: true });
          await increments(10);
          const { code, message } = await refusal(reader, "transact", "o", "key");
          assert.equal(code, "ERR_STORAGE_VANISHED", message);
          assert.match(message, /^The lock file .*locks.* has been deleted or moved .*Leave/);
          assert.equal(await ask(reader, "get", "o", "key"), 15);
          await ask(reader, "transact", "o", "key");
          assert.equal(await ask(reader, "get", "o", "key"), 16);
        });
      }));

    test(`what has only been read is not taken for what is there after the directory was deleted (${durability})`, () =>
      withDirectory(async (directory) => {
        const settings = { directory, durability };
        await incrementAndClose(settings, 5);
        await withPeers(1, settings, async (reader) => {
          assert.equal(await ask(reader, "get", "o", "key"), 5);
          await rm(path.join(directory, "PEER"), { recursive: true });
          const { code, message } = await refusal(reader, "transact", "o", "key");
          assert.equal(code, "ERR_STORAGE_VANISHED", message);
          assert.equal(await ask(reader, "get", "o", "key"), null);
          await ask(reader, "transact", "o", "key");
          assert.equal(await ask(reader, "get", "o", "key"), 1);
        });
      }));

    test(`a writer whose lock file was deleted writes nothing more, and then goes on (${durability})`, () =>
      withDirectory(async (directory) => {
        await withPeers(2, { directory, durability }, async (writer, other) => {
          await ask(writer, "put", "o", "key", 1);
          await rename(path.join(directory, LOCKS), path.join(directory, "moved"));
          // RocksDB's own lock still keeps others away.
          const held = await refusal(other, "put", "o", "key", 2);
          assert.equal(held.code, "ERR_STORAGE_HELD", held.message);
          assert.match(held.message, /is open in another program.*Close it there, or use another/);
          const vanished = await refusal(writer, "put", "o", "key", 3);
          assert.equal(vanished.code, "ERR_STORAGE_VANISHED", vanished.message);
          assert.equal(await ask(other, "get", "o", "key"), 1);
          await ask(other, "put", "o", "key", 4);
          await ask(writer, "transact", "o", "key");
          assert.equal(await ask(other, "get", "o", "key"), 5);
        });
      }));
  }

  test("only the object whose directory was deleted starts again", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory }, async (peer) => {
        await ask(peer, "put", "kept", "key", 1);
        await ask(peer, "put", "deleted", "key", 1);
        await rm(path.join(directory, "PEER", await ask(peer, "id", "deleted")), {
          recursive: true,
        });
        assert.equal(
          (await refusal(peer, "put", "deleted", "key", 2)).code,
          "ERR_STORAGE_VANISHED",
        );
        await ask(peer, "put", "kept", "more", 2);
        assert.deepEqual(await ask(peer, "list", "kept"), [
          ["key", 1],
          ["more", 2],
        ]);
        assert.deepEqual(await ask(peer, "list", "deleted"), []);
      });
    }));

  test("a flush that fails makes the response of an object an error, and the object is constructed again", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory }, async (peer) => {
        const first = await ask(peer, "fetch", "o", "/put?key=a&value=1");
        assert.equal(await ask(peer, "fetch", "o", "/put?key=b&value=1"), first);
        await rm(directory, { recursive: true });
        // The object does not wait for the write, and answers: the output gate keeps the answer back.
        const { code, message } = await refusal(peer, "fetch", "o", "/put?key=c&value=1");
        assert.equal(code, "ERR_STORAGE_VANISHED", message);
        const second = await ask(peer, "fetch", "o", "/put?key=d&value=1");
        assert.notEqual(second, first);
        assert.equal(await ask(peer, "fetch", "o", "/get?key=d"), "1");
        assert.equal(await ask(peer, "fetch", "o", "/get?key=a"), "undefined");
      });
    }));

  test("a transaction whose commit cannot be written rejects, and leaves nothing", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory }, async (peer) => {
        await ask(peer, "put", "o", "key", 1);
        limit(peer, "fsize", 0);
        const { code, message } = await refusal(peer, "transact", "o", "key");
        assert.equal(code, "ERR_STORAGE_IO", message);
        limit(peer, "fsize", "unlimited");
        assert.deepEqual(await ask(peer, "list", "o"), [["key", 1]]);
        await ask(peer, "transact", "o", "key");
        assert.deepEqual(await ask(peer, "list", "o"), [["key", 2]]);
      });
    }));

  test("writes of one turn are kept or refused as a whole, even when there is room for only one of them", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory }, async (peer) => {
        await ask(peer, "put", "o", "key", 1);
        const files = path.join(directory, "PEER", await ask(peer, "id", "o"));
        const [log] = (await readdir(files)).filter((file) => file.endsWith(".log"));
        const { size } = await stat(path.join(files, log));
        limit(peer, "fsize", size + 45_000);
        assert.equal(await ask(peer, "putTogether", "o", ["a", "b"], VALUE), 2);
        limit(peer, "fsize", "unlimited");
        assert.deepEqual(await ask(peer, "list", "o"), [["key", 1]]);
        assert.equal(await ask(peer, "putTogether", "o", ["a", "b"], 2), 0);
        assert.deepEqual(await ask(peer, "list", "o"), [
          ["a", 2],
          ["b", 2],
          ["key", 1],
        ]);
      });
    }));

  for (const durability of ["fsync", "process"]) {
    test(`a file that cannot grow refuses writes until it can, and keeps what was acknowledged (${durability})`, () =>
      withDirectory(async (directory) => {
        const settings = { directory, durability };
        await withPeers(1, settings, async (peer) => {
          for (let at = 0; at < 10; at++) await ask(peer, "put", "o", `kept${at}`, VALUE);
          limit(peer, "fsize", 100_000);
          const { code } = await refusal(peer, "put", "o", "refused", VALUE);
          assert.equal(code, "ERR_STORAGE_IO");
          limit(peer, "fsize", "unlimited");
          await ask(peer, "put", "o", "later", VALUE);
        });
        const keys = await withPeers(1, settings, async (peer) =>
          (await ask(peer, "list", "o")).map(([key]) => key),
        );
        assert.deepEqual(
          keys.filter((key) => key !== "refused"),
          [...Array.from({ length: 10 }, (_, at) => `kept${at}`), "later"],
        );
      }));

    test(`a full disk refuses writes with one clear error until there is space, and keeps what was acknowledged (${durability})`, {
      skip: mounting === undefined && "this system does not allow to mount a small file system",
    }, async () => {
      const directory = path.join(mountPoint, "root");
      await withPeers(
        1,
        { directory, durability },
        async (peer) => {
          const kept = [];
          for (let at = 0; at < 10; at++) {
            await ask(peer, "put", "o", `kept${at}`, VALUE);
            kept.push(`kept${at}`);
          }
          await ask(peer, "fill", mountPoint);
          const refused = [];
          for (let at = 0; at < 5; at++) {
            refused.push(await refusal(peer, "put", "o", `refused${at}`, VALUE));
            refused.push(await refusal(peer, "put", `new${at}`, "key", VALUE));
          }
          for (const { code, message } of refused) {
            assert.equal(code, "ERR_STORAGE_IO", message);
            assert.match(message, /No space left.* Free some space on that disk/);
          }
          assert.equal(await ask(peer, "fetch", "o", "/get?key=kept0").catch(() => VALUE), VALUE);
          await ask(peer, "free", mountPoint);
          for (let at = 0; at < 5; at++) {
            await ask(peer, "put", "o", `later${at}`, VALUE);
            await ask(peer, "put", `new${at}`, "key", at);
            kept.push(`later${at}`);
            assert.deepEqual(await ask(peer, "list", `new${at}`), [["key", at]]);
          }
          const keys = (await ask(peer, "list", "o")).map(([key]) => key);
          assert.deepEqual(
            keys.filter((key) => !key.startsWith("refused")),
            kept,
          );
        },
        { command: mounting },
      );
    });
  }

  test("too few file descriptors give one clear error, and lose nothing once there are more", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory }, async (peer) => {
        await ask(peer, "put", "first", "key", 1);
        limit(peer, "nofile", 60);
        const ends = await ask(peer, "tryMany", "o", 30);
        const refused = ends.filter((end) => end !== null);
        assert.notEqual(refused.length, 0);
        for (const { code, message } of refused) {
          assert.equal(code, "ERR_STORAGE_IO", message);
          assert.match(message, /Too many open files.*Lower durableObjectsMaxOpen/s);
        }
        limit(peer, "nofile", 1024);
        assert.equal(await ask(peer, "get", "first", "key"), 1);
        for (const [at, end] of ends.entries()) {
          const found = await ask(peer, "get", `o${at}`, "at");
          assert.equal(found, end === null ? at : null, `object ${at}`);
        }
        assert.deepEqual(await ask(peer, "tryMany", "o", 30), Array(30).fill(null));
      });
    }));

  test("an object that is emptied and written all the time never fails, and leaves no directory when it ends empty", () =>
    withDirectory(async (directory) => {
      await withPeers(1, { directory }, async (peer) => {
        assert.equal(await ask(peer, "flicker", "o", 300), 300);
        await ask(peer, "deleteAll", "o");
        assert.deepEqual(await readdir(path.join(directory, "PEER")), []);
        // The lock goes a moment after the answer, when the database is closed.
        while ((await readdir(path.join(directory, ".ferroflare", "locks"))).length > 0)
          await sleep(5);
      });
    }));
});
