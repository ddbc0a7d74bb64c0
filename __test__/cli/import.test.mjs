// `ferroflare import`: data that miniflare@2.14.4 itself has written, as it is and damaged, into a directory of ours.
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { serialize } from "node:v8";
import { Miniflare as Miniflare2 } from "miniflare";
import { Miniflare } from "../../index.mjs";
import { bin, runCli, start, temporaryDirectory } from "../support/cli.mjs";
import { filesIn, objectsIn } from "../support/files.mjs";

const ALARM = 4_000_000_000_000;
const ALARMS = "__MINIFLARE_ALARMS__";

const worker = {
  modules: true,
  script: `
export class Stored {
  alarm() {}
}
export default { fetch() {} }`,
  durableObjects: Object.fromEntries(
    ["TEST", "we:ird", "a/b", "con", "..", "A?B_C", " lead"].map((name) => [name, "Stored"]),
  ),
};

/** One object for each, because Miniflare 2 cannot hold all of them in one. */
const keys = [
  "plain",
  "a:b",
  "x/y",
  "..",
  "con",
  "NUL.txt",
  "",
  "é",
  "😀",
  "a b",
  "a?b",
  "trailing.",
  " lead",
  "x".repeat(240),
  "k.meta.json",
  "q\0z",
  "%41",
  "back\\slash",
  `${ALARMS}x`,
  "CURRENT",
  "LOG",
  "000001.log",
];
const value = (key) => ({ key, map: new Map([[1, new Date(5)]]), big: 2n });

/** Everything that the data of `written` has: binding, name of the object, entries, alarm. */
const content = [
  ...keys.map((key) => ["TEST", `key ${key}`, [[key, value(key)]], null]),
  [
    "TEST",
    "several",
    [
      ["a", 1],
      ["b", "x".repeat(100_000)],
      ["c/d", [1, 2n]],
      ["c/e", null],
    ],
    ALARM,
  ],
  ["TEST", "only an alarm", [], ALARM + 1],
  ...["we:ird", "a/b", "con", "..", "A?B_C", " lead"].map((name, i) => [
    name,
    "same",
    [["key", name]],
    ALARM + 2 + i,
  ]),
];
const keyCount = content.reduce((count, [, , entries]) => count + entries.length, 0);
const alarmCount = content.filter(([, , , alarm]) => alarm !== null).length;
const objectCount = content.length + 1;
const counts = `${objectCount} objects, ${keyCount + 2} keys, ${alarmCount} alarms`;

const double = { toString: () => "double" };

async function storageOf(mf, binding, name) {
  const namespace = await mf.getDurableObjectNamespace(binding);
  return mf.getDurableObjectStorage(namespace.idFromName(name));
}

/** A directory that Miniflare 2 has written; each test takes a copy. */
const home = mkdtempSync(path.join(os.tmpdir(), "ferroflare-test-"));
const written = path.join(home, "old");
after(() => rmSync(home, { recursive: true }));
before(async () => {
  const mf = new Miniflare2({ ...worker, durableObjectsPersist: written });
  for (const [binding, name, entries, alarm] of content) {
    const storage = await storageOf(mf, binding, name);
    for (const [key, stored] of entries) await storage.put(key, stored);
    if (alarm !== null) await storage.setAlarm(alarm);
  }
  const doubled = await mf.getDurableObjectStorage(double);
  await doubled.put({ k: 1, "n/e": 2 });
  // What is deleted leaves an empty directory, and the copy of its alarm.
  const deleted = await storageOf(mf, "TEST", "deleted");
  await deleted.put("gone", 1);
  await deleted.setAlarm(ALARM);
  await deleted.deleteAll();
  await mf.dispose();
});

/** A copy of the old data, and a place beside it for the new. */
async function places(t) {
  const parent = await temporaryDirectory(t);
  const from = path.join(parent, "old");
  cpSync(written, from, { recursive: true });
  return { parent, from, to: path.join(parent, "new") };
}

