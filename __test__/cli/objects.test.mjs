// `ferroflare objects`: what people and programs see of a directory, also while a worker uses it.
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { deserialize } from "node:v8";
import { DurableObjectId, Miniflare } from "../../index.mjs";
import { bin, fixtures, runCli, start, startCli, temporaryDirectory } from "../support/cli.mjs";
import { garble } from "../support/damage.mjs";
import { objectsIn, options, storageOf } from "../support/files.mjs";

const ALARM = 4_000_000_000_000;
const HELP_HINT = (command) => `Run "ferroflare ${command} --help" to see how it is used.`;

const circle = { label: "circle" };
circle.self = circle;
const twice = { n: 1 };

/** Values that JSON gives back as they are, and those that it does not. */
const plain = {
  "": "the empty key",
  array: [1, 2.5, null, true, { nested: [] }],
  __proto: { deep: { deeper: "é😀" } },
  "line\nbreak": "\u2028\ud800",
  "😀": 0,
};
const special = {
  bigint: ["bigint", 12345678901234567890n],
  bytes: ["Uint8Array", new Uint8Array([0, 255])],
  circle: ["Object", circle],
  date: ["Date", new Date(ALARM)],
  hole: ["Array", Object.assign(new Array(3), { 0: 1 })],
  inner: ["Object", { deep: [new Map([[1, 2]])] }],
  map: ["Map", new Map([["k", new Set([1])]])],
  minus: ["number", -0],
  nan: ["number", Number.NaN],
  regexp: ["RegExp", /x/gi],
  twice: ["Array", [twice, twice]],
  undef: ["Object", { u: undefined }],
};

async function rootWith(t, write) {
  const root = path.join(await temporaryDirectory(t), "data");
  const bindings = { OBJECT: "Counter", OTHER: "Counter" };
  const mf = new Miniflare({ ...options, durableObjects: bindings, durableObjectsPersist: root });
  await write(mf);
  await mf.dispose();
  return root;
}

/** A root with two objects of OBJECT and one of OTHER; gives their ids. */
async function rootWithObjects(t) {
  const ids = {};
  const root = await rootWith(t, async (mf) => {
    for (const [name, binding] of [
      ["a", "OBJECT"],
      ["b", "OBJECT"],
      ["c", "OTHER"],
    ]) {
      const { id, storage } = await storageOf(mf, name, binding);
      ids[name] = id;
      await storage.put(`key of ${name}`, { name });
      if (name === "a") await storage.put("second", new Map([[1, 2]]));
      if (name === "b") await storage.setAlarm(ALARM);
    }
  });
  return { root, ids };
}

const objects = (root, ...args) => runCli(["objects", ...args, "--do-persist", root]);

/** The output of a run that succeeded, as lines. */
function linesOf({ code, stderr, stdout }) {
  assert.deepEqual([code, stderr], [0, ""]);
  return stdout === "" ? [] : stdout.replace(/\n$/, "").split("\n");
}

const jsonOf = (run) => linesOf(run).map((line) => JSON.parse(line));

function assertFails(run, line) {
  assert.deepEqual([run.code, run.stdout, run.hung], [1, "", false]);
  assert.equal(run.stderr, `ferroflare: ${line}\n`);
}

test("objects list: one object a line, by name, with pending alarms", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  const [first, second] = [ids.a, ids.b].sort();
  const alarmed = (id) => (id === ids.b ? " alarm 2096-10-02T07:06:40.000Z" : "");
  assert.deepEqual(linesOf(await objects(root, "list")), [
    `OBJECT ${first}${alarmed(first)}`,
    `OBJECT ${second}${alarmed(second)}`,
    `OTHER ${ids.c}`,
  ]);
  assert.deepEqual(linesOf(await objects(root, "list", "--name", "OTHER", "--keys")), [
    `OTHER ${ids.c} 1 key`,
  ]);
  const json = jsonOf(await objects(root, "list", "--keys", "--json"));
  const expected = [
    { name: "OBJECT", id: ids.a, keys: 2 },
    { name: "OBJECT", id: ids.b, keys: 1, alarm: ALARM },
  ].sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(json, [...expected, { name: "OTHER", id: ids.c, keys: 1 }]);
});

