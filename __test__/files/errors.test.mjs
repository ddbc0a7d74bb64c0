// What is wrong with a directory, or with one object in it, is one clear error that names the path and what to do.
// Other objects go on. The object works again when the cause is gone.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import test from "node:test";
import { serialize } from "node:v8";
import { Miniflare } from "../../index.mjs";
import { packageRoot, runCli, runModule, temporaryDirectory } from "../support/cli.mjs";
import { cutTail, garble, halve, setVersion, zero } from "../support/damage.mjs";
import { filesIn, objectsIn, options, storageOf } from "../support/files.mjs";

const KEYS = 50;

function open(t, root, more = {}) {
  const mf = new Miniflare({ ...options, durableObjectsPersist: root, ...more });
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

/** Writes objects "a" and "b" in as many sessions as given: each but the last leaves a table file behind. */
async function writeObjects(t, root, sessions = 1) {
  for (let session = 0; session < sessions; session++) {
    const mf = open(t, root);
    for (const name of ["a", "b"]) {
      const { storage } = await storageOf(mf, name);
      for (let i = 0; i < KEYS; i++) await storage.put(`key ${i}`, `${"x".repeat(500)} ${i}`);
    }
    await mf.dispose();
  }
}

/** A root with objects "a" and "b", and the directory of "a". */
async function rootWithObjects(t, sessions) {
  const root = path.join(await temporaryDirectory(t), "data");
  await writeObjects(t, root, sessions);
  const mf = open(t, root);
  const { id } = await storageOf(mf, "a");
  await mf.dispose();
  return { root, directory: path.join(root, "OBJECT", id) };
}

/** The largest file of a directory with such a name. */
function fileOf(directory, pattern) {
  const files = readdirSync(directory).filter((file) => pattern.test(file));
  assert.ok(files.length > 0, `${pattern} in ${directory}`);
  const sized = files.map((file) => path.join(directory, file));
  return sized.sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0];
}

/** Asserts that every operation on an object fails with one line that names the path. */
async function assertRefused(storage, code, place, advice) {
  const check = (error) => {
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(place), error.message);
    assert.match(error.message, advice);
    assert.doesNotMatch(error.message, /\n|undefined|\.\.$/);
    return true;
  };
  await assert.rejects(storage.list(), check);
  await assert.rejects(storage.put("new", 1), check);
  await assert.rejects(storage.setAlarm(4_000_000_000_000), check);
  await assert.rejects(
    storage.transaction((txn) => txn.list()),
    check,
  );
}

const size = async (storage) => (await storage.list()).size;

const damages = {
  "a garbled manifest": [1, /^MANIFEST-/, (file) => garble(file, 0.3)],
  "half a manifest": [2, /^MANIFEST-/, halve],
  "an empty manifest": [1, /^MANIFEST-/, (file) => writeFileSync(file, "")],
  "a missing manifest": [1, /^MANIFEST-/, rmSync],
  "a garbled CURRENT": [1, /^CURRENT$/, (file) => writeFileSync(file, "nonsense\n")],
  "half a CURRENT": [1, /^CURRENT$/, halve],
  "an empty CURRENT": [1, /^CURRENT$/, (file) => writeFileSync(file, "")],
  "a missing CURRENT beside a log": [1, /^CURRENT$/, rmSync],
  "a missing CURRENT beside a table": [2, /^CURRENT$/, rmSync],
  "a garbled end of a table": [2, /\.sst$/, (file) => garble(file, 0.97)],
  "half a table": [2, /\.sst$/, halve],
  "a missing table": [2, /\.sst$/, rmSync],
  "a log that is garbled in the middle": [1, /\.log$/, garble],
  "a manifest whose end is cut off": [2, /^MANIFEST-/, cutTail],
  "a missing log": [1, /\.log$/, rmSync],
  "an empty log": [2, /\.log$/, (file) => writeFileSync(file, "")],
  "a zeroed log": [2, /\.log$/, zero],
  "half a log": [1, /\.log$/, halve],
};