function open(t, root) {
  const mf = new Miniflare({
    ...worker,
    durableObjectsPersist: root,
    durableObjectsMaxValueSize: 131_072,
  });
  // A start that failed fails again when it is disposed of.
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

/** Every file with its content and time. */
function fingerprint(root) {
  return filesIn(root).map((file) => [file, readFileSync(file, "latin1"), statSync(file).mtimeMs]);
}

async function assertHasAll(t, root) {
  const mf = open(t, root);
  for (const [binding, name, entries, alarm] of content) {
    const storage = await storageOf(mf, binding, name);
    assert.deepEqual([...(await storage.list())], entries, `${binding} ${name}`);
    assert.equal(await storage.getAlarm(), alarm, `${binding} ${name}`);
  }
  const doubled = await mf.getDurableObjectStorage(double);
  assert.deepEqual(
    [...(await doubled.list())],
    [
      ["k", 1],
      ["n/e", 2],
    ],
  );
  assert.equal((await (await storageOf(mf, "TEST", "deleted")).list()).size, 0);
  await mf.dispose();
}

const importing = (...args) => runCli(["import", ...args]);

function assertFails(run, line) {
  assert.deepEqual([run.code, run.stdout, run.hung], [1, "", false]);
  assert.equal(run.stderr, `ferroflare: ${line}\n`);
}

/** The file that holds a key of an object that Miniflare 2 has written. */
async function fileOf(t, from, name, key) {
  const mf = open(t, await temporaryDirectory(t));
  const namespace = await mf.getDurableObjectNamespace("TEST");
  return path.join(from, "TEST", String(namespace.idFromName(name)), key);
}

test("import: everything that Miniflare 2 has written is there, and the source is as it was", async (t) => {
  const { from, to } = await places(t);
  const before = fingerprint(from);
  const run = await importing(from, to);
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  const lines = run.stdout.trim().split("\n");
  assert.match(lines[0], /^Left out: .*__MINIFLARE_ALARMS__.* \(its object has no alarm\)$/);
  assert.deepEqual(lines.slice(1), [`Imported from ${from} into ${to}: ${counts}.`]);
  assert.deepEqual(fingerprint(from), before);
  await assertHasAll(t, to);
});

test("import: a second time it writes nothing", async (t) => {
  const { from, to } = await places(t);
  await importing(from, to);
  const run = await importing(from, to);
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  assert.deepEqual(run.stdout.trim().split("\n").slice(-2), [
    `Imported from ${from} into ${to}: ${counts}.`,
    `Of these existed already: ${keyCount + 2} keys, ${alarmCount} alarms.`,
  ]);
  await assertHasAll(t, to);
});

test("import: after it was killed, it goes on where it was", async (t) => {
  const { from, to } = await places(t);
  const killed = start(process.execPath, [bin, "import", from, to]);
  while (!existsSync(path.join(to, "TEST"))) await new Promise((resolve) => setTimeout(resolve, 1));
  killed.child.kill("SIGKILL");
  await killed.ended;
  const run = await importing(from, to);
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  assert.ok(run.stdout.includes(`: ${counts}.\n`), run.stdout);
  await assertHasAll(t, to);
});

test("import: what was written since is kept and reported, and --overwrite replaces it", async (t) => {
  const { from, to } = await places(t);
  await importing(from, to);
  const mf = open(t, to);
  const storage = await storageOf(mf, "TEST", "several");
  await storage.put({ a: "newer", more: 1 });
  await storage.delete("c/e");
  await storage.setAlarm(ALARM + 100);
  await mf.dispose();

  const kept = await importing(from, to);
  assert.equal(kept.code, 1);
  const reported = kept.stderr.trim().split("\n").sort().reverse();
  assert.equal(reported.length, 2);
  assert.match(reported[0], /: its alarm is set for another time there, which was kept$/);
  assert.match(reported[1], /\/a: "a" has another value there, which was kept$/);
  assert.match(kept.stdout, /Not imported: 2, see above\.\n$/);
  const between = open(t, to);
  const stored = await storageOf(between, "TEST", "several");
  assert.deepEqual(await stored.get("a"), "newer");
  assert.deepEqual(await stored.get("c/e"), null);
  assert.equal(await stored.getAlarm(), ALARM + 100);
  await between.dispose();

  const replaced = await importing(from, to, "--overwrite");
  assert.deepEqual([replaced.code, replaced.stderr], [0, ""]);
  const after = await storageOf(open(t, to), "TEST", "several");
  assert.deepEqual([...(await after.list()).keys()], ["a", "b", "c/d", "c/e", "more"]);
  assert.equal(await after.get("a"), 1);
  assert.equal(await after.getAlarm(), ALARM);
});

test("import: what cannot be read is named with its reason, and everything else is there", async (t) => {
  const { from, to } = await places(t);
  const object = await fileOf(t, from, "several", "");
  const damaged = {
    empty: ["", "it is empty"],
    cut: [
      readFileSync(path.join(object, "b")).subarray(0, 1000),
      "it holds no value that Miniflare 2 has written",
    ],
    json: ['{"from":"Miniflare 1"}', "it holds no value that Miniflare 2 has written"],
    ["x".repeat(255)]: [
      readFileSync(path.join(object, "a")),
      "its name is cut off, so that its key is unknown",
    ],
    big: [
      Buffer.concat([
        Buffer.from([0xff, 0x0f, 0x22, 0x80, 0x80, 0x80, 0x02]),
        Buffer.alloc(4 << 20, "x"),
      ]),
      "its value of 4194311 bytes is over the limit of 2097184 bytes",
    ],
    deep: [
      Buffer.concat([
        serialize(0).subarray(0, 2),
        Buffer.alloc(20_000, Buffer.from([0x41, 1])),
        Buffer.from([0x49, 0]),
        Buffer.alloc(30_000, Buffer.from([0x24, 0, 1])),
      ]),
      "Values cannot be nested more than 1000 levels deep, because a deeper one could not be read again. Store it as JSON text, or its parts under keys of their own.",
    ],
  };
  const expected = [];
  for (const [name, [bytes, reason]] of Object.entries(damaged)) {
    writeFileSync(path.join(object, name), bytes);
    expected.push(`ferroflare: ${path.join(object, name)}: ${reason}`);
  }
  const side = await fileOf(t, from, "key a?b", "a_b");
  writeFileSync(`${side}.meta.json`, "");
  expected.push(
    `ferroflare: ${side}: its key is unknown, because ${side}.meta.json cannot be read`,
  );
  symlinkSync(from, path.join(from, "TEST", "link"));
  expected.push(
    `ferroflare: ${path.join(from, "TEST", "link")}: it is neither a file nor a directory`,
  );
  const run = await importing(from, to);
  assert.equal(run.code, 1);
  assert.deepEqual(run.stderr.trim().split("\n").sort(), expected.sort());
  assert.match(
    run.stdout,
    new RegExp(
      `${objectCount - 1} objects, ${keyCount + 1} keys, ${alarmCount} alarms\\.\nNot imported: 8, see above`,
    ),
  );
  const mf = open(t, to);
  assert.deepEqual(
    [...(await (await storageOf(mf, "TEST", "several")).list()).keys()],
    ["a", "b", "c/d", "c/e"],
  );
});

test("import: an alarm whose file is damaged is taken from its copy", async (t) => {
  const { from, to } = await places(t);
  const alarm = await fileOf(t, from, "several", `${ALARMS}.meta.json`);
  writeFileSync(alarm, "{");
  const run = await importing(from, to);
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  await assertHasAll(t, to);
});

test("import: an alarm without a time is named", async (t) => {
  const { from, to } = await places(t);
  const alarm = await fileOf(t, from, "several", ALARMS);
  rmSync(`${alarm}.meta.json`);
  rmSync(path.join(from, ALARMS), { recursive: true });
  const run = await importing(from, to);
  assert.deepEqual([run.code, run.stderr], [1, `ferroflare: ${alarm}: its alarm has no time\n`]);
});

test("import: files that belong to no object are left out and named", async (t) => {
  const { from, to } = await places(t);
  const strangers = [path.join(from, "README"), path.join(from, "TEST", ".DS_Store")];
  for (const file of strangers) writeFileSync(file, "stranger");
  const run = await importing(from, to);
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  for (const file of strangers) {
    assert.ok(run.stdout.includes(`Left out: ${file} (it belongs to no object)\n`), run.stdout);
  }
  await assertHasAll(t, to);
});

test("import: a large object comes in several commits", async (t) => {
  const { parent, to } = await places(t);
  const from = path.join(parent, "large");
  const id = await fileOf(t, from, "large", "");
  mkdirSync(id, { recursive: true });
  const stored = readFileSync(await fileOf(t, written, "several", "a"));
  const count = 5000;
  for (let i = 0; i < count; i++) writeFileSync(path.join(id, `key ${i}`), stored);
  const run = await importing(from, to);
  assert.deepEqual(
    [run.code, run.stderr, run.stdout],
    [0, "", `Imported from ${from} into ${to}: 1 object, ${count} keys, 0 alarms.\n`],
  );
  const storage = await storageOf(open(t, to), "TEST", "large");
  assert.equal((await storage.list()).size, count);
});

test("import: a directory of ferroflare is copied, while a worker uses it", async (t) => {
  const { parent, from, to } = await places(t);
  await importing(from, to);
  const mf = open(t, to);
  const storage = await storageOf(mf, "TEST", "several");
  await storage.put("a", 1);
  const copy = path.join(parent, "copy");
  const run = await importing(to, copy);
  assert.deepEqual(
    [run.code, run.stderr, run.stdout],
    [0, "", `Imported from ${to} into ${copy}: ${counts}.\n`],
  );
  await storage.put("a", 1);
  await mf.dispose();
  await assertHasAll(t, copy);
  assert.deepEqual(objectsIn(copy), objectsIn(to));
});

test("import: without importing, old data is refused with the command that imports it", async (t) => {
  const { from, to } = await places(t);
  const before = fingerprint(from);
  const mf = open(t, from);
  let command;
  await assert.rejects(storageOf(mf, "TEST", "several"), (error) => {
    assert.equal(error.code, "ERR_STORAGE_OLD_DATA");
    command = /`npx ferroflare ([^`]*)`/.exec(error.message)[1];
    return true;
  });
  assert.equal(command, `import ${from} <new directory>`);
  const run = await runCli(command.replace("<new directory>", to).split(" "));
  assert.equal(run.code, 0);
  await assertHasAll(t, to);
  for (const args of [
    ["objects", "list", "--do-persist", from],
    ["import", to, from],
  ]) {
    const refused = await runCli(args);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(
      refused.stderr,
      /^ferroflare: [^\n]* Convert it with `npx ferroflare import [^\n]*\n$/,
    );
  }
  assert.deepEqual(fingerprint(from), before);
});

