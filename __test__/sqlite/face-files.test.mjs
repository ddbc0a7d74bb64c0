// SQLite-backed objects in files, as the face keeps them: open while the instance lives, closed after it, given to a process that waits.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { kEvict } from "../../dist/shared/symbols.js";
import { packageRoot, start, temporaryDirectory } from "../support/cli.mjs";
import { openFiles } from "../support/files.mjs";
import { serveStore } from "../support/sqlite-store.mjs";

const members = "alarm() {}";
const programs = {
  write: `
    sql.exec("CREATE TABLE IF NOT EXISTS t (a)");
    sql.exec("INSERT INTO t VALUES (?)", args[0]);
    kv.put("last", args[0]);
    await storage.setAlarm(4_000_000_000_000);`,
  read: `return [sql.exec("SELECT a FROM t ORDER BY a").toArray().map(({ a }) => a), kv.get("last"), await storage.getAlarm()];`,
};

const onLinux = process.platform === "linux";
/** Where the system tells. */
const openDatabases = (root) => [
  ...new Set(openFiles(root).filter((file) => file.endsWith("object.sqlite"))),
];

async function serveIn(t, root, options) {
  const given = { members, durableObjectsPersist: root, ...options };
  const served = await serveStore(undefined, programs, given);
  t.after(() => served.mf.dispose());
  const { DurableObjectsPlugin: plugin } = await served.mf.getPlugins();
  return { ...served, plugin };
}

async function root(t) {
  return path.join(await temporaryDirectory(t), "data");
}

/** Waits for what has no event, such as a file that a thread closes. */
async function until(isTrue) {
  const end = Date.now() + 10_000;
  while (!isTrue() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(isTrue());
}

test("sqlite files: tables, keys and the alarm are there for the next process", async (t) => {
  const directory = await root(t);
  const first = await serveStore(undefined, programs, {
    members,
    durableObjectsPersist: directory,
  });
  await first.store().write(1);
  await first.store().write(2);
  await first.mf.dispose();
  const { store, storage } = await serveIn(t, directory);
  const outside = await storage();
  assert.equal(outside.sql.exec("SELECT count(*) AS n FROM t").one().n, 2);
  assert.deepEqual(await store().read(), [[1, 2], 2, 4_000_000_000_000]);
});

test("sqlite files: databases stay open while their instances live, however few may be open, and end with dispose", async (t) => {
  const directory = await root(t);
  const { mf, store, plugin } = await serveIn(t, directory, { durableObjectsMaxOpen: 2 });
  const names = ["a", "b", "c", "d", "e"];
  for (const name of names) await store(name).write(name);
  await Promise.all(names.map((name) => store(name).write(`${name}2`)));
  for (const name of names) assert.deepEqual((await store(name).read())[0], [name, `${name}2`]);
  await plugin[kEvict]();
  for (const name of names) assert.deepEqual((await store(name).read())[0], [name, `${name}2`]);
  await plugin[kEvict]();
  if (onLinux) await until(() => openDatabases(directory).length <= 2);
  await mf.dispose();
  assert.deepEqual(openDatabases(directory), []);
});

test("sqlite files: an idle instance leaves its object to a process that waits, and takes it back", async (t) => {
  const directory = await root(t);
  const { mf, store, storage } = await serveIn(t, directory);
  await store().write(1);
  const outside = await storage();
  await mf.reload();
  assert.equal(outside.kv.get("last"), 1);
  assert.deepEqual((await store().read())[0], [1]);
  const script = path.join(await temporaryDirectory(t), "other.mjs");
  writeFileSync(
    script,
    `import { Miniflare } from ${JSON.stringify(path.join(packageRoot, "index.mjs"))};
     const script = 'import { DurableObject } from "cloudflare:workers"; export class Store extends DurableObject { write(n) { this.ctx.storage.sql.exec("INSERT INTO t VALUES (?)", n); this.ctx.storage.kv.put("last", n); return this.ctx.storage.sql.exec("SELECT count(*) AS n FROM t").one().n; } } export default { fetch: () => new Response() };';
     const mf = new Miniflare({ modules: true, script, durableObjects: { STORE: { className: "Store", useSQLite: true } }, durableObjectsPersist: ${JSON.stringify(directory)} });
     console.log(await (await mf.getDurableObjectNamespace("STORE")).getByName("a").write(2));
     await mf.dispose();`,
  );
  const { code, stdout, stderr } = await start(process.execPath, [script]).ended;
  assert.deepEqual([code, stdout, stderr], [0, "2\n", ""]);
  assert.deepEqual((await store().read()).slice(0, 2), [[1, 2], 2]);
  assert.equal(await outside.get("last"), 2);
  assert.equal(outside.kv.get("last"), 2);
});