for (const [what, [sessions, pattern, damage]] of Object.entries(damages)) {
  test(`errors: ${what} is reported, and the object works again once it is repaired`, async (t) => {
    const { root, directory } = await rootWithObjects(t, sessions);
    const copy = `${root} copy`;
    cpSync(directory, copy, { recursive: true });
    damage(fileOf(directory, pattern));
    const damaged = filesIn(directory);
    const mf = open(t, root);
    const { storage } = await storageOf(mf, "a");
    const { storage: other } = await storageOf(mf, "b");

    await assertRefused(
      storage,
      "ERR_STORAGE_CORRUPT",
      directory,
      /Restore it from a copy, or delete/,
    );
    assert.deepEqual(filesIn(directory), damaged, "nothing is deleted");
    assert.equal(await size(other), KEYS);
    await other.put("more", 1);

    rmSync(directory, { recursive: true });
    cpSync(copy, directory, { recursive: true });
    assert.equal(await size(storage), KEYS);
    await storage.put("more", 1);
    await mf.dispose();
    const again = open(t, root);
    assert.equal(await size((await storageOf(again, "a")).storage), KEYS + 1);
    assert.equal(await size((await storageOf(again, "b")).storage), KEYS + 1);
  });
}

test("errors: a block that is garbled inside a table is reported, and read again once it is repaired", async (t) => {
  const { root, directory } = await rootWithObjects(t, 2);
  const copy = `${root} copy`;
  cpSync(directory, copy, { recursive: true });
  garble(fileOf(directory, /\.sst$/), 0.05);
  const mf = open(t, root);
  const { storage } = await storageOf(mf, "a");
  const refused = {
    code: "ERR_STORAGE_CORRUPT",
    message: /checksum mismatch.*Restore it from a copy/,
  };
  await assert.rejects(storage.list(), refused);
  await assert.rejects(storage.list(), refused);
  await assert.rejects(
    storage.transaction((txn) => txn.list()),
    refused,
  );
  assert.equal(await size((await storageOf(mf, "b")).storage), KEYS);
  rmSync(directory, { recursive: true });
  cpSync(copy, directory, { recursive: true });
  assert.equal(await size(storage), KEYS);
  await storage.put("more", 1);
  assert.equal(await size(storage), KEYS + 1);
});

test("errors: a deleted directory of a corrupt object starts it again, as the error says", async (t) => {
  const { root, directory } = await rootWithObjects(t, 1);
  garble(fileOf(directory, /^MANIFEST-/), 0.3);
  const mf = open(t, root);
  const { storage } = await storageOf(mf, "a");
  await assert.rejects(storage.get("key 1"), { code: "ERR_STORAGE_CORRUPT" });
  rmSync(directory, { recursive: true });
  assert.equal(await size(storage), 0);
  await storage.put("new", 1);
  assert.equal(await storage.get("new"), 1);
});

test("errors: a worker gets the error of its object, and other objects of it go on", async (t) => {
  const { root, directory } = await rootWithObjects(t, 1);
  garble(fileOf(directory, /^MANIFEST-/), 0.3);
  const mf = open(t, root);
  await assert.rejects(mf.dispatchFetch("http://localhost:8787/a"), {
    code: "ERR_STORAGE_CORRUPT",
  });
  const response = await mf.dispatchFetch("http://localhost:8787/b");
  assert.equal(await response.text(), "1");
});

test("errors: an object of a newer version is left alone", async (t) => {
  const { root, directory } = await rootWithObjects(t, 1);
  const copy = `${root} copy`;
  cpSync(directory, copy, { recursive: true });
  setVersion(fileOf(directory, /\.log$/), 2);
  // What it says is of the version before.
  rmSync(path.join(root, ".ferroflare", "locks", `OBJECT.${path.basename(directory)}`));
  const mf = open(t, root);
  const { storage } = await storageOf(mf, "a");
  await assertRefused(
    storage,
    "ERR_STORAGE_FORMAT",
    directory,
    /newer version .*\(format 2\)\. Update ferroflare/,
  );
  assert.equal(await size((await storageOf(mf, "b")).storage), KEYS);
  rmSync(directory, { recursive: true });
  cpSync(copy, directory, { recursive: true });
  assert.equal(await size(storage), KEYS);
});

/** What refuses a whole directory: how it is made so, and the error. */
const roots = {
  "of a newer version": {
    async spoil(root) {
      writeFileSync(path.join(root, ".ferroflare", "format"), "2\n");
      return root;
    },
    code: "ERR_STORAGE_FORMAT",
    message:
      /newer version of ferroflare \(format 2\)\. Update ferroflare, or use another directory\.$/,
  },
  "with a garbled marker": {
    async spoil(root) {
      writeFileSync(path.join(root, ".ferroflare", "format"), "nonsense");
      return path.join(root, ".ferroflare", "format");
    },
    code: "ERR_STORAGE_CORRUPT",
    message: /it holds no version\. Restore it from a copy\..* write 1 into it instead/,
  },
  "that is a file": {
    async spoil(root) {
      renameSync(root, `${root} moved`);
      writeFileSync(root, "a file");
      return root;
    },
    code: "ERR_STORAGE_NOT_A_DIRECTORY",
    message: /is not a directory.*use another directory\.$/,
  },
  "whose parent is a file": {
    async spoil(root) {
      const parent = path.dirname(root);
      renameSync(parent, `${parent} moved`);
      writeFileSync(parent, "a file");
      return parent;
    },
    code: "ERR_STORAGE_NOT_A_DIRECTORY",
    message: /is not a directory.*use another directory\.$/,
  },
  "that Miniflare 2 has written": {
    async spoil(root) {
      const id = "0".repeat(64);
      renameSync(root, `${root} moved`);
      mkdirSync(path.join(root, "OBJECT", id), { recursive: true });
      writeFileSync(path.join(root, "OBJECT", id, "key"), serialize(1));
      return path.join(root, "OBJECT", id);
    },
    code: "ERR_STORAGE_OLD_DATA",
    message: /of Miniflare 2\. Convert it with `npx ferroflare import .* <new directory>`/,
  },
};