/** Whatever of the old data there is alone, it is recognised. */
for (const what of ["TEST", "we", "undefined", "__", ALARMS]) {
  test(`import: a directory with nothing but ${what} of Miniflare 2 is recognised`, async (t) => {
    const { from } = await places(t);
    for (const name of readdirSync(from)) {
      if (name !== what) rmSync(path.join(from, name), { recursive: true });
    }
    await assert.rejects(storageOf(open(t, from), "TEST", "a"), { code: "ERR_STORAGE_OLD_DATA" });
  });
}

for (const key of ["CURRENT", "LOG", "000001.log", ""]) {
  test(`import: an old object whose only key is "${key}" is recognised in a directory of ours`, async (t) => {
    const { parent, to } = await places(t);
    const mf = open(t, to);
    await (await storageOf(mf, "TEST", "ours")).put("key", 1);
    await mf.dispose();
    const object = await fileOf(t, to, `key ${key}`, "");
    cpSync(await fileOf(t, written, `key ${key}`, ""), object, { recursive: true });
    const storage = await storageOf(open(t, to), "TEST", `key ${key}`);
    const code = key === "" ? "ERR_STORAGE_NOT_A_DIRECTORY" : "ERR_STORAGE_OLD_DATA";
    await assert.rejects(storage.list(), { code });
    await assert.rejects(storage.put("new", 1), { code });
    const run = await importing(to, path.join(parent, "both"));
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    assert.match(run.stdout, /: 2 objects, 2 keys, 0 alarms\.\n$/);
  });
}

