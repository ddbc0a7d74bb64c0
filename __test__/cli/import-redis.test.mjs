// `ferroflare import` and `ferroflare objects` with Redis: what Miniflare 2 has written there, and between files and Redis.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { runCli, temporaryDirectory } from "../support/cli.mjs";
import { openMiniflare2 } from "../support/miniflare2-redis.mjs";
import { freePort, RedisServer } from "../support/redis.mjs";

const ALARM = 4_000_000_000_000;
const ALARM_KEY = "__MINIFLARE_ALARMS__";
const BINDINGS = ["TEST", "we:ird", "a:value:b", "*", "{x}", " lead"];

const worker = {
  modules: true,
  script: `
export class Stored {
  alarm() {}
}
export default { fetch() {} }`,
  durableObjects: Object.fromEntries(BINDINGS.map((name) => [name, "Stored"])),
};

const KEYS = [
  ...["plain", "a:b", "x/y", "", "é", "😀", "*", "a?b", "[a]", "\\", "{a}", "q\0z", "%41", "\n"],
  ...["value:", ":value:", `:${"0".repeat(64)}:value:x`, `${ALARM_KEY}x`, "x".repeat(2048)],
];
const value = (key) => ({ key, map: new Map([[1, new Date(5)]]), big: 2n });
const entries = KEYS.map((key) => [key, value(key)]);

/** Binding, name of the object, entries, alarm. */
const content = [
  ["TEST", "many", entries, null],
  [
    "TEST",
    "several",
    [
      ["a", 1],
      ["b", "x".repeat(100_000)],
    ],
    ALARM,
  ],
  ["TEST", "only an alarm", [], ALARM + 1],
  ["TEST", "large", Array.from({ length: 300 }, (_, i) => [`key ${i}`, i]), null],
  ...BINDINGS.slice(1).map((name, i) => [name, "same", [["key", name]], ALARM + 2 + i]),
];
const double = { toString: () => "double" };
const keyCount = content.reduce((sum, [, , all]) => sum + all.length, 0) + 1;
const alarmCount = content.filter(([, , , alarm]) => alarm !== null).length;
const counts = `${content.length + 1} objects, ${keyCount} keys, ${alarmCount} alarms`;

let server;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.close());

/** A database that Miniflare 2 has written: its URL, and one for new data. */
let databases = 0;
async function oldData(t) {
  await server.call("FLUSHALL");
  const from = server.url(databases++ % 8);
  const mf = openMiniflare2(from, worker);
  for (const [binding, name, all, alarm] of content) {
    const storage = await mf.storageOf(binding, name);
    for (let start = 0; start < all.length; start += 128) {
      await storage.put(Object.fromEntries(all.slice(start, start + 128)));
    }
    if (alarm !== null) await storage.setAlarm(alarm);
  }
  await (await mf.storage(double)).put("k", 1);
  // What is deleted leaves the copy of its alarm.
  const deleted = await mf.storageOf("TEST", "deleted");
  await deleted.put("gone", 1);
  await deleted.setAlarm(ALARM);
  await deleted.deleteAll();
  await mf.kv("KV").put("some key", { value: new Uint8Array([1]) });
  await mf.kv("KV").put("other", { value: new Uint8Array([1]) });
  await mf.dispose();
  const client = await server.client(Number(new URL(from).pathname.slice(1)));
  t.after(() => client.close());
  return { from, to: server.url(8 + (databases % 8)), client };
}

function open(t, place) {
  const mf = new Miniflare({
    ...worker,
    durableObjectsPersist: place,
    durableObjectsMaxValueSize: 131_072,
  });
  t.after(() => mf.dispose());
  return mf;
}

async function storageOf(mf, binding, name) {
  const namespace = await mf.getDurableObjectNamespace(binding);
  return mf.getDurableObjectStorage(namespace.idFromName(name));
}

async function assertHasAll(t, place) {
  const mf = open(t, place);
  for (const [binding, name, all, alarm] of content) {
    const storage = await storageOf(mf, binding, name);
    const sorted = [...all].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual([...(await storage.list())], sorted, `${binding} ${name}`);
    assert.equal(await storage.getAlarm(), alarm, `${binding} ${name}`);
  }
  const doubled = await mf.getDurableObjectStorage(double);
  assert.deepEqual([...(await doubled.list())], [["k", 1]]);
  assert.equal((await (await storageOf(mf, "TEST", "deleted")).list()).size, 0);
  await mf.dispose();
}

const importing = (...args) => runCli(["import", ...args]);

/** Every old key with its value. */
async function fingerprint(client) {
  const keys = (await client.call("KEYS", "*")).map(String).sort();
  const old = keys.filter((key) => /:(value|meta):/.test(key));
  const found = [];
  for (const key of old) found.push([key, String(await client.call("GET", key))]);
  return found;
}

