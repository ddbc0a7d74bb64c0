// What is wrong with the files of a SQLite-backed object is one clear error with path and remedy. Other objects go on, and nothing is changed.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { nodeProgram, publishedVersions } from "../../scripts/lib/node-versions.mjs";
import { packageRoot, runModule, temporaryDirectory } from "../support/cli.mjs";
import { cutTail, garble, halve, zero } from "../support/damage.mjs";
import { filesIn } from "../support/files.mjs";
import { ask, withDirectory, withPeers } from "../support/history/peers.mjs";
import { serveStore } from "../support/sqlite-store.mjs";

const ALARM = 4_000_000_000_000;
const ROWS = 50;
const programs = {
  write: `
    sql.exec("CREATE TABLE IF NOT EXISTS t(n, fill)");
    for (let n = 0; n < ${ROWS}; n++) sql.exec("INSERT INTO t VALUES (?, ?)", n, "x".repeat(500));
    kv.put("key", "value");
    await storage.setAlarm(${ALARM});`,
  look: `
    const [{ n, length }] = sql.exec("SELECT count(*) AS n, sum(length(fill)) AS length FROM t").toArray();
    return [n, length, kv.get("key"), await storage.getAlarm()];`,
};
const WHOLE = [ROWS, ROWS * 500, "value", ALARM];

async function serve(t, root) {
  const served = await serveStore(undefined, programs, {
    members: "alarm() {}",
    durableObjectsPersist: root,
  });
  t.after(() => served.mf.dispose());
  return served;
}

/** A root with objects "a" and "b" that were closed, the directory of "a", and its database. */
async function rootWithObjects(t) {
  const root = path.join(await temporaryDirectory(t), "data");
  const { mf, store, namespace } = await serve(t, root);
  for (const name of ["a", "b"]) await store(name).write();
  await mf.dispose();
  const directory = path.join(root, "STORE", String(namespace.idFromName("a")));
  return { root, directory, file: path.join(directory, "object.sqlite") };
}

/** The contents of the files of a directory. */
const contentsOf = (directory) =>
  filesIn(directory).map((file) => [file, readFileSync(file).toString("latin1")]);

/** Asserts that all ways to an object fail with one line that names the path and what to do. */
async function assertRefused({ store, storage }, code, place, advice) {
  const check = (error) => {
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(place), error.message);
    assert.match(error.message, advice);
    assert.doesNotMatch(error.message, /\n|undefined|\.\.$/);
    return true;
  };
  await assert.rejects(async () => storage(), check);
  await assert.rejects(async () => store().look(), check);
  await assert.rejects(async () => store().write(), check);
}

const damages = {
  "a garbled beginning": (file) => garble(file, 0),
  "half a database": halve,
  "a database without its last page": (file) =>
    truncateSync(file, readFileSync(file).length - 4096),
  "a database whose last page is cut off": cutTail,
  "a zeroed database": zero,
  "an empty database": (file) => writeFileSync(file, ""),
  "a missing database": rmSync,
  "a text": (file) => writeFileSync(file, "This is no database.\n".repeat(1000)),
  "a short text": (file) => writeFileSync(file, "text"),
};

for (const [what, damage] of Object.entries(damages)) {
  test(`sqlite damage: ${what} is reported, and the object works again once it is repaired`, async (t) => {
    const { root, directory, file } = await rootWithObjects(t);
    const copy = `${root} copy`;
    cpSync(directory, copy, { recursive: true });
    damage(file);
    const damaged = contentsOf(directory);
    const served = await serve(t, root);
    await assertRefused(
      served,
      "ERR_STORAGE_CORRUPT",
      directory,
      /Restore it from a copy, or delete the directory to begin with an empty object\.$/,
    );
    assert.deepEqual(contentsOf(directory), damaged, "nothing is changed");
    assert.deepEqual(await served.store("b").look(), WHOLE);

    rmSync(directory, { recursive: true });
    cpSync(copy, directory, { recursive: true });
    assert.deepEqual(await served.store().look(), WHOLE);
  });
}

