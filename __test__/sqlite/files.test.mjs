// Objects with SQL in a directory: their files, other processes, other programs, and the way from one backend to the other.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Miniflare } from "../../index.mjs";
import { nodeProgram, publishedVersions } from "../../scripts/lib/node-versions.mjs";
import { packageRoot, runModule, temporaryDirectory } from "../support/cli.mjs";
import { failure } from "../support/modern.mjs";

const script = `
import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  add(n) {
    const { sql, kv } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS t(a)");
    sql.exec("INSERT INTO t VALUES (?)", n);
    kv.put("last", n);
  }
  look() {
    const { sql, kv } = this.ctx.storage;
    return [[...sql.exec("SELECT a FROM t ORDER BY a").raw()].flat(), kv.get("last")];
  }
  async fill() {
    await this.ctx.storage.put({ a: 1, b: { two: 2 } });
    await this.ctx.storage.setAlarm(4e12);
  }
  async found() {
    return [[...(await this.ctx.storage.list())], await this.ctx.storage.getAlarm()];
  }
  alarm() {}
}
export default { fetch: () => new Response("none") };`;

const options = { modules: true, script, compatibilityDate: "2026-04-25" };

/** Calls methods of the object "a" in a Miniflare of its own; gives what the last one does. */
async function inObject(directory, calls, { useSQLite = true } = {}) {
  const mf = new Miniflare({
    ...options,
    durableObjects: { STORE: { className: "Store", useSQLite } },
    durableObjectsPersist: directory,
  });
  try {
    const stub = (await mf.getDurableObjectNamespace("STORE")).getByName("a");
    let result;
    for (const [method, ...args] of calls) result = await stub[method](...args);
    return result;
  } finally {
    await mf.dispose();
  }
}

/** The files of the only object below a directory. */
function filesOf(directory) {
  const objects = path.join(directory, "STORE");
  const [id] = readdirSync(objects);
  return { folder: path.join(objects, id), names: readdirSync(path.join(objects, id)) };
}

test("an object has one database in its own directory, and what was written is there for the next process", async (t) => {
  const directory = await temporaryDirectory(t);
  await inObject(directory, [
    ["add", 1],
    ["add", 2],
  ]);
  const { folder, names } = filesOf(directory);
  assert.ok(names.includes("object.sqlite"), names.join());
  const bytes = readFileSync(path.join(folder, "object.sqlite"));
  assert.equal(bytes.toString("latin1", 0, 15), "SQLite format 3");
  assert.deepEqual(await inObject(directory, [["look"]]), [[1, 2], 2]);
});

test("other programs read its keys and tables while it is not open", async (t) => {
  const directory = await temporaryDirectory(t);
  await inObject(directory, [
    ["add", 1],
    ["add", 2],
  ]);
  const file = path.join(filesOf(directory).folder, "object.sqlite");
  // better-sqlite3 wants Node.js 22.
  const { version } = (await publishedVersions()).find(({ line }) => line === "24");
  const source = `
    const Database = require("better-sqlite3");
    const db = new Database(process.argv[1], { readonly: true });
    console.log(JSON.stringify([db.prepare("SELECT a FROM t ORDER BY a").pluck().all(), db.prepare("SELECT key FROM _cf_KV").pluck().all(), db.pragma("integrity_check", { simple: true })]));`;
  const { stdout } = await promisify(execFile)(await nodeProgram(version), ["-e", source, file], {
    cwd: packageRoot,
  });
  assert.deepEqual(JSON.parse(stdout), [[1, 2], ["last"], "ok"]);
});

test("another process gets an object that is not busy, and the first one gets it back", async (t) => {
  const directory = await temporaryDirectory(t);
  const mf = new Miniflare({
    ...options,
    durableObjects: { STORE: { className: "Store", useSQLite: true } },
    durableObjectsPersist: directory,
  });
  t.after(() => mf.dispose());
  const namespace = await mf.getDurableObjectNamespace("STORE");
  await namespace.getByName("a").add(1);
  const { code, stdout, stderr } = await runModule(`
    import { Miniflare } from "ferroflare";
    const mf = new Miniflare({ ...${JSON.stringify(options)}, durableObjects: { STORE: { className: "Store", useSQLite: true } }, durableObjectsPersist: ${JSON.stringify(directory)} });
    const stub = (await mf.getDurableObjectNamespace("STORE")).getByName("a");
    await stub.add(2);
    console.log(JSON.stringify(await stub.look()));
    await mf.dispose();`);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), [[1, 2], 2]);
  await namespace.getByName("a").add(3);
  assert.deepEqual(await namespace.getByName("a").look(), [[1, 2, 3], 3]);
});

test("a class that becomes SQLite-backed takes its keys and its alarm along, and leaves no second database", async (t) => {
  const directory = await temporaryDirectory(t);
  await inObject(directory, [["fill"]], { useSQLite: false });
  const expected = [
    [
      ["a", 1],
      ["b", { two: 2 }],
    ],
    4e12,
  ];
  assert.deepEqual(await inObject(directory, [["found"]]), expected);
  assert.deepEqual(await inObject(directory, [["found"]]), expected);
  assert.deepEqual(
    filesOf(directory).names.filter((name) => /\.(sst|log)$|^CURRENT$/.test(name)),
    [],
  );
  assert.deepEqual(await inObject(directory, [["found"]]), expected);
});

test("a file that is damaged is told, and not changed", async (t) => {
  const directory = await temporaryDirectory(t);
  await inObject(directory, [["add", 1]]);
  const { folder } = filesOf(directory);
  const file = path.join(folder, "object.sqlite");
  const damaged = Buffer.concat([
    Buffer.from("This is no database."),
    readFileSync(file).subarray(20),
  ]);
  writeFileSync(file, damaged);
  const error = await failure(inObject(directory, [["look"]]));
  assert.match(error.message, /object\.sqlite|not a database|corrupt/i);
  assert.ok(readFileSync(file).equals(damaged));
});
