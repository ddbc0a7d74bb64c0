// S7, S9, S10: data in Redis, in the three forms, under keys that say whose they are; dispose() closes the connections.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Miniflare } from "ferroflare";
import {
  fixtures,
  packageRoot,
  runModule,
  startCli,
  temporaryDirectory,
  until,
} from "../support/cli.mjs";
import { count, options, script, storageOf } from "../support/files.mjs";
import { RedisServer, redisServer } from "../support/redis.mjs";

const main = pathToFileURL(path.join(packageRoot, "index.mjs")).href;
/** Packages that other Redis support needs. */
const OTHERS = ["ioredis", "redis", "@miniflare/storage-redis"];

let server;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.close());
beforeEach(() => server.call("FLUSHALL"));

function miniflare(t, more) {
  const mf = new Miniflare({ ...options, durableObjectsPersist: server.url(), ...more });
  // A start that failed fails again when it is disposed of.
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

/** A directory with the counting worker, and the lines of `toml` under [miniflare] in its wrangler.toml. */
async function project(t, toml) {
  const directory = await temporaryDirectory(t);
  await copyFile(path.join(fixtures, "objects", "worker.mjs"), path.join(directory, "worker.mjs"));
  if (toml !== undefined) {
    const base = await readFile(path.join(fixtures, "toml", "wrangler.toml"), "utf8");
    await writeFile(path.join(directory, "wrangler.toml"), `${base}\n[miniflare]\n${toml}\n`);
  }
  return directory;
}

/** Counts to 3 with two processes of the command, one after the other, in `cwd`. */
async function countTwice(t, args, cwd) {
  const first = await startCli(t, args, { cwd });
  assert.equal(await first.text("/1"), "Object1 1");
  assert.equal(await first.text("/1"), "Object1 2");
  await first.end("SIGTERM");
  const second = await startCli(t, args, { cwd });
  assert.equal(await second.text("/1"), "Object1 3");
}

/** A module that counts once by the API, and prints the count. */
const counting = (more) => `
import { Miniflare } from ${JSON.stringify(main)};
const mf = new Miniflare(${JSON.stringify({ ...options, durableObjectsPersist: server.url(), ...more })});
const response = await mf.dispatchFetch("http://localhost:8787/a");
console.log(await response.text());
await mf.dispose();`;

async function countElsewhere(more) {
  const { code, stdout, stderr, hung } = await runModule(counting(more));
  assert.deepEqual({ code, stderr, hung }, { code: 0, stderr: "", hung: false });
  return Number(stdout);
}

describe("S7: the three forms", () => {
  test("S7: --do-persist redis://… keeps data for the next run of the command", async (t) => {
    const directory = await project(t);
    const args = ["worker.mjs", "--do", "OBJECT1=Object1", "--do-persist", server.url()];
    await countTwice(t, args, directory);
    assert.deepEqual(await readdir(directory), ["worker.mjs"]);
  });

  test("S7: durable_objects_persist = redis://… keeps data for the next run of the command", async (t) => {
    const directory = await project(t, `durable_objects_persist = ${JSON.stringify(server.url())}`);
    await countTwice(t, [], directory);
    assert.deepEqual((await readdir(directory)).sort(), ["worker.mjs", "wrangler.toml"]);
  });

  test("S7: durableObjectsPersist: redis://… keeps data for the next instance and process", async (t) => {
    assert.equal(await countElsewhere(), 1);
    assert.equal(await countElsewhere(), 2);
    const [one, other] = [miniflare(t), miniflare(t)];
    assert.deepEqual([await count(one), await count(other), await count(one)], [3, 4, 5]);
    await one.reload();
    assert.equal(await count(one), 6);
  });

  test("S7: the port and the database may be left out of the URL, and a database is one of its own", async (t) => {
    const inDatabase = (database) => miniflare(t, { durableObjectsPersist: server.url(database) });
    assert.equal(await count(inDatabase(0)), 1);
    assert.equal(await count(inDatabase(7)), 1);
    assert.equal(await count(miniflare(t, { durableObjectsPersist: `redis://${server.host}` })), 2);
    assert.equal(await count(inDatabase(7)), 2);
    const client = await server.client(7);
    t.after(() => client.close());
    assert.ok((await client.call("DBSIZE")) > 0);
    // What listens there, if anything, is unknown: the address is only looked up.
    const standard = miniflare(t, { durableObjectsPersist: "redis://127.0.0.1:1" });
    await assert.rejects(count(standard), /127\.0\.0\.1:1\b/);
  });

  test("S7: setOptions() moves to Redis, to another Redis, and back to memory", async (t) => {
    const other = await redisServer(t);
    const mf = miniflare(t, { durableObjectsPersist: false });
    assert.equal(await count(mf), 1);
    await mf.setOptions({ durableObjectsPersist: server.url() });
    assert.deepEqual([await count(mf), await count(mf)], [1, 2]);
    await mf.setOptions({ durableObjectsPersist: other.url() });
    assert.equal(await count(mf), 1);
    await mf.setOptions({ durableObjectsPersist: server.url() });
    assert.equal(await count(mf), 3);
    await mf.setOptions({ durableObjectsPersist: false });
    assert.equal(await count(mf), 2);
  });

  test("S7: a mount shares its parent's Redis", async (t) => {
    const mf = miniflare(t, {
      script,
      durableObjects: { OBJECT: { className: "Counter", scriptName: "api" } },
      mounts: { api: { ...options, rootPath: packageRoot, routes: ["api.test/*"] } },
    });
    assert.equal(await count(mf), 1);
    const response = await mf.dispatchFetch("http://api.test/a");
    assert.equal(await response.text(), "2");
  });

  test("S7: nothing else has to be installed", async (t) => {
    const directory = await temporaryDirectory(t);
    const refusing = path.join(directory, "refuse.cjs");
    await writeFile(
      refusing,
      `const Module = require("node:module");
      const resolve = Module._resolveFilename;
      Module._resolveFilename = function (name, ...rest) {
        if (${JSON.stringify(OTHERS)}.includes(name)) throw new Error(name + " is not installed");
        return resolve.call(this, name, ...rest);
      };`,
    );
    const source = `
    import { createRequire } from "node:module";
    for (const name of ${JSON.stringify(OTHERS)}) {
      try {
        createRequire(${JSON.stringify(main)})(name);
        console.log(name, "is there");
      } catch {}
    }
    ${counting()}`;
    const { stdout, stderr } = await runModule(source, {
      env: { NODE_OPTIONS: `--require ${JSON.stringify(refusing)}` },
    });
    assert.deepEqual([stdout, stderr], ["1\n", ""]);
    const manifest = JSON.parse(await readFile(path.join(packageRoot, "package.json"), "utf8"));
    const wanted = { ...manifest.dependencies, ...manifest.peerDependencies };
    assert.deepEqual(
      Object.keys(wanted).filter((name) => OTHERS.includes(name)),
      [],
    );
  });
});

describe("S13: storage outside workers", () => {
  test("S13: getDurableObjectStorage() reads and writes what the object in Redis has", async (t) => {
    const mf = miniflare(t);
    assert.equal(await count(mf), 1);
    const { storage } = await storageOf(mf);
    assert.equal(await storage.get("count"), 1);
    await storage.put("count", 41);
    assert.equal(await count(mf), 42);
    const other = await storageOf(miniflare(t));
    assert.equal(await other.storage.get("count"), 42);
  });

  test("S13: every kind of value comes back, for another instance too", async (t) => {
    const values = {
      text: "é😀\0\n",
      none: null,
      number: -0,
      big: 2n ** 70n,
      date: new Date(5),
      map: new Map([[1, new Set(["x"])]]),
      bytes: new Uint8Array([0, 13, 10, 255]),
      list: Object.assign([1, undefined], { 3: { a: [] } }),
      long: "x".repeat(30_000),
    };
    const { storage } = await storageOf(miniflare(t));
    await storage.put(values);
    const other = await storageOf(miniflare(t));
    assert.deepEqual(Object.fromEntries(await other.storage.list()), values);
    assert.deepEqual(Object.fromEntries(await other.storage.get(Object.keys(values))), values);
  });
});

describe("S9: names of keys", () => {
  /** Keys that are no object's: an index for each binding, and what is known of the whole database. */
  const isIndex = (key) => /^([^:]+:(alarms|objects)|ferroflare:[a-z]+)$/.test(key);

  test("S9: each key of an object starts with its name and instance", async (t) => {
    const mf = miniflare(t, { durableObjects: { FIRST: "Counter", SECOND: "Counter" } });
    const owners = [];
    for (const binding of ["FIRST", "SECOND"]) {
      for (const name of ["a", "b"]) {
        const { id, storage } = await storageOf(mf, name, binding);
        await storage.put({ key: 1, other: 2 });
        await storage.setAlarm(4e12);
        await storage.transaction(async (txn) => txn.put("third", await txn.get("key")));
        owners.push(`${binding}:{${id}}:`);
      }
    }
    const keys = await server.keys();
    const owned = keys.filter((key) => !isIndex(key));
    for (const owner of owners) {
      assert.ok(owned.includes(`${owner}values`), `${owner}values is not among ${owned}`);
    }
    const strangers = owned.filter((key) => !owners.some((owner) => key.startsWith(owner)));
    assert.deepEqual(strangers, []);
  });

  test("S9: redis-cli shows the names as they are", async (t) => {
    const { id, storage } = await storageOf(miniflare(t));
    await storage.put("key", 1);
    const args = ["-p", String(server.port), "keys", `OBJECT:{${id}}:*`];
    const shown = execFileSync("redis-cli", args, { encoding: "utf8" }).trim().split("\n");
    assert.ok(shown.includes(`OBJECT:{${id}}:values`), shown.join());
  });

  test("S9: deleteAll() leaves nothing of an object but the memory of its commits, and others alone", async (t) => {
    const mf = miniflare(t);
    const [one, other] = [await storageOf(mf, "one"), await storageOf(mf, "other")];
    for (const { storage } of [one, other]) {
      await storage.put({ secret: "a well known text", more: 1 });
      await storage.setAlarm(4e12);
    }
    const kept = await server.keys(`OBJECT:{${other.id}}:*`);
    await one.storage.deleteAll();
    const left = await server.keys(`OBJECT:{${one.id}}:*`);
    assert.deepEqual(
      left.filter((key) => !key.includes(":done:")),
      [],
    );
    assert.deepEqual(await server.keys(`OBJECT:{${other.id}}:*`), kept);
    assert.equal((await other.storage.list()).size, 2);
    assert.equal(await other.storage.getAlarm(), 4e12);
  });

  const NAMES = [
    ...["a", "a:b", "a:{b}", "{a}", "a}", "{", "}", "a b", " ", "*", "a*", "?", "[ab]", "^"],
    ...["%", "%3A", "a%3Ab", "\n", "\t", "\0", "é", "😀", "\u{2028}", "\\", '"', "'", "a/b", ".."],
    ...[
      "a:alarms",
      "a:objects",
      "alarms",
      "objects",
      "ferroflare",
      "ferroflare:names",
      "__proto__",
    ],
  ];

  test("S9: names with any character neither collide nor reach into others", async (t) => {
    const durableObjects = Object.fromEntries(NAMES.map((name) => [name, "Counter"]));
    const mf = miniflare(t, { durableObjects });
    const storages = [];
    for (const binding of NAMES) storages.push(await storageOf(mf, "same", binding));
    for (const [i, { storage }] of storages.entries()) {
      await storage.put({ mine: NAMES[i], [`only ${i}`]: i });
      await storage.setAlarm(4e12 + i);
    }
    for (const [i, { storage }] of storages.entries()) {
      assert.deepEqual(
        [...(await storage.list())],
        [
          ["mine", NAMES[i]],
          [`only ${i}`, i],
        ],
      );
      assert.equal(await storage.getAlarm(), 4e12 + i);
    }
    for (const { storage } of storages.filter((_, i) => i % 2 === 0)) await storage.deleteAll();
    for (const [i, { storage }] of storages.entries()) {
      const left = i % 2 === 0 ? [0, null] : [2, 4e12 + i];
      assert.deepEqual([(await storage.list()).size, await storage.getAlarm()], left, NAMES[i]);
    }
  });

  test("S9: ids of test doubles with any character neither collide nor reach into others", async (t) => {
    const mf = miniflare(t);
    const ids = ["", "a", "{a}", "a}:values", "a}", "*", "a:{b}", "undefined", "é\n ", ":", "%7D"];
    const storages = [];
    for (const id of ids) {
      storages.push(await mf.getDurableObjectStorage({ toString: () => id }));
    }
    for (const [i, storage] of storages.entries()) await storage.put("mine", ids[i]);
    for (const [i, storage] of storages.entries()) {
      assert.deepEqual([...(await storage.list())], [["mine", ids[i]]]);
    }
    await storages[3].deleteAll();
    for (const [i, storage] of storages.entries()) {
      assert.equal((await storage.list()).size, i === 3 ? 0 : 1, ids[i]);
    }
  });

  test("S9: keys and prefixes are no patterns", async (t) => {
    const { storage } = await storageOf(miniflare(t));
    const keys = ["*", "*a", "?", "[ab]", "a", "b", "\\", ":", "{a}", "", "\0", "é", "__proto__"];
    for (const key of keys) await storage.put(key, key);
    for (const key of keys) assert.equal(await storage.get(key), key);
    for (const prefix of ["*", "?", "[", "\\", ":", "{", "é"]) {
      const expected = keys.filter((key) => key.startsWith(prefix)).sort();
      assert.deepEqual([...(await storage.list({ prefix })).keys()], expected, prefix);
    }
    assert.equal((await storage.list()).size, keys.length);
  });
});

describe("S10: the end", () => {
  const gone = () =>
    until(
      async () => ((await server.connections()).length === 0 ? true : undefined),
      "connections to be closed",
    );

  const ending = (use) => `
  import { Miniflare } from ${JSON.stringify(main)};
  process.on("beforeExit", () => console.log("ended by itself"));
  const mf = new Miniflare(${JSON.stringify({ ...options, durableObjectsPersist: server.url() })});
  const namespace = await mf.getDurableObjectNamespace("OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
  ${use}
  await mf.dispose();`;

  for (const [what, use, printed] of [
    ["an instance that was never used", "", []],
    ["reads and writes", `await storage.put("a", 1); console.log(await storage.get("a"));`, ["1"]],
    ["writes that no caller waited for", `storage.put("unawaited", 1); storage.put("b", 2);`, []],
    ["an alarm in an hour", "await storage.setAlarm(Date.now() + 3_600_000);", []],
    ["an alarm that is about to fire", "await storage.setAlarm(Date.now() + 20_000);", []],
    [
      "a transaction that is under way",
      `await new Promise((resolve) => {
        const closure = async (txn) => {
          await txn.get("a");
          resolve();
          await new Promise(() => {});
        };
        storage.transaction(closure).catch(() => {});
      });`,
      [],
    ],
    ["a second dispose()", "await mf.dispose();", []],
  ]) {
    test(`S10: dispose() closes the connections and the process ends by itself after ${what}`, async () => {
      const { code, signal, stdout, stderr, hung } = await runModule(ending(use));
      assert.deepEqual(
        { code, signal, hung, stderr },
        { code: 0, signal: null, hung: false, stderr: "" },
      );
      assert.deepEqual(stdout.trim().split("\n"), [...printed, "ended by itself"]);
      await gone();
    });
  }

  test("S10: what was written before dispose() is there, though no caller waited for it", async (t) => {
    await runModule(ending(`storage.put("unawaited", 1);`));
    const { storage } = await storageOf(miniflare(t));
    assert.equal(await storage.get("unawaited"), 1);
  });

  test("S10: dispose() closes the connections of this instance and not of others", async (t) => {
    const [one, other] = [miniflare(t), miniflare(t)];
    assert.deepEqual([await count(one), await count(other)], [1, 2]);
    await one.dispose();
    assert.equal(await count(other), 3);
    assert.ok((await server.connections()).length > 0);
    await other.dispose();
    await gone();
  });

  test("S10: the command ends at SIGTERM and closes its connections", async (t) => {
    const args = ["worker.mjs", "--do", "OBJECT1=Object1", "--do-persist", server.url()];
    const cli = await startCli(t, args, { cwd: path.join(fixtures, "objects") });
    assert.equal(await cli.text("/1"), "Object1 1");
    const { code, signal, hung } = await cli.end("SIGTERM");
    assert.deepEqual({ code, signal, hung }, { code: null, signal: "SIGTERM", hung: false });
    await gone();
  });
});