test("import: other data of Miniflare 2 in the same directory is no reason to refuse it", async (t) => {
  const root = await temporaryDirectory(t);
  const mf = new Miniflare({
    ...worker,
    kvNamespaces: ["KV"],
    kvPersist: root,
    durableObjectsPersist: root,
  });
  t.after(() => mf.dispose());
  await (await mf.getKVNamespace("KV")).put("nested/key", "value");
  await mf.dispose();
  const storage = await storageOf(open(t, root), "TEST", "a");
  await storage.put("key", 1);
  assert.equal(await storage.get("key"), 1);
});

test("import: directories that cannot be are refused in one line", async (t) => {
  const { parent, from, to } = await places(t);
  const hint = 'Run "ferroflare import --help" to see how it is used.';
  const link = path.join(parent, "link");
  symlinkSync(from, link);
  const file = path.join(parent, "file");
  writeFileSync(file, "a file");
  const same = `FROM and TO are the same directory, ${from}: name a new one as TO.`;
  for (const [args, line] of [
    [[], `Import takes two directories or redis:// URLs, FROM and TO. ${hint}`],
    [[from], `Import takes two directories or redis:// URLs, FROM and TO. ${hint}`],
    [[from, to, "x"], `Unexpected argument "x". ${hint}`],
    [[from, to, "--ovrwrite"], `Unknown option "--ovrwrite". Did you mean "--overwrite"? ${hint}`],
    [[from, from], same],
    [[from, `${from}/`], same],
    [[link, from], same],
    [
      [from, path.join(from, "new")],
      `${path.join(from, "new")} is in ${from}: import into a directory apart from FROM.`,
    ],
    [
      [path.join(from, "TEST"), from],
      `${path.join(from, "TEST")} is in ${from}: import into a directory apart from FROM.`,
    ],
    [
      [path.join(parent, "missing"), to],
      `There is no directory ${path.join(parent, "missing")} (FROM).`,
    ],
    [
      [from, file],
      `${file} is not a directory, so no Durable Object data can be stored in it. Move it away, or use another directory.`,
    ],
    [[file, to], `${file} is not a directory (FROM).`],
  ]) {
    assertFails(await importing(...args), line);
  }
  assert.ok(!existsSync(to));
});

test("import: --help says what it does with what is there already", async () => {
  const { code, stdout, stderr } = await importing("--help");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^Usage: ferroflare import FROM TO \[options\]\n/);
  assert.match(stdout, /is kept and reported.*--overwrite/s);
});

test("import: .mf/do that is missing proposes the place where Miniflare 2 keeps data by default", async (t) => {
  const cwd = await temporaryDirectory(t);
  const missing = `There is no directory ${path.join(cwd, ".mf", "do")} (FROM).`;
  const line = async () => (await runCli(["import", ".mf/do", "new"], { cwd })).stderr;
  assert.equal(await line(), `ferroflare: ${missing}\n`);
  mkdirSync(path.join(cwd, ".mf", "durableobjects"), { recursive: true });
  assert.equal(await line(), `ferroflare: ${missing} Did you mean ".mf/durableobjects"?\n`);
});
