// A process with a Miniflare that does what it is asked, line by line: see `ask()` in files/processes.test.mjs.
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { Log, LogLevel, Miniflare } from "../../../index.mjs";
import { random } from "../random.mjs";
import { say } from "../report.mjs";

const NAME = "PEER";
/** Far in the future: no such alarm comes. */
const ALARM_BASE_MS = 4_000_000_000_000;

const SCRIPT = `
import { DurableObject } from "cloudflare:workers";
export class Rows extends DurableObject {
  constructedAt = Math.random();
  write(number, fill) {
    const { sql, kv } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS t(n, fill)");
    sql.exec("INSERT INTO t VALUES (?, ?)", number, fill);
    kv.put("last", number);
    void this.ctx.storage.setAlarm(${ALARM_BASE_MS} + number);
    return this.constructedAt;
  }
  constructed() {
    return this.constructedAt;
  }
  alarm() {}
}
export class Peer {
  constructor({ storage }, { FIRES }) {
    this.storage = storage;
    this.fires = FIRES;
    this.constructedAt = Math.random();
  }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/put") this.storage.put(searchParams.get("key"), searchParams.get("value"));
    if (pathname === "/get") return new Response(String(await this.storage.get(searchParams.get("key"))));
    return new Response(String(this.constructedAt));
  }
  async alarm() {
    const handled = this.fires();
    if ((await this.storage.get("silent")) === undefined) {
      await this.storage.put("fired", ((await this.storage.get("fired")) ?? 0) + 1);
      await this.storage.sync();
    }
    handled();
  }
}
export default { fetch: () => new Response("none") };
`;

let mf;
let namespace;
let contending = false;
let contended;

/** An alarm says `fires` and, when its write is durable, `handled`. `deadly` has the process die at the start of an alarm's handler. */
function start({ directory, alarms = false, deadly = false, durability, maxOpen, sqlite }) {
  const fires = () => {
    if (deadly) process.kill(process.pid, "SIGKILL");
    say("fires");
    return () => say("handled");
  };
  mf = new Miniflare({
    modules: true,
    script: SCRIPT,
    log: new Log(LogLevel.NONE),
    bindings: { FIRES: fires },
    durableObjects: { [NAME]: { className: sqlite ? "Rows" : "Peer", useSQLite: sqlite } },
    compatibilityDate: "2026-04-25",
    durableObjectsPersist: directory,
    durableObjectsAlarms: alarms,
    durableObjectsDurability: durability,
    durableObjectsMaxOpen: maxOpen,
  });
  return mf.getDurableObjectNamespace(NAME);
}

const id = (name) => namespace.idFromName(name);
const storageOf = (name) => mf.getDurableObjectStorage(id(name));
const increment = (key) => async (txn) => {
  const count = ((await txn.get(key)) ?? 0) + 1;
  await new Promise((resolve) => setImmediate(resolve));
  await txn.put(key, count);
};