test("objects list: a directory without objects is said to have none", async (t) => {
  const root = await temporaryDirectory(t);
  const run = await objects(root, "list");
  assert.deepEqual(
    [run.code, run.stdout, run.stderr],
    [0, "", `There are no objects in ${root}.\n`],
  );
  assert.deepEqual(readdirSync(root), []);
});

test("objects list: without --do-persist it is ./.mf/do, as for a worker", async (t) => {
  const cwd = await temporaryDirectory(t);
  const mf = new Miniflare({ ...options, rootPath: cwd, durableObjectsPersist: true });
  const { id, storage } = await storageOf(mf);
  await storage.put("key", 1);
  await mf.dispose();
  assert.deepEqual(linesOf(await runCli(["objects", "list"], { cwd })), [`OBJECT ${id}`]);
  const bare = await runCli(["objects", "list", "--do-persist", "--json"], { cwd });
  assert.deepEqual(jsonOf(bare), [{ name: "OBJECT", id }]);
});

test("objects show: keys, values and the alarm, for people and as JSON", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  assert.deepEqual(linesOf(await objects(root, "show", "OBJECT", ids.a)), [
    `"key of a": { name: 'a' }`,
    `"second": Map(1) { 1 => 2 }`,
  ]);
  assert.deepEqual(linesOf(await objects(root, "show", "OBJECT", "--id-from-name", "b")), [
    "alarm 2096-10-02T07:06:40.000Z",
    `"key of b": { name: 'b' }`,
  ]);
  assert.deepEqual(jsonOf(await objects(root, "show", "OBJECT", ids.b.toUpperCase(), "--json")), [
    { name: "OBJECT", id: ids.b, key: "key of b", value: { name: "b" } },
    { name: "OBJECT", id: ids.b, alarm: ALARM },
  ]);
});

test("objects export: every value comes back exactly, as JSON or from its bytes", async (t) => {
  let id;
  const root = await rootWith(t, async (mf) => {
    const object = await storageOf(mf);
    id = object.id;
    await object.storage.put(plain);
    for (const [key, [, value]] of Object.entries(special)) await object.storage.put(key, value);
  });
  const lines = jsonOf(await objects(root, "export", "OBJECT", id));
  const found = new Map(lines.map((line) => [line.key, line]));
  assert.equal(found.size, Object.keys(plain).length + Object.keys(special).length);
  for (const [key, value] of Object.entries(plain)) {
    assert.deepEqual(found.get(key), { name: "OBJECT", id, key, value });
  }
  for (const [key, [type, value]] of Object.entries(special)) {
    const { valueBase64, ...rest } = found.get(key);
    assert.deepEqual(rest, { name: "OBJECT", id, key, type });
    assert.deepEqual(deserialize(Buffer.from(valueBase64, "base64")), value);
  }
});

test("objects export: all objects, those of a binding, or one", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  const idsOf = async (...args) =>
    new Set(jsonOf(await objects(root, "export", ...args)).map(({ id }) => id));
  assert.deepEqual(await idsOf(), new Set([ids.a, ids.b, ids.c].sort()));
  assert.deepEqual(await idsOf("OBJECT"), new Set([ids.a, ids.b].sort()));
  assert.deepEqual(await idsOf("OBJECT", ids.a), new Set([ids.a]));
  assert.deepEqual(await idsOf("OTHER", "--id-from-name", "c"), new Set([ids.c]));
  assert.deepEqual(await idsOf("NONE"), new Set());
});

test("objects export: a reader that stops early ends it quietly", async (t) => {
  const root = await rootWith(t, async (mf) => {
    const { storage } = await storageOf(mf);
    for (let i = 0; i < 100; i++) await storage.put(`${i}`, "x".repeat(20_000));
  });
  const script = '"$0" "$1" objects export --do-persist "$2" | head -c 100';
  const run = await start("sh", ["-c", script, process.execPath, bin, root]).ended;
  assert.deepEqual([run.code, run.stderr, run.hung], [0, "", false]);
  assert.equal(run.stdout.length, 100);
});

test("objects export: a large object, in several pages of output", async (t) => {
  const count = 5000;
  const root = await rootWith(t, async (mf) => {
    const { storage } = await storageOf(mf);
    for (let i = 0; i < count; i += 100) {
      const pairs = Array.from({ length: 100 }, (_, j) => [`${i + j}`, "x".repeat(500)]);
      await storage.put(Object.fromEntries(pairs));
    }
  });
  assert.equal(jsonOf(await objects(root, "export")).length, count);
});