test("sqlite damage: a deleted directory of a corrupt object starts it again, as the error says", async (t) => {
  const { root, directory, file } = await rootWithObjects(t);
  garble(file, 0);
  const { store, storage } = await serve(t, root);
  await assert.rejects(async () => store().look(), { code: "ERR_STORAGE_CORRUPT" });
  rmSync(directory, { recursive: true });
  assert.equal((await (await storage()).list()).size, 0);
  await store().write();
  assert.deepEqual(await store().look(), WHOLE);
});

test("sqlite damage: a page that is garbled is reported when it is read, and read again once it is repaired", async (t) => {
  const { root, directory, file } = await rootWithObjects(t);
  const copy = `${root} copy`;
  cpSync(directory, copy, { recursive: true });
  const bytes = readFileSync(file);
  // The first page is the schema: what follows are tables.
  bytes.fill(0x5a, 4096, bytes.length);
  writeFileSync(file, bytes);
  const { store } = await serve(t, root);
  const refused = { code: "ERR_STORAGE_CORRUPT", message: /malformed.*Restore it from a copy/ };
  await assert.rejects(async () => store().look(), refused);
  await assert.rejects(async () => store().look(), refused);
  assert.deepEqual(await store("b").look(), WHOLE);
  rmSync(directory, { recursive: true });
  cpSync(copy, directory, { recursive: true });
  assert.deepEqual(await store().look(), WHOLE);
});

test("sqlite damage: a directory in the place of the database is named", async (t) => {
  const { root, file } = await rootWithObjects(t);
  rmSync(file);
  mkdirSync(file);
  await assertRefused(await serve(t, root), "ERR_STORAGE_IO", file, /Is a directory/);
});

test("sqlite damage: a torn end of the log takes whole turns only, from the newest on", () =>
  withDirectory(async (directory) => {
    const settings = { directory, durability: "process", sqlite: true };
    const log = await withPeers(1, settings, async (peer) => {
      for (let number = 1; number <= 20; number++) await ask(peer, "sqlWrite", "o", number, "x");
      return path.join(directory, "PEER", await ask(peer, "id", "o"), "object.sqlite-wal");
    });
    const whole = readFileSync(log);
    let before = 20;
    for (const cut of [1, 5000, 30_000, 100_000]) {
      writeFileSync(log, whole.subarray(0, whole.length - cut));
      const copy = `${directory} copy`;
      cpSync(directory, copy, { recursive: true });
      try {
        const found = await withPeers(1, { ...settings, directory: copy }, (peer) =>
          ask(peer, "sqlLook", "o"),
        );
        const [numbers, last, alarm] = found;
        assert.deepEqual(
          numbers,
          Array.from({ length: numbers.length }, (_, at) => at + 1),
        );
        assert.deepEqual([last, alarm], [numbers.length, numbers.length]);
        assert.ok(
          numbers.length < 20 && numbers.length <= before,
          `${numbers.length} after ${cut}`,
        );
        before = numbers.length;
      } finally {
        rmSync(copy, { recursive: true });
      }
    }
    assert.ok(before > 0, "the cuts leave some turns");
  }));

test("sqlite damage: a database of another program is used as it is, and keeps its tables", async (t) => {
  const { root, file } = await rootWithObjects(t);
  rmSync(file);
  // better-sqlite3 wants Node.js 22.
  const { version } = (await publishedVersions()).find(({ line }) => line === "24");
  const inOther = async (source) => {
    const program = `
      const Database = require("better-sqlite3");
      const db = new Database(process.argv[1]);
      ${source}
      db.close();`;
    const { stdout } = await promisify(execFile)(
      await nodeProgram(version),
      ["-e", program, file],
      {
        cwd: packageRoot,
      },
    );
    return stdout;
  };
  await inOther(
    "db.pragma(\"page_size = 512\"); db.exec(\"CREATE TABLE songs(title); INSERT INTO songs VALUES ('one'), ('two')\");",
  );
  const { mf, storage } = await serve(t, root);
  const outside = await storage();
  assert.deepEqual([...outside.sql.exec("SELECT title FROM songs").raw()].flat(), ["one", "two"]);
  assert.equal((await outside.list()).size, 0);
  assert.equal(await outside.getAlarm(), null);
  outside.sql.exec("INSERT INTO songs VALUES ('three')");
  await outside.put("key", "value");
  await mf.dispose();
  const found = await inOther(
    'console.log(JSON.stringify([db.prepare("SELECT title FROM songs").pluck().all(), db.prepare("SELECT key FROM _cf_KV").pluck().all(), db.pragma("integrity_check", { simple: true })]));',
  );
  assert.deepEqual(JSON.parse(found), [["one", "two", "three"], ["key"], "ok"]);
});

