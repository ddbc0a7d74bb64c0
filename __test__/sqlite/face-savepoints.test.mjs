// Savepoints of tests with SQL: what is written in one vanishes with it, for instances, for storages outside and for cursors.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { DurableObject } from "../../dist/durable-objects/base.js";
import { kForgetObjects } from "../../dist/shared/symbols.js";
import { temporaryDirectory } from "../support/cli.mjs";
import { memoryFactory, servingPlugin } from "../support/plugin.mjs";

class Store extends DurableObject {
  add(value) {
    const { sql, kv } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS t (a); INSERT INTO t VALUES (1)");
    sql.exec("UPDATE t SET a = ?", value);
    kv.put("last", value);
  }

  read() {
    const { sql, kv } = this.ctx.storage;
    const tables = sql.exec("SELECT count(*) AS n FROM sqlite_schema WHERE name = 't'").one().n;
    return [tables, kv.get("last"), tables && sql.exec("SELECT DISTINCT a FROM t").one().a];
  }

  alarm() {}
}

const places = {
  memory: () => ({}),
  files: async (t) => ({ durableObjectsPersist: path.join(await temporaryDirectory(t), "data") }),
};

async function serve(t, options) {
  const factory = Object.assign(memoryFactory(), { push() {}, pop() {} });
  const given = { durableObjectsSqlite: ["STORE"], ...options };
  const { plugin, namespace } = await servingPlugin({ STORE: Store }, { factory, options: given });
  t.after(() => plugin.dispose());
  const id = namespace("STORE").idFromName("a");
  const instance = () => plugin.getInstance(factory, id);
  const outside = () => plugin.openStorage(factory, id);
  return { plugin, factory, instance, outside };
}

for (const [place, optionsIn] of Object.entries(places)) {
  test(`sqlite savepoints (${place}): tables, keys and the alarm are what they were before`, async (t) => {
    const { plugin, factory, instance, outside } = await serve(t, await optionsIn(t));
    (await instance()).add(1);
    const kept = await outside();
    await kept.setAlarm(4_000_000_000_000);
    for (let round = 0; round < 2; round++) {
      factory.push();
      plugin[kForgetObjects](1);
      (await instance()).add(2);
      await kept.deleteAlarm();
      factory.push();
      plugin[kForgetObjects](2);
      await kept.deleteAll();
      assert.deepEqual((await instance()).read(), [0, undefined, 0]);
      factory.pop();
      plugin[kForgetObjects](1);
      assert.deepEqual((await instance()).read(), [1, 2, 2]);
      factory.pop();
      plugin[kForgetObjects](0);
      assert.deepEqual((await instance()).read(), [1, 1, 1]);
      assert.equal(await kept.getAlarm(), 4_000_000_000_000);
      assert.equal(kept.kv.get("last"), 1);
    }
  });

  test(`sqlite savepoints (${place}): an instance that lives on sees it too, and cursors from before end`, async (t) => {
    const { factory, instance, outside } = await serve(t, await optionsIn(t));
    const object = await instance();
    object.add(1);
    const kept = await outside();
    await kept.sync();
    factory.push();
    object.add(2);
    await kept.put("other", 1);
    const cursor = kept.sql.exec("SELECT a FROM t");
    factory.pop();
    assert.deepEqual(object.read(), [1, 1, 1]);
    assert.equal(await kept.get("other"), undefined);
    assert.throws(() => cursor.toArray(), /SQLite query was canceled/);
    object.add(3);
    await kept.sync();
    assert.deepEqual(object.read(), [1, 3, 3]);
  });
}
