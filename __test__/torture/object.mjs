// The Miniflare that torture works on: one class, whose instances do what they are told.
import path from "node:path";
import { pathToFileURL } from "node:url";
import * as own from "../../index.mjs";

/** Alarms are set this far in the future, plus the operation's number. */
export const ALARM_BASE_MS = 4_000_000_000_000;

/** Name of the binding. */
export const NAME = "TORTURE";
/** Name of the binding of the class with SQL. */
export const SQL_NAME = "TORTURE_SQL";

const SCRIPT = `
export class Tortured {
  constructor({ storage }) {
    this.storage = storage;
  }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const slot = searchParams.get("slot");
    if (pathname === "/count") {
      const count = await this.storage.transaction(async (txn) => {
        const mine = ((await txn.get("mine:" + slot)) ?? 0) + 1;
        const all = ((await txn.get("all")) ?? 0) + 1;
        await txn.put({ ["mine:" + slot]: mine, all });
        return mine;
      });
      return new Response(String(count));
    }
    if (pathname === "/socket") {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      server.addEventListener("message", async ({ data }) => {
        const key = "heard:" + slot;
        const count = ((await this.storage.get(key)) ?? 0) + 1;
        this.storage.put(key, count);
        this.storage.put("w:" + slot + ":a", Number(data));
        this.storage.put("w:" + slot + ":b", Number(data));
        server.send(data + " " + count);
      });
      return new Response(null, { status: 101, webSocket: client });
    }
    if (pathname === "/turn") {
      const stamp = Number(searchParams.get("stamp"));
      const old = Number(searchParams.get("old"));
      this.storage.put("t:" + slot + ":a", stamp);
      this.storage.put("t:" + slot + ":b", stamp);
      this.storage.delete("t:" + slot + ":c:" + old);
      this.storage.put("t:" + slot + ":c:" + stamp, stamp);
      return new Response("done");
    }
    return new Response("unknown", { status: 404 });
  }
  alarm() {}
}
/** Each operation writes one stamp everywhere: to a row, a key, a key of the asynchronous API, and the alarm. */
export class SqlTortured {
  constructor({ storage }) {
    this.storage = storage;
  }
  create() {
    this.storage.sql.exec("CREATE TABLE IF NOT EXISTS state(slot TEXT PRIMARY KEY, stamp INTEGER); CREATE TABLE IF NOT EXISTS log(stamp INTEGER PRIMARY KEY, fill TEXT)");
  }
  row(stamp, fill) {
    const { sql } = this.storage;
    sql.exec("INSERT INTO state VALUES ('a', ?) ON CONFLICT DO UPDATE SET stamp = excluded.stamp", stamp);
    sql.exec("INSERT INTO log VALUES (?, ?)", stamp, fill);
    sql.exec("DELETE FROM log WHERE stamp < ?", stamp - 50);
  }
  keys(stamp) {
    this.storage.kv.put("kv", stamp);
    this.storage.put("async", stamp);
    this.storage.setAlarm(${ALARM_BASE_MS} + stamp);
  }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const { storage } = this;
    const stamp = Number(searchParams.get("stamp"));
    const fill = "x".repeat(Number(searchParams.get("fill")));
    if (pathname === "/write") {
      this.create();
      this.row(stamp, fill);
      this.keys(stamp);
    } else if (pathname === "/sync") {
      this.create();
      storage.transactionSync(() => this.row(stamp, fill));
      try {
        storage.transactionSync(() => { storage.sql.exec("DELETE FROM log"); throw new Error("undone"); });
      } catch {}
      storage.transactionSync(() => this.keys(stamp));
    } else if (pathname === "/transaction") {
      await storage.transaction(async () => {
        this.create();
        this.row(stamp, fill);
        await new Promise((resolve) => setTimeout(resolve, 1));
        this.keys(stamp);
      });
    } else if (pathname === "/clear") {
      await storage.deleteAll();
    } else if (pathname === "/damage") {
      storage.kv.put("kv", -1);
    }
    const tables = [...storage.sql.exec("SELECT name FROM sqlite_schema WHERE name = 'state'").raw()].length;
    const [row, last] = tables ? [[...storage.sql.exec("SELECT stamp FROM state").raw()][0]?.[0], storage.sql.exec("SELECT max(stamp) AS stamp FROM log").one().stamp] : [];
    const alarm = await storage.getAlarm();
    const stamps = [row, last, storage.kv.get("kv"), await storage.get("async"), alarm === null ? undefined : alarm - ${ALARM_BASE_MS}];
    return Response.json(stamps.map((one) => one ?? 0));
  }
  alarm() {}
}
export default { fetch: () => new Response("none") };
`;

/** A Miniflare on a directory, of this copy of the package or of another one. Its alarms do not fire. */
export async function miniflare(directory, durability, copy) {
  const { Miniflare } = copy ? await import(pathToFileURL(path.join(copy, "index.mjs"))) : own;
  return new Miniflare({
    modules: true,
    script: SCRIPT,
    durableObjects: {
      [NAME]: "Tortured",
      // Redis takes no objects with SQL.
      ...(directory?.startsWith("redis")
        ? {}
        : { [SQL_NAME]: { className: "SqlTortured", useSQLite: true } }),
    },
    compatibilityDate: "2026-04-01",
    durableObjectsPersist: directory,
    durableObjectsDurability: durability,
    durableObjectsAlarms: false,
  });
}

/** One end of a socket. Each message is answered by one that begins with the same word. */
class Connection {
  #socket;
  #waiting = new Map();
  closed = false;

  constructor(socket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const [word, answer] = data.split(" ");
      this.#waiting.get(word)?.resolve(answer);
      this.#waiting.delete(word);
    });
    socket.addEventListener("close", ({ code }) => {
      this.closed = true;
      for (const { reject } of this.#waiting.values()) reject(new Error(`closed with ${code}`));
    });
    socket.accept();
  }

  ask(word) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(word, { resolve, reject });
      this.#socket.send(word);
    });
  }
}

/** Reaches the objects of a Miniflare by name: their storage, and their `fetch`. */
export async function objects(mf) {
  const namespace = await mf.getDurableObjectNamespace(NAME);
  const withSql = await mf.getDurableObjectNamespace(SQL_NAME).catch(() => undefined);
  return {
    /** The stamps that an object with SQL holds, after an operation on it. */
    async askSql(name, path) {
      const response = await withSql.get(withSql.idFromName(name)).fetch(`http://x${path}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
      return JSON.parse(text);
    },
    id: (name) => namespace.idFromName(name),
    storage: (name) => mf.getDurableObjectStorage(namespace.idFromName(name)),
    async ask(name, path) {
      const response = await namespace.get(namespace.idFromName(name)).fetch(`http://x${path}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
      return text;
    },
    connect: async (name, path) => {
      const response = await namespace.get(namespace.idFromName(name)).fetch(`http://x${path}`);
      return new Connection(response.webSocket);
    },
  };
}
