// The Miniflare that torture works on: one class, whose instances do what they are told.
import path from "node:path";
import { pathToFileURL } from "node:url";
import * as own from "../../index.mjs";

/** Name of the binding. */
export const NAME = "TORTURE";

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
export default { fetch: () => new Response("none") };
`;

/** A Miniflare on a directory, of this copy of the package or of another one. Its alarms do not fire. */
export async function miniflare(directory, durability, copy) {
  const { Miniflare } = copy ? await import(pathToFileURL(path.join(copy, "index.mjs"))) : own;
  return new Miniflare({
    modules: true,
    script: SCRIPT,
    durableObjects: { [NAME]: "Tortured" },
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
  return {
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
