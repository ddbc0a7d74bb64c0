// `ferroflare objects` on SQLite-backed objects: query, show, export, list and delete.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { runCli, temporaryDirectory } from "../support/cli.mjs";
import { serveStore } from "../support/sqlite-store.mjs";

const ALARM = 4_000_000_000_000;
const programs = {
  count: `return sql.exec("SELECT count(*) AS n FROM people").one().n;`,
  fill: `
    sql.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL, photo BLOB)");
    sql.exec("INSERT INTO people VALUES (1, 'Ada', 9.5, x'0001'), (22, ?, NULL, NULL)", "new\\nline é😀");
    sql.exec("CREATE TABLE \\"odd \\"\\"name\\" (x)");
    sql.exec("CREATE VIRTUAL TABLE words USING fts5(body)");
    sql.exec("INSERT INTO words VALUES ('hello world')");
    kv.put("key", { value: 1 });
    await storage.setAlarm(${ALARM});`,
};
const members = "alarm() {}";

/** A directory with one SQLite-backed object of STORE and one KV-backed object of PLAIN; gives what runs a command on it. */
async function stored(t, isRunning = false) {
  const cwd = await temporaryDirectory(t);
  const root = path.join(cwd, "data");
  const { mf, store } = await serveStore(undefined, programs, {
    members,
    durableObjects: { STORE: { className: "Store", useSQLite: true }, PLAIN: "Plain" },
    durableObjectsPersist: root,
  });
  await store("a").fill();
  const plain = await mf.getDurableObjectNamespace("PLAIN");
  await (await mf.getDurableObjectStorage(plain.idFromName("p"))).put("k", "v");
  const id = String((await mf.getDurableObjectNamespace("STORE")).idFromName("a"));
  if (isRunning) t.after(() => mf.dispose());
  else await mf.dispose();
  const objects = (...args) => runCli(["objects", ...args, "--do-persist", root], { cwd });
  const query = (...args) => objects("query", "STORE", "--id-from-name", "a", ...args);
  return { id, objects, query, store };
}

test("query: rows are printed as a table, or as lines of JSON", async (t) => {
  const { query, id, objects } = await stored(t);
  const table = await query("SELECT id, name, score, photo FROM people ORDER BY id");
  assert.deepEqual([table.code, table.stderr], [0, ""]);
  assert.equal(
    table.stdout,
    [
      "id  name           score  photo",
      "--  -------------  -----  -------",
      " 1  Ada            9.5    x'0001'",
      "22  new\\nline é😀  NULL   NULL",
      "",
    ].join("\n"),
  );
  const json = await query("SELECT * FROM people ORDER BY id", "--json");
  assert.deepEqual(
    json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [
      { id: 1, name: "Ada", score: 9.5, photo: { base64: "AAE=" } },
      { id: 22, name: "new\nline é😀", score: null, photo: null },
    ],
  );
  const byId = await objects("query", "STORE", id, "SELECT count(*) AS n FROM people");
  assert.equal(byId.stdout, "n\n-\n2\n");
  const none = await query("SELECT id FROM people WHERE 0");
  assert.equal(none.stdout, "id\n--\n");
});

test("query: what writes is refused without --write, and then nothing has changed", async (t) => {
  const { query } = await stored(t);
  const count = async () => (await query("SELECT count(*) AS n FROM people", "--json")).stdout;
  const refused = "ferroflare: This query writes, and nothing was changed. Add --write to do it.\n";
  for (const sql of [
    "DELETE FROM people",
    "DELETE FROM people; SELECT 1",
    "INSERT INTO people (name) VALUES ('x') RETURNING id",
    "DROP TABLE people",
  ]) {
    const { code, stdout, stderr } = await query(sql);
    assert.deepEqual([code, stdout, stderr], [1, "", refused], sql);
  }
  assert.equal(await count(), '{"n":2}\n');
  const written = await query("DELETE FROM people WHERE id = 1", "--write");
  assert.deepEqual([written.code, written.stdout], [0, "1 row written\n"]);
  assert.equal(await count(), '{"n":1}\n');
  const returned = await query(
    "INSERT INTO people (id, name) VALUES (3, 'x') RETURNING id",
    "--write",
  );
  assert.equal(returned.stdout, "id\n--\n 3\n");
  assert.equal(await count(), '{"n":2}\n');
});