test("objects delete: the keys, the alarm and the directory of one object", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  assert.deepEqual(linesOf(await objects(root, "delete", "OBJECT", ids.b)), [
    `Deleted OBJECT ${ids.b}.`,
  ]);
  assert.deepEqual(objectsIn(root), [`OBJECT/${ids.a}`, `OTHER/${ids.c}`].sort());
  assert.deepEqual(readdirSync(path.join(root, ".ferroflare", "alarms")), []);
});

test("objects delete: --all asks for --yes", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  assertFails(
    await objects(root, "delete", "--all"),
    `This would delete 3 objects in ${root}. Add --yes to do it.`,
  );
  assert.equal(objectsIn(root).length, 3);
  assert.deepEqual(linesOf(await objects(root, "delete", "OBJECT", "--all", "--yes")), [
    "Deleted 2 objects.",
  ]);
  assert.deepEqual(objectsIn(root), [`OTHER/${ids.c}`]);
  assert.deepEqual(linesOf(await objects(root, "delete", "--all", "--yes")), ["Deleted 1 object."]);
  assert.deepEqual(objectsIn(root), []);
});

test("objects: a worker that runs goes on with the same data", async (t) => {
  const root = path.join(await temporaryDirectory(t), "data");
  const worker = path.join(fixtures, "objects", "worker.mjs");
  const cli = await startCli(t, [worker, "--do", "OBJECT1=Object1", "--do-persist", root]);
  const show = async () => linesOf(await objects(root, "show", "OBJECT1", "--id-from-name", "a"));
  assert.equal(await cli.text("/1"), "Object1 1");
  assert.deepEqual(await show(), ['"count": 1']);
  assert.equal(await cli.text("/1"), "Object1 2");
  assert.deepEqual(await show(), ['"count": 2']);
  assert.deepEqual(linesOf(await objects(root, "list", "--keys")).length, 1);
  linesOf(await objects(root, "delete", "OBJECT1", "--id-from-name", "a"));
  assert.deepEqual(objectsIn(root), []);
  assert.equal(await cli.text("/1"), "Object1 1");
  assert.deepEqual(await show(), ['"count": 1']);
});

test("objects export: each object is shown at one moment while it is written to", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  const mf = new Miniflare({ ...options, durableObjectsPersist: root });
  t.after(() => mf.dispose());
  const { storage } = await storageOf(mf);
  await storage.put({ left: 0, right: 0 });
  let writing = true;
  const writer = (async () => {
    for (let n = 1; writing; n++) await storage.put({ left: n, right: n });
  })();
  try {
    for (let round = 0; round < 5; round++) {
      const lines = jsonOf(await objects(root, "export", "OBJECT", ids.a));
      const values = new Map(lines.map(({ key, value }) => [key, value]));
      assert.equal(values.get("left"), values.get("right"));
    }
  } finally {
    writing = false;
    await writer;
  }
});

test("objects: a corrupt object is named, and the others are exported", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  const directory = path.join(root, "OBJECT", ids.a);
  garble(
    path.join(
      directory,
      readdirSync(directory).find((name) => /^MANIFEST/.test(name)),
    ),
    0.3,
  );
  const run = await objects(root, "export");
  assert.equal(run.code, 1);
  assert.match(
    run.stderr,
    /^ferroflare: OBJECT [0-9a-f]{64}: The database [^\n]* is corrupt[^\n]*\n$/,
  );
  const exported = new Set(
    run.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id),
  );
  assert.deepEqual(exported, new Set([ids.b, ids.c].sort()));
  const shown = await objects(root, "show", "OBJECT", ids.a);
  assert.match(shown.stderr, /^ferroflare: The database [^\n]* is corrupt[^\n]*\n$/);
  assert.equal(shown.code, 1);
});

test("objects: names that could be taken for several words are quoted", async (t) => {
  const root = await rootWith(t, async (mf) => {
    for (const [name, id] of [
      ["two words", "an id"],
      ["", "empty"],
    ]) {
      await (await mf.getDurableObjectStorage(new DurableObjectId(name, id))).put("key", 1);
    }
  });
  assert.deepEqual(linesOf(await objects(root, "list")), ['"" empty', '"two words" "an id"']);
  assert.deepEqual(linesOf(await objects(root, "show", "two words", "an id")), ['"key": 1']);
  assert.deepEqual(linesOf(await objects(root, "show", "", "empty")), ['"key": 1']);
});