/** Says what happens to reads and writes of an object that exists, and of another one. */
const tryAll = (root) => `
import { serveStore } from ${JSON.stringify(new URL("../support/sqlite-store.mjs", import.meta.url).href)};
const { mf, store, storage } = await serveStore(undefined, ${JSON.stringify(programs)}, { members: "alarm() {}", durableObjectsPersist: ${JSON.stringify(root)} });
const said = async (work) => {
  try {
    return await work();
  } catch (error) {
    return [error.code, error.message];
  }
};
console.log(JSON.stringify([
  await said(() => store().look()),
  await said(() => store().write()),
  await said(async () => (await storage()).list()),
  await said(() => store("fresh").write()),
]));
await mf.dispose();
`;

function assertAllRefused(stdout, root, advice) {
  for (const [code, message] of JSON.parse(stdout)) {
    assert.equal(code, "ERR_STORAGE_IO", message);
    assert.ok(message.includes(root), message);
    assert.match(message, advice);
  }
}

/** Whether this user may make mounts. */
const canMount =
  spawnSync("unshare", ["-rm", "sh", "-c", 'mount --bind "$1" "$1"', "sh", packageRoot]).status ===
  0;

async function testReadOnly(t) {
  const { root } = await rootWithObjects(t);
  const before = contentsOf(root);
  const script =
    'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" --experimental-vm-modules --no-warnings --input-type=module --eval "$3"';
  const run = spawnSync(
    "unshare",
    ["-rm", "sh", "-c", script, "sh", root, process.execPath, tryAll(root)],
    { cwd: packageRoot, encoding: "utf8", timeout: 60_000 },
  );
  assert.deepEqual([run.status, run.stderr], [0, ""]);
  assertAllRefused(
    run.stdout,
    root,
    /Read-only file system.* Make it writable, or use another directory\.$/,
  );
  assert.deepEqual(contentsOf(root), before);
}

if (canMount) {
  test(
    "sqlite damage: a directory that is mounted read-only is named, also to readers",
    testReadOnly,
  );
}

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

test(`sqlite damage: files of another user are named ${isRoot ? "(as nobody)" : "(as this user)"}`, async (t) => {
  const { root, directory } = await rootWithObjects(t);
  for (const place of [path.dirname(root), root]) chmodSync(place, 0o755);
  if (!isRoot) {
    const places = [path.join(root, ".ferroflare", "locks"), directory, root];
    for (const place of places) chmodSync(place, 0o555);
    t.after(() => places.map((place) => chmodSync(place, 0o755)));
    for (const file of filesIn(root)) chmodSync(file, 0o444);
  }
  const become = isRoot ? `process.setgid(${NOBODY});\nprocess.setuid(${NOBODY});\n` : "";
  const run = await runModule(tryAll(root).replace("const said", `${become}const said`));
  assert.deepEqual([run.code, run.stderr, run.hung], [0, "", false]);
  assertAllRefused(
    run.stdout,
    root,
    /Permission denied.* Make it writable, or use another directory\.$/,
  );
});

test("sqlite damage: what a killed process has left of an unfinished database is no error", () =>
  withDirectory(async (directory) => {
    const settings = { directory, durability: "process", sqlite: true };
    const place = await withPeers(1, settings, async (peer) => {
      await ask(peer, "sqlWrite", "o", 1, "x");
      return path.join(directory, "PEER", await ask(peer, "id", "o"));
    });
    assert.ok(readdirSync(place).includes("UNFINISHED"), readdirSync(place).join());
    await withPeers(1, settings, async (peer) => {
      assert.deepEqual(await ask(peer, "sqlLook", "o"), [[1], 1, 1]);
    });
  }));
