// Many objects in one directory: memory and open files stay bounded, however many there are. FERROFLARE_OBJECTS sets how many.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { temporaryDirectory } from "../support/cli.mjs";
import { objectsIn, openFiles, options, storageOf } from "../support/files.mjs";

const OBJECTS = Number(process.env.FERROFLARE_OBJECTS ?? 1500);
const KEYS = 10;
const OPEN_MAX = 64;
/** Objects that are opened at the same time come on top, until they are closed again. */
const AT_ONCE = 16;
/** A database has a handful of files open, and the lock beside it. */
const FILES_EACH_MAX = 12;
/**
 * What the process may grow by from the first objects to the last: some kilobytes for each, and what is shared. The
 * databases that are open at once, and garbage that is not collected yet, take up to 70 MiB.
 */
const GROWTH_BYTES_MAX = 80 * 2 ** 20 + OBJECTS * 4096;
const onLinux = process.platform === "linux";

const keys = Array.from({ length: KEYS }, (_, i) => `key ${i}`);
const pairsOf = (i) => Object.fromEntries(keys.map((key) => [key, `${key} of ${i}`]));

let root;
let mf;
let cleanUp;

before(async () => {
  root = await temporaryDirectory({
    after(remove) {
      cleanUp = remove;
    },
  });
  mf = new Miniflare({
    ...options,
    durableObjectsPersist: root,
    durableObjectsMaxOpen: OPEN_MAX,
    durableObjectsDurability: "process",
  });
});

after(async () => {
  await mf.dispose();
  await cleanUp();
});

const storage = async (i) => (await storageOf(mf, `object ${i}`)).storage;

/** Does `work` for each number below `count`, some at the same time. */
async function forEach(count, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

let filesMost = 0;
function watchFiles() {
  filesMost = Math.max(filesMost, openFiles(root).length);
}

async function read(i) {
  const entries = await (await storage(i)).list();
  assert.deepEqual(Object.fromEntries(entries), pairsOf(i), `object ${i}`);
}

describe(`${OBJECTS} objects of ${KEYS} keys, at most ${OPEN_MAX} open`, () => {
  let startBytes;

  test("all are written, and each is read again when many others have been since", async () => {
    await forEach(OBJECTS, async (i) => {
      await (await storage(i)).put(pairsOf(i));
      if (i === 2 * OPEN_MAX) startBytes = process.memoryUsage.rss();
      if (i % 50 === 0) watchFiles();
      if (i >= OPEN_MAX && i % 5 === 0) await read(i - OPEN_MAX + (i % 7));
    });
    assert.equal(objectsIn(root).length, OBJECTS);
  });

  test("reads and writes all over the place find what was written", async () => {
    let at = 12345;
    await forEach(Math.min(OBJECTS, 600), async () => {
      at = (at * 1103515245 + 12345) % 2 ** 31;
      const i = at % OBJECTS;
      await read(i);
      if (at % 3 === 0) await (await storage(i)).put("key 3", pairsOf(i)["key 3"]);
      watchFiles();
    });
  });

  test("open files and memory stay within bounds", () => {
    if (onLinux) {
      assert.ok(filesMost > OPEN_MAX, `${filesMost} files are fewer than expected`);
      const most = (OPEN_MAX + AT_ONCE) * FILES_EACH_MAX;
      assert.ok(filesMost <= most, `${filesMost} files were open, more than ${most}`);
    }
    const growth = process.memoryUsage.rss() - startBytes;
    assert.ok(
      growth <= GROWTH_BYTES_MAX,
      `grown by ${growth} bytes, more than ${GROWTH_BYTES_MAX}`,
    );
    if (process.env.FERROFLARE_OBJECTS) {
      console.log(`${filesMost} files open at most, memory grown by ${growth >> 20} MiB`);
    }
  });

  test("after dispose() none is open, and all are there for the next instance", async () => {
    await mf.dispose();
    assert.deepEqual(openFiles(root), []);
    mf = new Miniflare({ ...options, durableObjectsPersist: root });
    for (let i = 0; i < OBJECTS; i += 97) await read(i);
  });
});
