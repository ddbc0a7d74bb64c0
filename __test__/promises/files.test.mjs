// S5, S6, S8: data in files, in the default place and in custom ones, one directory for each object.
import assert from "node:assert/strict";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Miniflare } from "ferroflare";
import { fixtures, packageRoot, runModule, startCli, temporaryDirectory } from "../support/cli.mjs";
import { count, filesIn, objectsIn, options, script, storageOf } from "../support/files.mjs";

const HEX_ID = /^[0-9a-f]{64}$/;
const main = pathToFileURL(path.join(packageRoot, "index.mjs")).href;

function miniflare(t, more) {
  const mf = new Miniflare({ ...options, ...more });
  t.after(() => mf.dispose());
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

/** Counts once in a process of its own, by the API with these further options; returns the count. */
async function countElsewhere(more, cwd = packageRoot) {
  const given = JSON.stringify({ ...options, ...more });
  const source = `
  import { Miniflare } from ${JSON.stringify(main)};
  const mf = new Miniflare(${given});
  const response = await mf.dispatchFetch("http://localhost:8787/a");
  console.log(await response.text());
  await mf.dispose();`;
  const { code, stdout, stderr, hung } = await runModule(source, { cwd });
  assert.deepEqual({ code, stderr, hung }, { code: 0, stderr: "", hung: false });
  return Number(stdout);
}

const defaultPlace = (directory) => path.join(directory, ".mf", "do");

describe("S5: the default place", () => {
  const args = ["worker.mjs", "--do", "OBJECT1=Object1"];

  test("S5: --do-persist keeps data for the next run of the command, in ./.mf/do", async (t) => {
    const directory = await project(t);
    await countTwice(t, [...args, "--do-persist"], directory);
    const [object, ...others] = objectsIn(defaultPlace(directory));
    assert.match(object, /^OBJECT1\/[0-9a-f]{64}$/);
    assert.deepEqual(others, []);
    assert.deepEqual((await readdir(directory)).sort(), [".mf", "worker.mjs"]);
  });

  test("S5: durable_objects_persist = true keeps data for the next run of the command, in ./.mf/do", async (t) => {
    const directory = await project(t, "durable_objects_persist = true");
    await countTwice(t, [], directory);
    assert.equal(objectsIn(defaultPlace(directory)).length, 1);
  });

  test("S5: durable_objects_persist = true through the API means .mf/do under the root path", async (t) => {
    const rootPath = await project(t, "durable_objects_persist = true");
    const mf = new Miniflare({ rootPath, wranglerConfigPath: true });
    t.after(() => mf.dispose());
    const response = await mf.dispatchFetch("http://localhost:8787/1");
    assert.equal(await response.text(), "Object1 1");
    assert.equal(objectsIn(defaultPlace(rootPath)).length, 1);
  });

  test("S5: durableObjectsPersist: true means .mf/do under the root path, for the next process too", async (t) => {
    const rootPath = await temporaryDirectory(t);
    const more = { rootPath, durableObjectsPersist: true };
    assert.equal(await countElsewhere(more), 1);
    assert.equal(await countElsewhere(more), 2);
    assert.equal(await count(miniflare(t, more)), 3);
    assert.equal(objectsIn(defaultPlace(rootPath)).length, 1);
  });

  test("S5: durableObjectsPersist: true without a root path means ./.mf/do", async (t) => {
    const cwd = await temporaryDirectory(t);
    assert.equal(await countElsewhere({ durableObjectsPersist: true }, cwd), 1);
    assert.equal(await countElsewhere({ durableObjectsPersist: true }, cwd), 2);
    assert.equal(objectsIn(defaultPlace(cwd)).length, 1);
  });

  for (const [name, mount] of [
    ["a mount that says nothing", {}],
    ["a mount that says true as well", { durableObjectsPersist: true }],
  ]) {
    test(`S5: ${name} shares its parent's place`, async (t) => {
      const [rootPath, mountPath] = [await temporaryDirectory(t), await temporaryDirectory(t)];
      const mf = new Miniflare({
        modules: true,
        script,
        rootPath,
        durableObjects: { OBJECT: { className: "Counter", scriptName: "api" } },
        durableObjectsPersist: true,
        mounts: { api: { ...options, rootPath: mountPath, routes: ["api.test/*"], ...mount } },
      });
      t.after(() => mf.dispose());
      assert.equal(await count(mf), 1);
      const response = await mf.dispatchFetch("http://api.test/a");
      assert.equal(await response.text(), "2");
      const inMount = await mf.dispatchFetch("http://api.test/b");
      assert.equal(await inMount.text(), "1");
      assert.equal(objectsIn(defaultPlace(rootPath)).length, 2);
      assert.deepEqual(await readdir(mountPath), []);
    });
  }
});

describe("S6: a custom path", () => {
  test("S6: --do-persist ./data/", async (t) => {
    const directory = await project(t);
    const args = ["worker.mjs", "--do", "OBJECT1=Object1", "--do-persist", "./data/"];
    await countTwice(t, args, directory);
    assert.equal(objectsIn(path.join(directory, "data")).length, 1);
    assert.deepEqual((await readdir(directory)).sort(), ["data", "worker.mjs"]);
  });

  test('S6: durable_objects_persist = "./data/"', async (t) => {
    const directory = await project(t, 'durable_objects_persist = "./data/"');
    await countTwice(t, [], directory);
    assert.equal(objectsIn(path.join(directory, "data")).length, 1);
  });

  test('S6: durableObjectsPersist: "./data" is under the root path', async (t) => {
    const rootPath = await temporaryDirectory(t);
    const more = { rootPath, durableObjectsPersist: "./data" };
    assert.equal(await countElsewhere(more), 1);
    assert.equal(await countElsewhere(more), 2);
    assert.equal(await count(miniflare(t, more)), 3);
    assert.equal(objectsIn(path.join(rootPath, "data")).length, 1);
  });

  test("S6: an absolute path, of which nothing exists yet", async (t) => {
    const directory = path.join(await temporaryDirectory(t), "some", "where é");
    assert.equal(await countElsewhere({ durableObjectsPersist: directory }), 1);
    assert.equal(await countElsewhere({ durableObjectsPersist: directory }), 2);
    assert.equal(objectsIn(directory).length, 1);
  });

  test("S6: a mount shares its parent's path", async (t) => {
    const [rootPath, mountPath] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    const mf = new Miniflare({
      modules: true,
      script,
      rootPath,
      durableObjects: { OBJECT: { className: "Counter", scriptName: "api" } },
      durableObjectsPersist: "./data",
      mounts: { api: { ...options, rootPath: mountPath, routes: ["api.test/*"] } },
    });
    t.after(() => mf.dispose());
    assert.equal(await count(mf), 1);
    const response = await mf.dispatchFetch("http://api.test/a");
    assert.equal(await response.text(), "2");
    assert.equal(objectsIn(path.join(rootPath, "data")).length, 1);
    assert.deepEqual(await readdir(mountPath), []);
  });

  test("S6: setOptions() with another path moves to the other place, and back", async (t) => {
    const [one, other] = [await temporaryDirectory(t), await temporaryDirectory(t)];
    const mf = miniflare(t, { durableObjectsPersist: one });
    assert.equal(await count(mf), 1);
    await mf.setOptions({ durableObjectsPersist: other });
    assert.equal(await count(mf), 1);
    assert.equal(await count(mf), 2);
    await mf.setOptions({ durableObjectsPersist: one });
    assert.equal(await count(mf), 2);
    await mf.setOptions({ durableObjectsPersist: false });
    assert.equal(await count(mf), 1);
    assert.deepEqual([objectsIn(one).length, objectsIn(other).length], [1, 1]);
  });
});

describe("S8: one directory for each object", () => {
  test("S8: it is <root>/<NAME>/<64 hex digits of the id>", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = miniflare(t, {
      durableObjects: { FIRST: "Counter", SECOND: "Counter" },
      durableObjectsPersist: root,
    });
    const expected = [];
    for (const binding of ["FIRST", "SECOND"]) {
      for (const name of ["a", "b", "../c"]) {
        const { id, storage } = await storageOf(mf, name, binding);
        await storage.put("key", `${binding} ${name}`);
        assert.match(id, HEX_ID);
        expected.push(`${binding}/${id}`);
      }
    }
    assert.deepEqual(objectsIn(root), expected.sort());
    assert.deepEqual((await readdir(root)).sort(), [".ferroflare", "FIRST", "SECOND"]);
  });

  test("S8: an id made by newUniqueId() has its directory too", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = miniflare(t, { durableObjectsPersist: root });
    const id = (await mf.getDurableObjectNamespace("OBJECT")).newUniqueId();
    await (await mf.getDurableObjectStorage(id)).put("key", 1);
    assert.deepEqual(objectsIn(root), [`OBJECT/${id}`]);
  });

  test("S8: an object that was only read has none", async (t) => {
    const root = path.join(await temporaryDirectory(t), "data");
    const mf = miniflare(t, { durableObjectsPersist: root });
    const { storage } = await storageOf(mf);
    const answers = [
      await storage.get("key"),
      await storage.get(["key", "other"]),
      await storage.list(),
      await storage.getAlarm(),
      await storage.delete("key"),
      await storage.deleteAll(),
      await storage.deleteAlarm(),
      await storage.sync(),
      await storage.transaction(async (txn) => txn.get("key")),
    ];
    const none = undefined;
    assert.deepEqual(answers, [none, new Map(), new Map(), null, false, none, none, none, none]);
    assert.deepEqual(objectsIn(root), []);
    assert.deepEqual(filesIn(root), []);
  });

  test("S8: in memory nothing is written", async (t) => {
    const rootPath = await temporaryDirectory(t);
    assert.equal(await countElsewhere({}, rootPath), 1);
    assert.equal(await countElsewhere({ durableObjectsPersist: false }, rootPath), 1);
    assert.deepEqual(await readdir(rootPath), []);
  });

  test("S8: deleteAll() leaves no data on disk, and the next put() makes the directory again", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = miniflare(t, { durableObjectsPersist: root });
    const { id, storage } = await storageOf(mf);
    await storage.put({ secret: "a long and well known text", other: 1 });
    await storage.setAlarm(4e12);
    await storage.deleteAll();
    await storage.sync();
    assert.deepEqual(objectsIn(root), []);
    assert.equal((await storage.list()).size, 0);
    await storage.put("key", 1);
    assert.deepEqual(objectsIn(root), [`OBJECT/${id}`]);
    assert.deepEqual([...(await storage.list())], [["key", 1]]);
    await mf.dispose();
    for (const file of filesIn(root)) {
      assert.ok(!(await readFile(file)).includes("well known text"), file);
    }
  });
});
