// The worker that the benchmark of SQLite-backed objects measures: its object does each operation as often as it is told.

/** Rows that a list gives, and rows of one transaction. */
export const LISTED = 1_000;
export const INSERTED = 100;

export const script = `
import { DurableObject } from "cloudflare:workers";

/** What the tables hold: a key, a text of 20 characters and a number. The texts exist before: storage is measured, not their making. */
const TEXTS = Array.from({ length: ${LISTED} }, (_, i) => "value of the row " + String(i).padStart(3, "0"));
const textOf = (i) => TEXTS[i % ${LISTED}];

class Base extends DurableObject {
  fetch() {
    return new Response("open");
  }
}

export class Sqlite extends Base {
  prepare() {
    const { sql, kv } = this.ctx.storage;
    sql.exec("CREATE TABLE rows(id INTEGER PRIMARY KEY, name TEXT, size INTEGER); CREATE TABLE inserted(id INTEGER PRIMARY KEY, name TEXT, size INTEGER)");
    for (let i = 0; i < ${LISTED}; i++) sql.exec("INSERT INTO rows VALUES (?, ?, ?)", i, textOf(i), i);
    for (let i = 0; i < ${LISTED}; i++) kv.put("key " + i, { name: textOf(i), size: i });
  }
  select(count) {
    const { sql } = this.ctx.storage;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += sql.exec("SELECT id, name, size FROM rows WHERE id = ?", i % ${LISTED}).one().size;
    return sum;
  }
  insert(count) {
    const { storage } = this.ctx;
    const { sql } = storage;
    for (let done = 0; done < count; done += ${INSERTED}) {
      storage.transactionSync(() => {
        for (let i = 0; i < ${INSERTED}; i++) sql.exec("INSERT INTO inserted(name, size) VALUES (?, ?)", textOf(i), i);
      });
    }
    sql.exec("DELETE FROM inserted");
  }
  list(count) {
    let found = 0;
    for (let i = 0; i < count; i++) found += this.ctx.storage.sql.exec("SELECT id, name, size FROM rows").toArray().length;
    return found;
  }
  get(count) {
    const { kv } = this.ctx.storage;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += kv.get("key " + (i % ${LISTED})).size;
    return sum;
  }
  put(count) {
    const { kv } = this.ctx.storage;
    for (let i = 0; i < count; i++) kv.put("key " + (i % ${LISTED}), { name: textOf(i), size: i });
  }
  first() {
    this.ctx.storage.sql.exec("CREATE TABLE rows(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO rows VALUES (1, 'first')");
  }
}

/** The same on keys and values alone, for objects without SQL. */
export class Keyed extends Base {
  async prepare() {
    const { storage } = this.ctx;
    for (let i = 0; i < ${LISTED}; i++) storage.put("key " + i, { name: textOf(i), size: i });
    await storage.sync();
  }
  async insert(count) {
    const { storage } = this.ctx;
    for (let done = 0; done < count; done += ${INSERTED}) {
      await storage.transaction(async (txn) => {
        for (let i = 0; i < ${INSERTED}; i++) txn.put("inserted " + (done + i), { name: textOf(i), size: i });
      });
    }
    for (let done = 0; done < count; done += 128) {
      await storage.delete(Array.from({ length: 128 }, (_, i) => "inserted " + (done + i)));
    }
  }
  async list(count) {
    let found = 0;
    for (let i = 0; i < count; i++) found += (await this.ctx.storage.list({ prefix: "key " })).size;
    return found;
  }
  async get(count) {
    const { storage } = this.ctx;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (await storage.get("key " + (i % ${LISTED}))).size;
    return sum;
  }
  put(count) {
    const { storage } = this.ctx;
    for (let i = 0; i < count; i++) storage.put("key " + (i % ${LISTED}), { name: textOf(i), size: i });
  }
  first() {
    this.ctx.storage.put("first", { name: "first" });
  }
}

/** Objects are touched from the worker, so that a call costs the same on all sides. */
export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url);
    const [from, to] = [Number(searchParams.get("from")), Number(searchParams.get("to"))];
    const calls = [];
    for (let i = from; i < to; i++) calls.push(env.STORE.getByName("object " + i).first());
    await Promise.all(calls);
    return new Response("done");
  },
};`;