const ACTS = {
  id: async (name) => id(name).toString(),
  put: async (name, key, value) => (await storageOf(name)).put(key, value),
  get: async (name, key) => (await storageOf(name)).get(key),
  list: async (name) => [...(await (await storageOf(name)).list())],
  deleteAll: async (name) => (await storageOf(name)).deleteAll(),
  /** Sets an alarm so many milliseconds from now. The handler of the object "silent" writes nothing. */
  async setAlarm(name, ms) {
    const storage = await storageOf(name);
    if (name === "silent") await storage.put("silent", true);
    await storage.setAlarm(Date.now() + ms);
  },
  /** Puts each key in one turn of the event loop; gives how many puts were refused. */
  async putTogether(name, keys, value) {
    const storage = await storageOf(name);
    const ends = await Promise.allSettled(keys.map((key) => storage.put(key, value)));
    return ends.filter(({ status }) => status === "rejected").length;
  },
  /** Stores a row, a key and the alarm of a SQLite-backed object in one turn of the event loop. */
  async sqlWrite(name, number, fill) {
    const storage = await storageOf(name);
    storage.sql.exec("CREATE TABLE IF NOT EXISTS t(n, fill)");
    storage.sql.exec("INSERT INTO t VALUES (?, ?)", number, fill);
    storage.kv.put("last", number);
    await storage.setAlarm(ALARM_BASE_MS + number);
  },
  /** Calls a method of a SQLite-backed object by RPC. */
  sqlCall: (name, method, ...args) => namespace.getByName(name)[method](...args),
  /** What all such writes have left: the numbers of the rows, the key, the number of the alarm. */
  async sqlLook(name) {
    const storage = await storageOf(name);
    const isThere = storage.sql.exec("SELECT 1 FROM sqlite_schema WHERE name = 't'").toArray();
    const rows = isThere.length && storage.sql.exec("SELECT n FROM t ORDER BY n").raw();
    const alarm = await storage.getAlarm();
    return [
      [...(rows || [])].flat(),
      storage.kv.get("last") ?? 0,
      (alarm ?? ALARM_BASE_MS) - ALARM_BASE_MS,
    ];
  },
  transact: async (name, key) => (await storageOf(name)).transaction(increment(key)),
  /** Empties an object and writes it again and again, each time in another turn, without waiting for the end of any. */
  async flicker(name, count) {
    const storage = await storageOf(name);
    const writes = [];
    for (let at = 0; at < count; at++) {
      if (at % 3 === 0) writes.push(storage.deleteAll());
      else if (at % 3 === 1) writes.push(storage.put("key", at));
      else writes.push(storage.delete("key"));
      await new Promise((resolve) => setImmediate(resolve));
      if (at % 20 === 0) await Promise.all(writes);
    }
    return (await Promise.all(writes)).length;
  },
  async fetch(name, url) {
    const response = await namespace.get(id(name)).fetch(`http://x${url}`);
    return response.text();
  },

  /** A transaction that reads so many keys, the contended one first, each in another turn of the event loop. */
  sum: async (name, count) =>
    (await storageOf(name)).transaction(async (txn) => {
      let sum = (await txn.get("contended")) ?? 0;
      for (let at = 0; at < count; at++) {
        sum += (await txn.get(`part ${at}`)) ?? 0;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return sum;
    }),

  /** Puts into `count` objects at once; gives how many of them hold it then. */
  async putMany(prefix, count) {
    const storages = await Promise.all(
      Array.from({ length: count }, (_, at) => storageOf(`${prefix}${at}`)),
    );
    await Promise.all(storages.map((storage, at) => storage.put("at", at)));
    const found = await Promise.all(storages.map((storage) => storage.get("at")));
    return found.filter((at, place) => at === place).length;
  },

  /** Increments a key of `count` objects at once; gives what they hold then. */
  async countEach(prefix, count, key) {
    const storages = await Promise.all(
      Array.from({ length: count }, (_, at) => storageOf(`${prefix}${at}`)),
    );
    await Promise.all(storages.map((storage) => storage.transaction(increment(key))));
    return Promise.all(storages.map((storage) => storage.get(key)));
  },

  /** Transactions that make each other lose, so that they take turns, until `settle`. */
  async contend(name, clients) {
    const storage = await storageOf(name);
    contending = true;
    let count = 0;
    const client = async () => {
      while (contending) {
        await storage.transaction(increment("contended"));
        count++;
      }
    };
    contended = Promise.all(Array.from({ length: clients }, client)).then(() => count);
  },
  async settle() {
    contending = false;
    return contended;
  },

  /** Creates and deletes one object: whatever is there was written together. */
  async churn(count, seed) {
    const { between } = random(seed);
    const storage = await storageOf("churned");
    let done = 0;
    for (; done < count; done++) {
      const choice = between(1, 3);
      if (choice === 1) await storage.deleteAll();
      else if (choice === 2) {
        await storage.transaction(async (txn) => {
          const found = await txn.get(["a", "b"]);
          if (found.get("a") !== found.get("b"))
            throw new Error(`torn: ${JSON.stringify([...found])}`);
          const next = (found.get("a") ?? 0) + 1;
          await txn.put({ a: next, b: next });
        });
      } else {
        const found = await storage.list();
        if (found.get("a") !== found.get("b"))
          throw new Error(`torn: ${JSON.stringify([...found])}`);
      }
    }
    return done;
  },

  /** Terminates a thread right after it has written, before its turn of the event loop has ended. */
  async terminate(name) {
    const worker = new Worker(new URL("endless.mjs", import.meta.url), {
      workerData: { directory: mf.directory, name: NAME, id: id(name).toString(), script: SCRIPT },
      execArgv: ["--experimental-vm-modules", "--no-warnings"],
    });
    await new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });
    await worker.terminate();
  },

  /** Puts into `count` objects at once; gives the codes of the errors, and how many of them hold it now. */
  async tryMany(prefix, count) {
    const storages = await Promise.all(
      Array.from({ length: count }, (_, at) => storageOf(`${prefix}${at}`)),
    );
    const ends = await Promise.allSettled(storages.map((storage, at) => storage.put("at", at)));
    return ends.map(({ reason }) =>
      reason ? { code: reason.code, message: reason.message } : null,
    );
  },

  /** Takes the last space of the file system of a directory. */
  async fill(directory) {
    const file = openSync(path.join(directory, "ballast"), "w");
    try {
      for (let bytes = 1 << 16; bytes > 0; ) {
        try {
          writeSync(file, Buffer.alloc(bytes));
        } catch (error) {
          if (error.code !== "ENOSPC") throw error;
          bytes >>= 1;
        }
      }
    } finally {
      closeSync(file);
    }
  },
  async free(directory) {
    rmSync(path.join(directory, "ballast"));
  },

  async plant(file) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, "");
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (namespace === undefined) {
    namespace = await start(order);
    mf.directory = order.directory;
    say("ready");
    continue;
  }
  const [number, act, ...given] = order;
  const answer = (found) => say(`answer-${number} ${JSON.stringify(found)}`);
  ACTS[act](...given).then(
    (value) => answer({ value: value ?? null }),
    ({ message, code }) => answer({ error: { message, code } }),
  );
}
