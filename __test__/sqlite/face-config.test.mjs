// Which classes are SQLite-backed, by every way to configure it; and what a class without SQLite says.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { Miniflare } from "../../index.mjs";
import { startCli } from "../support/cli.mjs";
import { projectOf, serveIn } from "../support/configured.mjs";
import { failure, TODAY } from "../support/modern.mjs";
import { scriptOf, serveStore } from "../support/sqlite-store.mjs";

const programs = {
  query: `return sql.exec("SELECT 1 AS one").one();`,
  without: `
    return [typeof storage.sql, typeof storage.kv, String(sql), String(kv), sql.Cursor.name,
      error(() => sql.exec("SELECT 1")), error(() => sql.databaseSize),
      error(() => kv.get("a")), error(() => kv.put("a", 1)), error(() => kv.delete("a")), error(() => kv.list()),
      error(() => storage.transactionSync(() => 1))];`,
  bookmarks: `
    const of = (promise) => promise.then((value) => ["value", value], (e) => [e.constructor.name, e.message]);
    return Promise.all([of(storage.getCurrentBookmark()), of(storage.getBookmarkForTime(5)), of(storage.getBookmarkForTime()), of(storage.onNextSessionRestoreBookmark("x"))]);`,
};
const script = scriptOf(programs);
const bindings = { bindings: [{ name: "STORE", class_name: "Store" }] };

/** Whether objects of a worker have SQL, or the error of its start. */
async function hasSql(mf, binding = "STORE") {
  const namespace = await mf.getDurableObjectNamespace(binding);
  const answer = await namespace
    .getByName("a")
    .query()
    .catch((error) => error.message);
  if (answer.one === 1) return true;
  assert.match(answer, /^SQL is not enabled for this Durable Object class\. /);
  return false;
}

