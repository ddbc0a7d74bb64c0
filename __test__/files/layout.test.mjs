// Any binding name and any id is safe on disk: nothing leaves the root, nothing collides, and everything can be read back.
import assert from "node:assert/strict";
import { existsSync, readdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { DurableObjectId, Miniflare } from "../../index.mjs";
import { fixtures, runCli, temporaryDirectory } from "../support/cli.mjs";
import { filesIn } from "../support/files.mjs";

const script = `
export class Named {
  constructor(state) {
    this.storage = state.storage;
  }
  alarm() {}
  async fetch(request) {
    await this.storage.put("from inside", await request.text());
    return new Response(String((await this.storage.list()).size));
  }
}
export default { fetch() {} }`;

/** Names that a file system, a shell or a careless program could take for something else. */
const odd = [
  "..",
  ".",
  ".ferroflare",
  "",
  "a/b",
  "a\\b",
  "/",
  "/etc/passwd",
  "../../escaped",
  "a:b",
  "con",
  "NUL",
  "com1",
  "nul.txt",
  "x.y",
  "trailing.",
  " ",
  "*?<>|\"'",
  "%",
  "%2F",
  "a%2Fb",
  "~",
  "\0",
  "\n",
  "é",
  "e\u0301",
  "😀",
  "constructor.prototype",
  "__MINIFLARE_ALARMS__",
  "x".repeat(300),
  "x".repeat(301),
  "😀".repeat(100),
];
const caseOnly = ["Room", "room", "ROOM"];
const ignoresCase = existsSync(fixtures.toUpperCase());
const names = ignoresCase ? odd : [...odd, ...caseOnly];
/** Miniflare itself cannot bind these. */
const unboundNames = ["__proto__", "constructor"];

function open(t, root, bindings = {}) {
  const mf = new Miniflare({
    modules: true,
    script,
    durableObjects: bindings,
    durableObjectsPersist: root,
    durableObjectsAlarms: false,
  });
  t.after(() => mf.dispose());
  return mf;
}

/** A root whose parent shows whether anything has been created outside it. */
async function rootIn(t) {
  const parent = await temporaryDirectory(t);
  const root = path.join(parent, "one", "two", "data");
  return { root, parent };
}

function assertInside({ root, parent }) {
  const outside = filesIn(parent).filter((file) => !file.startsWith(root + path.sep));
  assert.deepEqual(outside, []);
  assert.deepEqual(readdirSync(parent), ["one"]);
  assert.deepEqual(readdirSync(path.join(parent, "one", "two")), ["data"]);
}

/** The objects that the command lists, as `[name, id]`, in order. */
async function listed(root) {
  const result = await runCli(["objects", "list", "--json", "--do-persist", root]);
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  return result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(({ name, id, alarm }) => [name, id, alarm]);
}

const byText = (a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

test("layout: objects of bindings with any name keep apart, and are listed by their names", async (t) => {
  const place = await rootIn(t);
  const bindings = Object.fromEntries(names.map((name) => [name, "Named"]));
  const mf = open(t, place.root, bindings);
  const expected = [];
  for (const [i, name] of Object.keys(bindings).entries()) {
    const namespace = await mf.getDurableObjectNamespace(name);
    const id = namespace.idFromName("same");
    const storage = await mf.getDurableObjectStorage(id);
    await storage.put("key", name);
    await storage.setAlarm(4_000_000_000_000 + i);
    const response = await namespace
      .get(id)
      .fetch("http://object/", { method: "POST", body: name });
    assert.equal(await response.text(), "2", JSON.stringify(name));
    expected.push([name, String(id), 4_000_000_000_000 + i]);
  }
  await mf.dispose();

  const again = open(t, place.root, bindings);
  for (const name of Object.keys(bindings)) {
    const namespace = await again.getDurableObjectNamespace(name);
    const storage = await again.getDurableObjectStorage(namespace.idFromName("same"));
    assert.deepEqual(
      [...(await storage.list())],
      [
        ["from inside", name],
        ["key", name],
      ],
    );
  }
  await again.dispose();
  assert.deepEqual((await listed(place.root)).sort(byText), expected.sort(byText));
  assertInside(place);
});

test("layout: any text may stand for an id", async (t) => {
  const place = await rootIn(t);
  const texts = [...names, ...unboundNames];
  const mf = open(t, place.root);
  const double = (text) => ({ toString: () => text });
  for (const id of texts) {
    const storage = await mf.getDurableObjectStorage(double(id));
    await storage.put("key", id);
  }
  for (const id of texts) {
    const storage = await mf.getDurableObjectStorage(double(id));
    assert.deepEqual([...(await storage.list())], [["key", id]]);
  }
  await mf.dispose();
  const ids = (await listed(place.root)).map(([name, id]) => {
    assert.equal(name, "undefined");
    return id;
  });
  assert.deepEqual(ids.sort(), [...texts].sort());
  assertInside(place);
});

test("layout: a name and an id are never taken for another name and id", async (t) => {
  const place = await rootIn(t);
  const mf = open(t, place.root);
  const pairs = [
    ["a", "b:c"],
    ["a:b", "c"],
    ["a", "b.c"],
    ["a.b", "c"],
    ["a", "b/c"],
    ["a/b", "c"],
    ["", "a"],
    ["a", ""],
    ["x".repeat(300), "y"],
    ["y", "x".repeat(300)],
    ["x".repeat(300), "x".repeat(300)],
  ];
  for (const [name, id] of pairs) {
    const storage = await mf.getDurableObjectStorage(new DurableObjectId(name, id));
    assert.deepEqual([...(await storage.list())], [], `${name} ${id}`);
    await storage.put("key", [name, id]);
  }
  await mf.dispose();
  const again = open(t, place.root);
  for (const [name, id] of pairs) {
    const storage = await again.getDurableObjectStorage(new DurableObjectId(name, id));
    assert.deepEqual([...(await storage.list())], [["key", [name, id]]]);
  }
  await again.dispose();
  const found = (await listed(place.root)).map(([name, id]) => [name, id]);
  assert.deepEqual(found.sort(byText), pairs.sort(byText));
  assertInside(place);
});

const otherSpelling = {
  code: "ERR_STORAGE_OTHER_SPELLING",
  message:
    /data holds "Room", and its file system cannot keep "room" beside it.* Rename one of them/,
};

/** The storages of the same object of two bindings whose names differ only in case. */
async function storagesOfBoth(t, root) {
  const mf = open(t, root, { Room: "Named", room: "Named" });
  const storages = ["Room", "room"].map(async (name) => {
    const namespace = await mf.getDurableObjectNamespace(name);
    return mf.getDurableObjectStorage(namespace.idFromName("same"));
  });
  return Promise.all(storages);
}

test("layout: names that differ only in case keep apart, or a file system that cannot do that is named", async (t) => {
  const { root } = await rootIn(t);
  const [upper, lower] = await storagesOfBoth(t, root);
  await upper.put("key", "Room");
  if (ignoresCase) await assert.rejects(lower.put("key", "room"), otherSpelling);
  else await lower.put("key", "room");
  assert.equal(await lower.get("key"), ignoresCase ? undefined : "room");
  assert.equal(await upper.get("key"), "Room");
});

if (!ignoresCase) {
  test("layout: a name that is there in another spelling only (a link stands for a file system that ignores case) is refused", async (t) => {
    const { root } = await rootIn(t);
    const [upper, lower] = await storagesOfBoth(t, root);
    await upper.put("key", "Room");
    symlinkSync("Room", path.join(root, "room"));
    await assert.rejects(lower.put("key", "room"), otherSpelling);
    assert.equal(await lower.get("key"), undefined);
    await upper.put("key", "Room again");
    assert.equal(await upper.get("key"), "Room again");
  });
}

test("layout: ordinary names stand on disk as they are, one directory an object", async (t) => {
  const { root } = await rootIn(t);
  const mf = open(t, root, { TEST_OBJECT: "Named" });
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const ids = ["a", "b"].map((name) => namespace.idFromName(name));
  for (const id of ids) await (await mf.getDurableObjectStorage(id)).put("key", 1);
  assert.deepEqual(readdirSync(root).sort(), [".ferroflare", "TEST_OBJECT"]);
  assert.deepEqual(readdirSync(path.join(root, "TEST_OBJECT")).sort(), ids.map(String).sort());
});

test("layout: names of files are short and plain, whatever the names of the objects", async (t) => {
  const place = await rootIn(t);
  const mf = open(t, place.root);
  for (const name of names) {
    const storage = await mf.getDurableObjectStorage(new DurableObjectId(name, name));
    await storage.put("key", name);
  }
  await mf.dispose();
  const files = readdirSync(place.root, { recursive: true });
  for (const file of files) {
    for (const part of file.split(path.sep)) {
      assert.match(part, /^[\w%~.-]{1,255}$/);
      assert.doesNotMatch(part, /\.$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i);
    }
  }
});

test("layout: an alarm of an object with a long name is found by the next session", async (t) => {
  const { root } = await rootIn(t);
  const name = "N".repeat(300);
  const id = new DurableObjectId(name, "i".repeat(300));
  const mf = open(t, root, { [name]: "Named" });
  await (await mf.getDurableObjectStorage(id)).setAlarm(4_000_000_000_000);
  await mf.dispose();
  assert.deepEqual(await listed(root), [[name, String(id), 4_000_000_000_000]]);
  const again = open(t, root, { [name]: "Named" });
  assert.equal(await (await again.getDurableObjectStorage(id)).getAlarm(), 4_000_000_000_000);
});