for (const [what, { spoil, code, message }] of Object.entries(roots)) {
  test(`errors: a directory ${what} is refused by the API and the command line`, async (t) => {
    const parent = await temporaryDirectory(t);
    t.after(() => rmSync(`${parent} moved`, { recursive: true, force: true }));
    const root = path.join(parent, "data");
    await writeObjects(t, root);
    const place = await spoil(root);
    const before = existsSync(root) ? filesIn(root) : [];

    const mf = open(t, root);
    const check = (error) => {
      assert.equal(error.code, code, error.message);
      assert.ok(error.message.includes(place), error.message);
      assert.match(error.message, message);
      return true;
    };
    await assert.rejects(storageOf(mf, "a"), check);
    await assert.rejects(mf.dispatchFetch("http://localhost:8787/a"), check);

    const worker = path.join(packageRoot, "__test__", "fixtures", "objects", "worker.mjs");
    const run = await runCli([
      worker,
      "--do",
      "OBJECT=Object1",
      "--port",
      "0",
      "--do-persist",
      root,
    ]);
    assert.deepEqual([run.code, run.hung], [1, false], run.stderr);
    assert.match(run.stderr, /^ferroflare: [^\n]*\n$/);
    assert.ok(run.stderr.includes(place), run.stderr);
    assert.match(run.stderr.trim(), message);
    assert.deepEqual(existsSync(root) ? filesIn(root) : [], before);
  });
}

test("errors: a garbled marker is repaired as its error says, and every object is there", async (t) => {
  const { root } = await rootWithObjects(t, 1);
  const marker = path.join(root, ".ferroflare", "format");
  for (const nonsense of ["nonsense", "", Buffer.from([0xff, 0xfe])]) {
    writeFileSync(marker, nonsense);
    const mf = open(t, root);
    await assert.rejects(storageOf(mf, "a"), ({ code, message }) => {
      assert.equal(code, "ERR_STORAGE_CORRUPT");
      assert.doesNotMatch(message, /delete|this object/);
      const [, version] = /write (\d+) into it/.exec(message);
      writeFileSync(marker, version);
      return true;
    });
    const again = open(t, root);
    assert.equal(await size((await storageOf(again, "a")).storage), KEYS);
    await again.dispose();
  }
});

test("errors: an object of Miniflare 2 in a directory of ours is refused, and imported by the command of the error", async (t) => {
  const { root, directory } = await rootWithObjects(t, 1);
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  writeFileSync(path.join(directory, "key"), serialize("old"));
  const mf = open(t, root);
  const { storage } = await storageOf(mf, "a");
  await assertRefused(storage, "ERR_STORAGE_OLD_DATA", directory, /npx ferroflare import/);
  assert.equal(await size((await storageOf(mf, "b")).storage), KEYS);
  assert.deepEqual(readdirSync(directory), ["key"]);

  const imported = await runCli(["import", root, `${root} new`]);
  assert.deepEqual([imported.code, imported.stderr], [0, ""]);
  const converted = open(t, `${root} new`);
  assert.deepEqual([...(await (await storageOf(converted, "a")).storage.list())], [["key", "old"]]);
  assert.equal(await size((await storageOf(converted, "b")).storage), KEYS);
});

/** What is in the place of an object's directory, or of the one above it. */
const obstacles = { "an object": (directory) => directory, "a binding": path.dirname };

for (const [what, placeOf] of Object.entries(obstacles)) {
  test(`errors: a file in the place of ${what} is named, and moving it away helps`, async (t) => {
    const { root, directory } = await rootWithObjects(t, 1);
    const place = placeOf(directory);
    renameSync(place, `${root} moved`);
    writeFileSync(place, "a file");
    const mf = open(t, root);
    const { storage } = await storageOf(mf, "a");
    await assertRefused(storage, "ERR_STORAGE_NOT_A_DIRECTORY", place, /Move it away/);
    rmSync(place);
    renameSync(`${root} moved`, place);
    assert.equal(await size(storage), KEYS);
  });
}