test("query: errors say what was wrong", async (t) => {
  const { query, objects } = await stored(t);
  const wrong = await query("SELEC 1");
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [1, 'ferroflare: near "SELEC": syntax error at offset 0: SQLITE_ERROR\n'],
  );
  const failed = await query("DELETE FROM people; INSERT INTO nonsense VALUES (1)", "--write");
  assert.equal(failed.stderr, "ferroflare: no such table: nonsense: SQLITE_ERROR\n");
  assert.equal((await query("SELECT count(*) AS n FROM people", "--json")).stdout, '{"n":2}\n');
  const keys = await query("SELECT * FROM _cf_KV");
  assert.match(keys.stderr, /^ferroflare: access to _cf_KV\.key is prohibited/);
  const missing = await objects("query", "STORE", "--id-from-name", "a");
  assert.equal(
    missing.stderr,
    'ferroflare: Which query? Give NAME, ID and the SQL in quotes. Run "ferroflare objects query --help" to see how it is used.\n',
  );
  const plain = await objects("query", "PLAIN", "--id-from-name", "p", "SELECT 1");
  assert.match(
    plain.stderr,
    /^ferroflare: The object PLAIN [0-9a-f]{64} is not SQLite-backed: it has keys and values only\. Show them with "objects show"\.\n$/,
  );
  const nothing = await objects("query", "STORE", "--id-from-name", "nothing", "SELECT 1");
  assert.match(nothing.stderr, /^ferroflare: There is no object STORE /);
});

test("objects: list, show, export and delete know tables", async (t) => {
  const { id, objects } = await stored(t);
  const list = await objects("list", "--name", "STORE", "--keys");
  assert.equal(list.stdout, `STORE ${id} "a" 1 key alarm 2096-10-02T07:06:40.000Z\n`);
  const shown = await objects("show", "STORE", id);
  assert.deepEqual(shown.stdout.trimEnd().split("\n"), [
    "alarm 2096-10-02T07:06:40.000Z",
    '"key": { value: 1 }',
    'table "odd \\"name", 0 rows: CREATE TABLE "odd ""name" (x)',
    'table "people", 2 rows: CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, score REAL, photo BLOB)',
    'table "words", 1 row: CREATE VIRTUAL TABLE words USING fts5(body)',
  ]);
  const exported = await objects("export", "STORE", id);
  const lines = exported.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const own = { name: "STORE", id };
  assert.deepEqual(lines.slice(0, 2), [
    { ...own, key: "key", value: { value: 1 } },
    { ...own, alarm: ALARM },
  ]);
  assert.deepEqual(
    lines.slice(2).map(({ table, row }) => [table, row]),
    [
      ['odd "name', undefined],
      ["people", undefined],
      ["people", { id: 1, name: "Ada", score: 9.5, photo: { base64: "AAE=" } }],
      ["people", { id: 22, name: "new\nline é😀", score: null, photo: null }],
      ["words", undefined],
      ["words", { body: "hello world" }],
    ],
  );
  const deleted = await objects("delete", "STORE", id);
  assert.deepEqual([deleted.code, deleted.stdout], [0, `Deleted STORE ${id}.\n`]);
  assert.equal((await objects("list", "--name", "STORE")).stdout, "");
  const again = await objects("query", "STORE", id, "SELECT 1");
  assert.match(again.stderr, /There is no object STORE/);
});

test("query: a worker that runs leaves the object to the command, and goes on with what that has written", async (t) => {
  const { query, store } = await stored(t, true);
  assert.equal(await store("a").count(), 2);
  const written = await query("DELETE FROM people WHERE id = 1", "--write");
  assert.deepEqual([written.code, written.stdout], [0, "1 row written\n"]);
  assert.equal(await store("a").count(), 1);
});