const mistakes = [
  [["objects"], `Which command? ${HELP_HINT("objects")}`],
  [
    ["objects", "lst"],
    `Unknown command "objects lst". Did you mean "objects list"? ${HELP_HINT("objects")}`,
  ],
  [["objects", "constructor"], `Unknown command "objects constructor". ${HELP_HINT("objects")}`],
  [
    ["objects", "list", "--jsn"],
    `Unknown option "--jsn". Did you mean "--json"? ${HELP_HINT("objects list")}`,
  ],
  [["objects", "list", "-x"], `Unknown option "-x". ${HELP_HINT("objects list")}`],
  [["objects", "list", "--json=1"], `--json takes no value. ${HELP_HINT("objects list")}`],
  [["objects", "list", "--name"], `--name needs a value. ${HELP_HINT("objects list")}`],
  [["objects", "list", "OBJECT", "a"], `Unexpected argument "a". ${HELP_HINT("objects list")}`],
];
for (const [args, line] of mistakes) {
  test(`objects: ${args.join(" ")} is refused in one line`, async () => {
    assertFails(await runCli(args), line);
  });
}

test("objects: an object that is not there, or not named in full, is refused in one line", async (t) => {
  const { root, ids } = await rootWithObjects(t);
  const show = HELP_HINT("objects show");
  for (const [args, line] of [
    [["show"], `Which object? Give its NAME and ID. ${show}`],
    [["show", "OBJECT"], `Which object of OBJECT? Give its ID, or --id-from-name. ${show}`],
    [
      ["show", "OBJECT", "x", "--id-from-name", "y"],
      `--id-from-name and an ID exclude each other. ${show}`,
    ],
    [["show", "OBJECT", "x"], `There is no object OBJECT x in ${root}.`],
    [
      ["show", "OBJCT", ids.a],
      `There is no object OBJCT ${ids.a} in ${root}. Did you mean "OBJECT"?`,
    ],
    [["export", "OBJECT", "x"], `There is no object OBJECT x in ${root}.`],
    [["delete", "OBJECT", "x"], `There is no object OBJECT x in ${root}.`],
    [
      ["delete", "OBJECT", "x", "--all"],
      `--all and an ID exclude each other. ${HELP_HINT("objects delete")}`,
    ],
  ]) {
    assertFails(await objects(root, ...args), line);
  }
  assert.equal(objectsIn(root).length, 3);
});

test("objects: a directory that cannot be read is refused in one line", async (t) => {
  const parent = await temporaryDirectory(t);
  const file = path.join(parent, "file");
  writeFileSync(file, "a file");
  assertFails(await objects(file, "list"), `${file} is not a directory (--do-persist).`);
  const missing = path.join(parent, "missing");
  assertFails(await objects(missing, "list"), `There is no directory ${missing} (--do-persist).`);
  assert.ok(!existsSync(missing));
  const bare = await runCli(["objects", "list"], { cwd: parent });
  const byDefault = `There is no directory ${path.join(parent, ".mf", "do")} (--do-persist).`;
  assertFails(bare, `${byDefault} Name the place of the data: --do-persist PATH.`);
  const redis = await objects("redis://localhost:1", "list");
  assert.equal(redis.code, 1);
  assert.match(redis.stderr, /^ferroflare: [^\n]*Redis[^\n]*\n$/);
});

test("objects: --help says how each command is used", async () => {
  const overview = linesOf(await runCli(["objects", "--help"]));
  assert.equal(overview[0], "Usage: ferroflare objects COMMAND [options]");
  for (const command of ["list", "show", "export", "delete"]) {
    assert.ok(
      overview.some((line) => line.startsWith(`  ${command}`)),
      command,
    );
    for (const flag of ["--help", "-h"]) {
      const help = linesOf(await runCli(["objects", command, flag]));
      assert.match(help[0], new RegExp(`^Usage: ferroflare objects ${command}.* \\[options\\]$`));
      assert.ok(
        help.some((line) => line.startsWith("  --do-persist")),
        command,
      );
    }
  }
  const main = linesOf(await runCli(["--help"])).join("\n");
  assert.match(main, /ferroflare objects .*\n.*ferroflare import /);
});
