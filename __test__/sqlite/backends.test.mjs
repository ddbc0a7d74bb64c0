// A class becomes SQLite-backed with what it holds, and cannot go back.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { temporaryDirectory } from "../support/cli.mjs";

const script = `import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  async keep(key) {
    await this.ctx.storage.put(key, key + "!");
    await this.ctx.storage.setAlarm(8_640_000_000_000);
  }
  async found(key) {
    return [await this.ctx.storage.get(key), await this.ctx.storage.getAlarm()];
  }
  query(sql) {
    return this.ctx.storage.sql.exec(sql).toArray();
  }
  alarm() {}
}
export default {};`;

function options(useSQLite, more) {
  return {
    modules: true,
    script,
    durableObjects: { STORE: { className: "Store", useSQLite } },
    compatibilityDate: "2026-04-25",
    ...more,
  };
}

async function stubOf(mf) {
  const namespace = await mf.getDurableObjectNamespace("STORE");
  return namespace.getByName("one");
}

test("a class on files becomes SQLite-backed with its keys and alarms, and the way back names the directory", async (t) => {
  const directory = await temporaryDirectory(t);
  const persist = { durableObjectsPersist: directory };
  const kept = ["a!", 8_640_000_000_000];
  for (const useSQLite of [false, true]) {
    const mf = new Miniflare(options(useSQLite, persist));
    const stub = await stubOf(mf);
    if (!useSQLite) await stub.keep("a");
    assert.deepEqual(await stub.found("a"), kept);
    if (useSQLite) await stub.query("CREATE TABLE t(a)");
    await mf.dispose();
  }
  const mf = new Miniflare(options(false, persist));
  const id = (await mf.getDurableObjectNamespace("STORE")).idFromName("one");
  const refused = (error) => {
    assert.equal(error.code, "ERR_STORAGE_BACKEND");
    const place = path.join(directory, "STORE", id.toString());
    assert.ok(error.message.startsWith(`${place} is in a SQLite database`), error.message);
    return true;
  };
  const storage = await mf.getDurableObjectStorage(id);
  await assert.rejects(async () => storage.get("a"), refused);
  await mf.dispose();
  const again = new Miniflare(options(true, persist));
  assert.deepEqual(await (await stubOf(again)).query("SELECT count(*) AS n FROM t"), [{ n: 0 }]);
  await again.dispose();
});

test("a class in memory becomes SQLite-backed when the options change, and the way back is refused", async () => {
  const mf = new Miniflare(options(false));
  await (await stubOf(mf)).keep("a");
  await mf.setOptions(options(true));
  const stub = await stubOf(mf);
  assert.deepEqual(await stub.found("a"), ["a!", 8_640_000_000_000]);
  await stub.query("CREATE TABLE t(a)");
  await mf.setOptions(options(false));
  const id = (await mf.getDurableObjectNamespace("STORE")).idFromName("one");
  await assert.rejects(async () => mf.getDurableObjectStorage(id), { code: "ERR_STORAGE_BACKEND" });
  await mf.dispose();
});
