/**
 * The side of better-sqlite3 in the benchmark of SQLite-backed objects: the same statements without an object around them,
 * in a process of its own. It says its rates as JSON. It needs Node.js 22, as better-sqlite3 does.
 *
 *   node bench/sqlite-library.mjs memory|files ROUND_MS OBJECTS
 */
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { deserialize, serialize } from "node:v8";
import Database from "better-sqlite3";
import { INSERTED, LISTED } from "./sqlite-worker.mjs";

const [, , place, roundText, objectsText] = process.argv;
const roundMs = Number(roundText);
const objects = Number(objectsText);
const directory = mkdtempSync(path.join(os.tmpdir(), "ferroflare-bench-"));
const texts = Array.from(
  { length: LISTED },
  (_, i) => `value of the row ${String(i).padStart(3, "0")}`,
);
const textOf = (i) => texts[i % LISTED];

function open(name) {
  const db = new Database(place === "files" ? path.join(directory, `${name}.sqlite`) : ":memory:");
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = NORMAL");
  return db;
}

/** How often a second `run`, which does `each` operations, can do one. */
function rate(each, run) {
  run(each);
  const begin = performance.now();
  let done = 0;
  for (; performance.now() - begin < roundMs; done += each) run(each);
  return (done * 1000) / (performance.now() - begin);
}

function firstWrites() {
  const all = [];
  const begin = performance.now();
  for (let i = 0; i < objects; i++) {
    const db = open(`object ${i}`);
    db.exec(
      "CREATE TABLE rows(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO rows VALUES (1, 'first')",
    );
    all.push(db);
  }
  const each = (objects * 1000) / (performance.now() - begin);
  for (const db of all) db.close();
  return each;
}

const db = open("first");
db.exec(
  "CREATE TABLE rows(id INTEGER PRIMARY KEY, name TEXT, size INTEGER); CREATE TABLE inserted(id INTEGER PRIMARY KEY, name TEXT, size INTEGER)",
);
db.exec("CREATE TABLE keys(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
const into = db.prepare("INSERT INTO rows VALUES (?, ?, ?)");
const [select, list] = [
  "SELECT id, name, size FROM rows WHERE id = ?",
  "SELECT id, name, size FROM rows",
].map((text) => db.prepare(text));
const insert = db.prepare("INSERT INTO inserted(name, size) VALUES (?, ?)");
const get = db.prepare("SELECT value FROM keys WHERE key = ?").pluck();
const put = db.prepare(
  "INSERT INTO keys VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
);
db.transaction(() => {
  for (let i = 0; i < LISTED; i++) {
    into.run(i, textOf(i), i);
    put.run(`key ${i}`, serialize({ name: textOf(i), size: i }));
  }
})();
const insertMany = db.transaction(() => {
  for (let i = 0; i < INSERTED; i++) insert.run(textOf(i), i);
});
const putMany = db.transaction((count) => {
  for (let i = 0; i < count; i++)
    put.run(`key ${i % LISTED}`, serialize({ name: textOf(i), size: i }));
});
let sum = 0;
const rates = {
  select: rate(5_000, (count) => {
    for (let i = 0; i < count; i++) sum += select.get(i % LISTED).size;
  }),
  insert: rate(5_000, (count) => {
    for (let done = 0; done < count; done += INSERTED) insertMany();
    db.exec("DELETE FROM inserted");
  }),
  list: rate(20, (count) => {
    for (let i = 0; i < count; i++) sum += list.all().length;
  }),
  get: rate(5_000, (count) => {
    for (let i = 0; i < count; i++) sum += deserialize(get.get(`key ${i % LISTED}`)).size;
  }),
  put: rate(5_000, putMany),
  first: firstWrites(),
};
if (sum === 0) throw new Error("nothing was read");
db.close();
rmSync(directory, { recursive: true, force: true });
console.log(JSON.stringify(rates));