describe("from Redis", () => {
  test("import: everything that Miniflare 2 has written in Redis is there, and the source is as it was", async (t) => {
    const { from, to, client } = await oldData(t);
    const before = await fingerprint(client);
    const run = await importing(from, to);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    const lines = run.stdout.trim().split("\n");
    assert.equal(lines.length, 3, run.stdout);
    assert.match(
      lines[0],
      /^Left out: .*__MINIFLARE_ALARMS__:value:TEST:\w+ \(its object has no alarm\)$/,
    );
    assert.equal(lines[1], `Left out: ${from} KV:value:* (2 keys that belong to no object)`);
    assert.equal(lines[2], `Imported from ${from} into ${to}: ${counts}.`);
    assert.deepEqual(await fingerprint(client), before);
    await assertHasAll(t, to);
  });

  test("import: a second time it writes nothing", async (t) => {
    const { from, to } = await oldData(t);
    await importing(from, to);
    const run = await importing(from, to);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    assert.deepEqual(run.stdout.trim().split("\n").slice(-2), [
      `Imported from ${from} into ${to}: ${counts}.`,
      `Of these existed already: ${keyCount} keys, ${alarmCount} alarms.`,
    ]);
    await assertHasAll(t, to);
  });

  test("import: into the same database, where the old data stays beside the new", async (t) => {
    const { from, client } = await oldData(t);
    const before = await fingerprint(client);
    for (let round = 1; round <= 2; round++) {
      const run = await importing(from, from);
      assert.deepEqual([run.code, run.stderr], [0, ""]);
      assert.ok(run.stdout.includes(`: ${counts}.\n`), run.stdout);
    }
    assert.deepEqual(await fingerprint(client), before);
    await assertHasAll(t, from);
  });

  test("import: from Redis into files, and from there back into Redis", async (t) => {
    const { from, to } = await oldData(t);
    const files = path.join(await temporaryDirectory(t), "files");
    const out = await importing(from, files);
    assert.deepEqual([out.code, out.stderr], [0, ""]);
    assert.ok(out.stdout.endsWith(`Imported from ${from} into ${files}: ${counts}.\n`), out.stdout);
    await assertHasAll(t, files);
    const back = await importing(files, to);
    assert.deepEqual(
      [back.code, back.stderr, back.stdout],
      [0, "", `Imported from ${files} into ${to}: ${counts}.\n`],
    );
    await assertHasAll(t, to);
  });

  test("import: a Redis of ferroflare is copied, while a worker uses it", async (t) => {
    const { from, to } = await oldData(t);
    await importing(from, to);
    const mf = open(t, to);
    await (await storageOf(mf, "TEST", "several")).put("a", 1);
    const files = path.join(await temporaryDirectory(t), "files");
    const run = await importing(to, files);
    assert.deepEqual(
      [run.code, run.stderr, run.stdout],
      [0, "", `Imported from ${to} into ${files}: ${counts}.\n`],
    );
    await assertHasAll(t, files);
  });

  test("import: what was written since is kept and reported, and --overwrite replaces it", async (t) => {
    const { from, to } = await oldData(t);
    await importing(from, to);
    const mf = open(t, to);
    const storage = await storageOf(mf, "TEST", "several");
    await storage.put({ a: "newer", more: 1 });
    await storage.setAlarm(ALARM + 100);
    const kept = await importing(from, to);
    assert.equal(kept.code, 1);
    const reported = kept.stderr.trim().split("\n").sort();
    assert.equal(reported.length, 2, kept.stderr);
    assert.match(kept.stderr, /: its alarm is set for another time there, which was kept\n/);
    assert.match(kept.stderr, /:value:a: "a" has another value there, which was kept\n/);
    assert.equal(await storage.get("a"), "newer");
    const replaced = await importing(from, to, "--overwrite");
    assert.deepEqual([replaced.code, replaced.stderr], [0, ""]);
    assert.deepEqual([...(await storage.list()).keys()], ["a", "b", "more"]);
    assert.deepEqual([await storage.get("a"), await storage.getAlarm()], [1, ALARM]);
  });

  test("import: what cannot be read is named with its reason, and everything else is there", async (t) => {
    const { from, to, client } = await oldData(t);
    const keys = (await client.call("KEYS", "TEST:*:value:a")).map(String);
    const object = keys[0].replace(/:value:a$/, "");
    const damaged = {
      empty: "it is empty",
      json: "it holds no value that Miniflare 2 has written",
      list: "it is no string, or has been deleted meanwhile",
      big: "its value of 4194311 bytes is over the limit of 2097184 bytes",
    };
    await client.call("SET", `${object}:value:empty`, "");
    await client.call("SET", `${object}:value:json`, '{"a":1}');
    await client.call("RPUSH", `${object}:value:list`, "x");
    const large = [
      Buffer.from([0xff, 0x0f, 0x22, 0x80, 0x80, 0x80, 0x02]),
      Buffer.alloc(4 << 20, "x"),
    ];
    await client.call("SET", `${object}:value:big`, Buffer.concat(large));
    const expected = Object.entries(damaged).map(
      ([key, reason]) => `ferroflare: ${from} ${object}:value:${key}: ${reason}`,
    );
    const stranger = Buffer.concat([Buffer.from(`${object}:value:`), Buffer.from([0xff, 0xfe])]);
    await client.call("SET", stranger, "x");
    expected.push(`ferroflare: ${from} ${object}:value:\u{fffd}\u{fffd}: its name is not in UTF-8`);
    const alarmed = content.find(([, name]) => name === "only an alarm");
    const id = await idOf(t, alarmed[0], alarmed[1]);
    await client.call("DEL", `TEST:${id}:meta:${ALARM_KEY}`, `${ALARM_KEY}:meta:TEST:${id}`);
    expected.push(`ferroflare: ${from} TEST:${id}:value:${ALARM_KEY}: its alarm has no time`);
    const run = await importing(from, to);
    assert.equal(run.code, 1);
    assert.deepEqual(run.stderr.trim().split("\n").sort(), expected.sort());
    assert.match(run.stdout, /Not imported: 6, see above\.\n$/);
    const storage = await storageOf(open(t, to), "TEST", "several");
    assert.deepEqual([...(await storage.list()).keys()], ["a", "b"]);
  });

  test("import: an alarm whose time is damaged is taken from its copy", async (t) => {
    const { from, to, client } = await oldData(t);
    const id = await idOf(t, "TEST", "several");
    await client.call("SET", `TEST:${id}:meta:${ALARM_KEY}`, "{");
    const run = await importing(from, to);
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    await assertHasAll(t, to);
  });

  test("import: a Redis that cannot be used is one line, without the password", async (t) => {
    const host = `127.0.0.1:${await freePort()}`;
    const directory = await temporaryDirectory(t);
    await server.call("CONFIG", "SET", "requirepass", "right");
    try {
      for (const [place, reason] of [
        [`redis://:secret-word@${host}`, /refused/i],
        [`redis://:secret-word@${server.host}`, /password|auth/i],
        ["redis://:secret-word@host:port", /no Redis URL|port/i],
      ]) {
        for (const args of [
          [place, path.join(directory, "to")],
          [directory, place],
        ]) {
          const run = await importing(...args);
          assert.deepEqual([run.code, run.hung], [1, false], run.stdout);
          assert.match(run.stderr, reason);
          assert.ok(!run.stderr.includes("secret-word"), run.stderr);
          assert.equal(run.stderr.trim().split("\n").length, 1, run.stderr);
        }
      }
    } finally {
      const client = await server.client().catch(() => undefined);
      client?.close();
      await server.call("CONFIG", "SET", "requirepass", "");
    }
  });
});