async function testProc(t) {
  const mf = open(t, "/proc/ferroflare/data");
  const refused = {
    code: "ERR_OPTION",
    message: /^Cannot create the directory \/proc\/ferroflare\/data .* in \/proc \(ENOENT\)/,
  };
  await assert.rejects(storageOf(mf, "a"), refused);
  await assert.rejects(mf.dispatchFetch("http://localhost/"), refused);
}

if (process.platform === "linux") {
  test("errors: a directory in a file system that takes no files is named", testProc);
}

/** Runs `source` where `root` is mounted read-only, in a mount namespace of its own. */
function runReadOnly(root, source) {
  const script =
    'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" --experimental-vm-modules --no-warnings --input-type=module --eval "$3"';
  return spawnSync("unshare", ["-rm", "sh", "-c", script, "sh", root, process.execPath, source], {
    cwd: packageRoot,
    encoding: "utf8",
    timeout: 60_000,
  });
}

/** Says what happens to a read and a write. */
const tryBoth = (root) => `
import { Miniflare } from "ferroflare";
const mf = new Miniflare(${JSON.stringify({ ...options, durableObjectsPersist: root })});
const namespace = await mf.getDurableObjectNamespace("OBJECT");
const said = async (work) => {
  try {
    return await work();
  } catch (error) {
    return [error.code, error.message];
  }
};
const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
const fresh = await mf.getDurableObjectStorage(namespace.idFromName("fresh"));
const answers = [
  await said(async () => (await storage.list()).size),
  await said(() => storage.put("key", 1)),
  await said(() => fresh.get("key")),
  await said(() => fresh.put("key", 1)),
];
console.log(JSON.stringify(answers));
await mf.dispose();
`;

/** Whether this user may make mounts; where not, /proc above stands for read-only directories. */
const canMount =
  spawnSync("unshare", ["-rm", "sh", "-c", 'mount --bind "$1" "$1"', "sh", packageRoot]).status ===
  0;

async function testReadOnly(t) {
  const { root } = await rootWithObjects(t, 1);
  const before = filesIn(root);
  const run = runReadOnly(root, tryBoth(root));
  assert.deepEqual([run.status, run.stderr], [0, ""]);
  const [read, write, readFresh, writeFresh] = JSON.parse(run.stdout);
  for (const [code, message] of [read, write, writeFresh]) {
    assert.equal(code, "ERR_STORAGE_IO");
    assert.ok(message.includes(root), message);
    assert.match(message, /Read-only file system.* Make it writable, or use another directory\.$/);
  }
  assert.equal(readFresh, null);
  assert.deepEqual(filesIn(root), before);
}

if (canMount) test("errors: a directory that is mounted read-only is named", testReadOnly);

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;

test(`errors: a directory of another user is named ${isRoot ? "(as nobody)" : "(as this user)"}`, async (t) => {
  const { root } = await rootWithObjects(t, 1);
  // As an older version has created them: what is created now, only its user may look at.
  const own = path.join(root, ".ferroflare");
  const directories = [root, path.join(root, "OBJECT"), own, path.join(own, "locks")];
  for (const place of [path.dirname(root), ...directories]) chmodSync(place, 0o755);
  for (const file of filesIn(root)) chmodSync(file, 0o644);
  for (const object of objectsIn(root)) chmodSync(path.join(root, object), 0o755);
  if (!isRoot) {
    for (const place of [path.join(root, ".ferroflare", "locks"), root]) chmodSync(place, 0o555);
    t.after(() => chmodSync(root, 0o755));
    for (const file of filesIn(path.join(root, ".ferroflare"))) chmodSync(file, 0o444);
  }
  const become = isRoot ? `process.setgid(${NOBODY});\nprocess.setuid(${NOBODY});\n` : "";
  const source = tryBoth(root).replace("const mf", `${become}const mf`);
  const run = await runModule(source);
  assert.deepEqual([run.code, run.stderr, run.hung], [0, "", false]);
  const [read, write, readFresh, writeFresh] = JSON.parse(run.stdout);
  for (const [code, message] of [read, write, writeFresh]) {
    assert.equal(code, "ERR_STORAGE_IO");
    assert.ok(message.includes(root), message);
    assert.match(message, /Permission denied.* Make it writable, or use another directory\.$/);
  }
  assert.equal(readFresh, null);
});