function serve(t, options) {
  const mf = new Miniflare({ modules: true, script, compatibilityDate: TODAY, ...options });
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

test("sqlite config: an option of the binding, a list of bindings, or the class of the plugin's option", async (t) => {
  const given = [
    [{ durableObjects: { STORE: "Store" } }, false],
    [{ durableObjects: { STORE: { className: "Store", useSQLite: false } } }, false],
    [{ durableObjects: { STORE: { className: "Store", useSQLite: true } } }, true],
    [{ durableObjects: { STORE: "Store" }, durableObjectsSqlite: ["STORE"] }, true],
    [
      { durableObjects: { STORE: "Store" }, durableObjectsClasses: { Store: { sqlite: true } } },
      true,
    ],
    // A class is SQLite-backed in all of its bindings.
    [{ durableObjects: { STORE: "Store", B: { className: "Store", useSQLite: true } } }, true],
  ];
  for (const [options, expected] of given) {
    assert.equal(await hasSql(serve(t, options)), expected, JSON.stringify(options));
  }
});

test("sqlite config: migrations, their renames and deletions, and exports of a configuration file", async (t) => {
  const configs = [
    [{ migrations: [{ tag: "v1", new_sqlite_classes: ["Store"] }] }, true],
    [{ migrations: [{ tag: "v1", new_classes: ["Store"] }] }, false],
    [
      {
        migrations: [
          { tag: "v1", new_sqlite_classes: ["Old"] },
          { tag: "v2", renamed_classes: [{ from: "Old", to: "Store" }] },
        ],
      },
      true,
    ],
    [
      {
        migrations: [
          { tag: "v1", new_sqlite_classes: ["Store"] },
          { tag: "v2", deleted_classes: ["Store"] },
          { tag: "v3", new_classes: ["Store"] },
        ],
      },
      false,
    ],
    [{ exports: { Store: { type: "durable-object", storage: "sqlite" } } }, true],
    [{ exports: { Store: { type: "durable-object", storage: "legacy-kv" } } }, false],
  ];
  for (const [config, expected] of configs) {
    const directory = await projectOf(t, {
      "wrangler.jsonc": {
        main: "worker.mjs",
        compatibility_date: TODAY,
        durable_objects: bindings,
        ...config,
      },
      "worker.mjs": script,
    });
    assert.equal(await hasSql(serveIn(t, directory).mf), expected, JSON.stringify(config));
  }
});

test("sqlite config: --do-sqlite of the command", async (t) => {
  const directory = await projectOf(t, {
    "worker.mjs": script.replace(
      `fetch: () => new Response("ok")`,
      `async fetch(request, env) { return Response.json(await env.STORE.getByName("a").query()); }`,
    ),
  });
  const file = path.join(directory, "worker.mjs");
  const args = [file, "--do", "STORE=Store", "--do-sqlite", "STORE"];
  const cli = await startCli(t, args, { cwd: directory });
  assert.deepEqual(JSON.parse(await cli.text("/")), { one: 1 });
});

test("sqlite config: places that contradict each other, and names of no binding, are an error with both", async (t) => {
  const said = 'Whether the class "Store" is SQLite-backed is said in two ways: by ';
  const wrong = [
    [
      {
        durableObjects: {
          STORE: { className: "Store", useSQLite: true },
          B: { className: "Store", useSQLite: false },
        },
      },
      `${said}durableObjects.STORE.useSQLite: true, and otherwise by durableObjects.B.useSQLite: false. Change one of them.`,
    ],
    [
      {
        durableObjects: { STORE: { className: "Store", useSQLite: true } },
        durableObjectsClasses: { Store: { sqlite: false } },
      },
      `${said}its new_classes, and otherwise by durableObjects.STORE.useSQLite: true. Change one of them.`,
    ],
    [
      { durableObjects: { STORE: "Store" }, durableObjectsSqlite: ["STROE"] },
      'Invalid value for durableObjectsSqlite (--do-sqlite): "STROE" (expected the name of a Durable Object binding: STORE)',
    ],
    [
      { durableObjects: { STORE: "Store" }, durableObjectsSqlite: "STORE" },
      'Invalid value for durableObjectsSqlite (--do-sqlite): "STORE" (expected an array of names of bindings)',
    ],
    [
      { durableObjects: { STORE: { className: "Store", useSQLite: "yes" } } },
      'Invalid value for durableObjects.STORE.useSQLite: "yes" (expected true or false)',
    ],
  ];
  for (const [options, message] of wrong) {
    const error = await failure(serve(t, options).getPlugins());
    assert.deepEqual([error.code, error.message], ["ERR_OPTION", message]);
  }
});

test("sqlite config: the worker that defines a class decides for the workers that mount it", async (t) => {
  const durableObjects = { STORE: { className: "Store", scriptName: "other" } };
  const other = {
    modules: true,
    script,
    compatibilityDate: TODAY,
    durableObjects: { OWN: "Store" },
  };
  const worker = `export default { fetch: () => new Response("ok") };`;
  for (const [sqlite, expected] of [
    [true, true],
    [false, false],
  ]) {
    const mounts = { other: { ...other, durableObjectsClasses: { Store: { sqlite } } } };
    assert.equal(await hasSql(serve(t, { script: worker, durableObjects, mounts })), expected);
  }
  const error = await failure(
    serve(t, {
      script: worker,
      durableObjects: { STORE: { ...durableObjects.STORE, useSQLite: true } },
      mounts: { other: { ...other, durableObjectsClasses: { Store: { sqlite: false } } } },
    })
      .getDurableObjectNamespace("STORE")
      .then((namespace) => namespace.getByName("a").query()),
  );
  assert.match(error.message, /by durableObjects\.STORE\.useSQLite, .*by the worker "other"/);
});

test("sqlite config: Redis keeps no SQLite-backed objects, and the error says what to do", async (t) => {
  const error = await failure(
    serve(t, {
      durableObjects: { STORE: { className: "Store", useSQLite: true } },
      durableObjectsPersist: "redis://127.0.0.1:1/",
    }).getPlugins(),
  );
  assert.equal(error.code, "ERR_SQL_REDIS");
  assert.match(
    error.message,
    /class "Store" of Durable Object "STORE".*directory.*useSQLite: false/,
  );
});

test("sqlite config: without SQLite, sql and kv can be looked at, and their use is production's error", async (t) => {
  const { store } = await serveStore(t, programs, { durableObjects: { STORE: "Store" } });
  const [sqlType, kvType, sql, kv, cursor, exec, size, ...rest] = await store().without();
  assert.deepEqual(
    [sqlType, kvType, sql, kv, cursor],
    ["object", "object", "[object SqlStorage]", "[object SyncKvStorage]", "Cursor"],
  );
  const noSql =
    "SQL is not enabled for this Durable Object class. To enable it, change `new_classes` to `new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. " +
    "If using workerd directly,set `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is already deployed to production.";
  const noKv =
    "The storage.kv (synchronous KV) API is only available for SQLite-backed Durable Objects, but this object's namespace is not declared to use SQLite. You can use the older, asyncronous interface via methods of `storage` itself (e.g. `storage.get()`). " +
    "Alternatively, to enable SQLite, change `new_classes` to `new_sqlite_classes` within the 'migrations' field in your wrangler.jsonc or wrangler.toml file. " +
    "If using workerd directly, set `enableSql = true` in your workerd config for the class. Note that this change cannot be made after the class is already deployed to production.";
  assert.deepEqual([exec[2], size[2]], [noSql, noSql]);
  assert.deepEqual(
    rest.map(([, , message]) => message),
    [noKv, noKv, noKv, noKv, "Durable Object is not backed by SQL."],
  );
  const none = [
    "Error",
    "This Durable Object's storage back-end does not implement point-in-time recovery.",
  ];
  const bookmarks = await store().bookmarks();
  assert.deepEqual(
    bookmarks.map(([, message]) => message),
    [
      none[1],
      none[1],
      "Failed to execute 'getBookmarkForTime' on 'DurableObjectStorage': parameter 1 is not of type 'date'.",
      none[1],
    ],
  );
});