async function idOf(t, binding, name) {
  const mf = new Miniflare(worker);
  t.after(() => mf.dispose());
  return String((await mf.getDurableObjectNamespace(binding)).idFromName(name));
}

describe("objects", () => {
  const objects = (place, command, ...args) =>
    runCli(["objects", command, ...args, "--do-persist", place]);

  test("objects: lists, shows, exports and deletes those in Redis, while a worker uses them", async (t) => {
    await server.call("FLUSHALL");
    const place = server.url(3);
    const mf = open(t, place);
    const storage = await storageOf(mf, "TEST", "one");
    await storage.put({ a: 1, b: "two", c: new Date(5) });
    await storage.setAlarm(ALARM);
    await (await storageOf(mf, "we:ird", "other")).put("key", 1);
    const [one, other] = [await idOf(t, "TEST", "one"), await idOf(t, "we:ird", "other")];

    const listed = await objects(place, "list", "--keys");
    assert.deepEqual([listed.code, listed.stderr], [0, ""]);
    assert.deepEqual(listed.stdout.trim().split("\n").sort(), [
      `TEST ${one} 3 keys alarm ${new Date(ALARM).toISOString()}`,
      `we:ird ${other} 1 key`,
    ]);
    const shown = await objects(place, "show", "TEST", one);
    assert.deepEqual(
      [shown.stderr, shown.stdout],
      [
        "",
        `alarm ${new Date(ALARM).toISOString()}\n"a": 1\n"b": 'two'\n"c": 1970-01-01T00:00:00.005Z\n`,
      ],
    );
    const exported = await objects(place, "export");
    assert.equal(exported.stdout.trim().split("\n").length, 5, exported.stdout);
    const deleted = await objects(place, "delete", "TEST", "--id-from-name", "one");
    assert.deepEqual([deleted.code, deleted.stdout], [0, `Deleted TEST ${one}.\n`]);
    assert.deepEqual([(await storage.list()).size, await storage.getAlarm()], [0, null]);
    const rest = await objects(place, "list");
    assert.equal(rest.stdout, `we:ird ${other}\n`);
  });

  test("objects: an empty Redis has none, and is named without its password", async (t) => {
    const own = await RedisServer.start({ password: "secret-word" });
    t.after(() => own.close());
    const run = await objects(own.url(), "list");
    assert.deepEqual(
      [run.code, run.stdout, run.stderr],
      [0, "", `There are no objects in redis://:***@${own.host}/0.\n`],
    );
  });
});
