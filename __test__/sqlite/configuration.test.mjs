// Which classes are backed by SQLite: each form of configuration, what a class without it tells, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { runCli, temporaryDirectory } from "../support/cli.mjs";
import { addFiles, serveIn } from "../support/configured.mjs";
import { failure } from "../support/modern.mjs";
import { inOurs } from "./examples/example.mjs";

const script = `
import { DurableObject } from "cloudflare:workers";
export class Store extends DurableObject {
  query() {
    return this.ctx.storage.sql.exec("SELECT 1 + 1 AS two").one().two;
  }
}
export class Classic {
  constructor({ storage }) {
    this.storage = storage;
  }
  fetch() {
    return Response.json(this.storage.sql.exec("SELECT 3 AS three").one());
  }
}
export default {
  async fetch(request, env) {
    try {
      return Response.json({ value: await env.STORE.getByName("a").query() });
    } catch (error) {
      return Response.json({ name: error.name, message: error.message });
    }
  },
};`;

const durableObjects = { STORE: { className: "Store", useSQLite: true } };
const compatibilityDate = "2026-04-25";

async function ask(mf) {
  return (await mf.dispatchFetch("http://localhost/")).json();
}

function serve(t, options) {
  const mf = new Miniflare({ modules: true, script, compatibilityDate, ...options });
  t.after(() => mf.dispose());
  return mf;
}

const NOT_SQL =
  "SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to `new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd directly,set `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is already deployed to production.";
const NOT_KV =
  "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, but this object's namespace is not declared to use SQLite. You can use the older, asyncronous interface via methods of `storage` itself (e.g. `storage.get()`). Alternatively, to enable SQLite, change `new_classes` to `new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. If using workerd directly, set `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is already deployed to production.";

test("useSQLite gives a class SQL; without it the use of sql and kv tells how to get it", async (t) => {
  assert.deepEqual(await ask(serve(t, { durableObjects })), { value: 2 });
  const told = await inOurs(
    ({ sql, kv, storage, attempt }) => [
      attempt(() => sql.exec("SELECT 1")),
      attempt(() => sql.databaseSize),
      attempt(() => kv.get("a")),
      attempt(() => kv.put("a", 1)),
      attempt(() => kv.list()),
      attempt(() => kv.delete("a")),
      attempt(() => storage.transactionSync(() => 1)),
      [typeof storage.sql, typeof storage.kv],
    ],
    { durableObjects: { STORE: "Store" } },
  );
  assert.deepEqual(told, [
    `Error: ${NOT_SQL}`,
    `Error: ${NOT_SQL}`,
    ...Array(4).fill(`Error: ${NOT_KV}`),
    "Error: Durable Object is not backed by SQL.",
    ["object", "object"],
  ]);
});

test("a class that does not extend DurableObject has SQL too", async (t) => {
  const mf = serve(t, { durableObjects: { CLASSIC: { className: "Classic", useSQLite: true } } });
  const namespace = await mf.getDurableObjectNamespace("CLASSIC");
  const response = await namespace.get(namespace.idFromName("a")).fetch("http://object/");
  assert.deepEqual(await response.json(), { three: 3 });
});

/** What the worker answers whose configuration also declares `classes`. */
async function askConfigured(t, classes) {
  const directory = await temporaryDirectory(t);
  await addFiles(directory, {
    "worker.mjs": script,
    "wrangler.jsonc": {
      name: "w",
      main: "worker.mjs",
      compatibility_date: compatibilityDate,
      durable_objects: { bindings: [{ name: "STORE", class_name: "Store" }] },
      ...classes,
    },
  });
  return serveIn(t, directory).json();
}

test("new_sqlite_classes in a configuration file gives a class SQL, new_classes does not", async (t) => {
  for (const [classes, expected] of [
    ["new_sqlite_classes", { value: 2 }],
    ["new_classes", { name: "Error", message: NOT_SQL }],
  ]) {
    const migrations = [{ tag: "v1", [classes]: ["Store"] }];
    assert.deepEqual(await askConfigured(t, { migrations }), expected, classes);
  }
});

test("exports in a configuration file give a class SQL", async (t) => {
  const exports = { Store: { type: "durable-object", storage: "sqlite" } };
  assert.deepEqual(await askConfigured(t, { exports }), { value: 2 });
});

test("on Redis a class with SQL is refused at setup, with the class and what to do", async () => {
  const mf = new Miniflare({
    modules: true,
    script,
    compatibilityDate,
    durableObjects,
    durableObjectsPersist: "redis://127.0.0.1:1/",
  });
  const error = await failure(ask(mf));
  assert.equal(error.code, "ERR_SQL_REDIS");
  assert.match(error.message, /Store/);
  await mf.dispose().catch(() => {});
});

test("the command takes --do-sqlite", async () => {
  const { stdout } = await runCli(["--help"]);
  assert.match(stdout, /--do-sqlite/);
});
