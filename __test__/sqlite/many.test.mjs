// Many SQLite-backed objects whose instances all live: few databases are open, and each instance goes on. FERROFLARE_OBJECTS sets how many.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { runModule, temporaryDirectory } from "../support/cli.mjs";
import { objectsIn, openFiles } from "../support/files.mjs";
import { serveStore } from "../support/sqlite-store.mjs";

const OBJECTS = Number(process.env.FERROFLARE_OBJECTS ?? 300);
const OPEN_MAX = 32;
/** Objects that are opened at the same time come on top, until others are closed. */
const AT_ONCE = 16;
/** The database and its log, both once more to be synced, the directory, the lock. */
const FILES_EACH_MAX = 6;
/** What an instance with its storages takes, and what is shared. */
const GROWTH_BYTES_MAX = 64 * 2 ** 20 + OBJECTS * 32_768;
const onLinux = process.platform === "linux";

const members = "writes = 0;";
const counts = "SELECT last_insert_rowid() AS row, changes() AS last, total_changes() AS total";
const programs = {
  write: `
    this.writes++;
    sql.exec("CREATE TABLE IF NOT EXISTS t (a)");
    sql.exec("INSERT INTO t VALUES (?)", args[0]);
    kv.put("last", args[0]);`,
  read: `return [sql.exec("SELECT a FROM t").one().a, kv.get("last"), this.writes];`,
  set: `
    sql.exec("PRAGMA recursive_triggers = 1");
    sql.exec("PRAGMA case_sensitive_like = 1");
    sql.exec("CREATE TABLE t (a)");
    sql.exec("INSERT INTO t VALUES (1), (2), (3)");`,
  seen: `
    const { recursive_triggers } = sql.exec("PRAGMA recursive_triggers").one();
    return [recursive_triggers, sql.exec("SELECT 'a' LIKE 'A' AS n").one().n, sql.exec("${counts}").one()];`,
  count: `return [sql.exec("SELECT count(*) AS n FROM t").one().n, this.writes];`,
  begin: `this.cursor = sql.exec("SELECT 1 AS n UNION ALL SELECT 2"); return this.cursor.next().value.n;`,
  next: `return this.cursor.next().value.n;`,
  wait: `this.waiting = this.env.WAIT().then(() => sql.exec("SELECT count(*) AS n FROM t").one().n);`,
  late: `return this.waiting;`,
};

let cleanUp;
let root;

before(async () => {
  root = await temporaryDirectory({
    after(remove) {
      cleanUp = remove;
    },
  });
});
after(() => cleanUp());

/** Does `work` for each number below `count`, some at the same time. */
async function forEach(count, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

const serve = (directory, bindings) =>
  serveStore(undefined, programs, {
    members,
    durableObjectsPersist: directory,
    durableObjectsMaxOpen: OPEN_MAX,
    durableObjectsDurability: "process",
    bindings,
  });

let filesMost = 0;
function watchFiles(directory) {
  filesMost = Math.max(filesMost, openFiles(directory).length);
}

describe(`${OBJECTS} SQLite-backed objects, at most ${OPEN_MAX} open`, () => {
  let served;
  let startBytes;
  const store = (i) => served.store(`object ${i}`);

  test("all are written, and each instance goes on when many others have been used since", async () => {
    served = await serve(root);
    await forEach(OBJECTS, async (i) => {
      await store(i).write(i);
      if (i === 2 * OPEN_MAX) startBytes = process.memoryUsage.rss();
      if (i % 20 === 0) watchFiles(root);
    });
    await forEach(OBJECTS, async (i) => {
      assert.deepEqual(await store(i).read(), [i, i, 1], `object ${i}`);
      if (i % 20 === 0) watchFiles(root);
    });
    assert.equal(objectsIn(root).length, OBJECTS);
  });

  test("code outside has more storages than may be open, and uses each without waiting", async () => {
    const storages = [];
    for (let i = 0; i < 3 * OPEN_MAX; i++) storages.push(await served.storage(`object ${i}`));
    for (const [i, storage] of storages.entries()) {
      assert.equal(storage.kv.get("last"), i);
      assert.equal(storage.sql.exec("SELECT a FROM t").one().a, i);
      assert.equal(await storage.get("last"), i);
    }
    watchFiles(root);
  });

  test("open files and memory stay within bounds", async () => {
    if (onLinux) {
      assert.ok(filesMost > OPEN_MAX, `${filesMost} files are fewer than expected`);
      const most = (OPEN_MAX + 2 * AT_ONCE) * FILES_EACH_MAX;
      assert.ok(filesMost <= most, `${filesMost} files were open, more than ${most}`);
    }
    const growth = process.memoryUsage.rss() - startBytes;
    assert.ok(
      growth <= GROWTH_BYTES_MAX,
      `grown by ${growth} bytes, more than ${GROWTH_BYTES_MAX}`,
    );
    if (process.env.FERROFLARE_OBJECTS) {
      console.log(`${filesMost} files open at most, memory grown by ${growth >> 20} MiB`);
    }
    await served.mf.dispose();
    assert.deepEqual(openFiles(root), []);
  });
});

/** Serves objects, and uses enough others that the database of an idle one is closed. */
async function crowded(t, bindings) {
  const directory = await temporaryDirectory(t);
  const served = await serve(directory, bindings);
  t.after(() => served.mf.dispose());
  const isOpen = (id) =>
    openFiles(directory).some((file) => file.includes(id) && file.endsWith("object.sqlite"));
  const crowd = async () => {
    for (let i = 0; i < 2 * OPEN_MAX; i++) await served.store(`other ${i}`).write(i);
  };
  const idOf = (name) => String(served.namespace.idFromName(name));
  return { ...served, crowd, isOpen, idOf, directory };
}

test("an instance whose database was closed sees what it has seen last of its connection", async (t) => {
  const { store, crowd, isOpen, idOf } = await crowded(t);
  await store("a").set();
  const seen = await store("a").seen();
  assert.deepEqual(seen, [1, 0, { row: 3, last: 3, total: 3 }]);
  await crowd();
  if (onLinux) assert.equal(isOpen(idOf("a")), false);
  assert.deepEqual(await store("a").seen(), seen);
});

test("a database with an open cursor stays open", async (t) => {
  const { store, crowd, isOpen, idOf } = await crowded(t);
  assert.equal(await store("a").begin(), 1);
  await crowd();
  if (onLinux) assert.equal(isOpen(idOf("a")), true);
  assert.equal(await store("a").next(), 2);
});

test("code that goes on without an event finds the database open again", async (t) => {
  let proceed;
  const WAIT = () =>
    new Promise((resolve) => {
      proceed = resolve;
    });
  const { store, crowd } = await crowded(t, { WAIT });
  await store("a").write(1);
  await store("a").wait();
  await crowd();
  proceed();
  assert.equal(await store("a").late(), 1);
});

test("an instance ends when another process has used its object meanwhile", async (t) => {
  const { store, crowd, directory } = await crowded(t);
  await store("a").write(1);
  await store("a").write(2);
  await crowd();
  const { code, stderr } = await runModule(`
    import { serveStore } from ${JSON.stringify(new URL("../support/sqlite-store.mjs", import.meta.url).href)};
    const { mf, store } = await serveStore(undefined, ${JSON.stringify(programs)}, ${JSON.stringify({ members, durableObjectsPersist: directory })});
    await store("a").write(3);
    await mf.dispose();`);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(await store("a").count(), [3, 0]);
});
