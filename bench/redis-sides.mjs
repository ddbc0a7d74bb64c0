/** The sides of the benchmark of data in Redis: miniflare@2.14.4 in memory and on Redis, plain ioredis, and ferroflare. */
import IORedis from "ioredis";
import { Miniflare as Reference } from "miniflare";
import { openMiniflare2 } from "../__test__/support/miniflare2-redis.mjs";
import { Miniflare } from "../index.mjs";

const script = `
export class Store {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch(request) {
    const { count, value } = await request.json();
    for (let i = 0; i < count; i++) await this.storage.put("key " + i, value);
    return new Response("stored");
  }
}
export default { fetch() {} }`;

const worker = { modules: true, script, durableObjects: { STORE: "Store" } };

/** A Miniflare, ours or the reference in memory; each object is a new one. */
class MiniflareSide {
  #number = 0;

  constructor(key, name, Class, options) {
    Object.assign(this, { key, name });
    this.miniflare = new Class({ ...worker, ...options });
  }

  async object() {
    const namespace = await this.miniflare.getDurableObjectNamespace("STORE");
    const id = namespace.idFromName(`object ${this.#number++}`);
    return { storage: await this.miniflare.getDurableObjectStorage(id), stub: namespace.get(id) };
  }

  dispose() {
    return this.miniflare.dispose();
  }
}

/** The reference on Redis. */
class OldSide {
  #number = 0;
  key = "old";
  name = "miniflare@2.14.4 on Redis";

  constructor(url) {
    this.miniflare = openMiniflare2(url, worker);
  }

  async object() {
    const name = `object ${this.#number++}`;
    return {
      storage: await this.miniflare.storageOf("STORE", name),
      stub: await this.miniflare.stub("STORE", name),
    };
  }

  dispose() {
    return this.miniflare.dispose();
  }
}

/** No product: the commands alone, on keys of the same kinds. */
class PlainSide {
  #number = 0;
  #connections = [];
  key = "plain";
  name = "plain ioredis";

  constructor(url) {
    this.url = url;
    this.redis = this.connect();
  }

  connect() {
    const connection = new IORedis(this.url);
    this.#connections.push(connection);
    return connection;
  }

  async object() {
    const prefix = `PLAIN:{${this.#number++}}`;
    return { plain: this, redis: this.redis, values: `${prefix}:values`, keys: `${prefix}:keys` };
  }

  async dispose() {
    for (const connection of this.#connections) connection.disconnect();
  }
}

export const sideKeys = ["memory", "old", "plain", "ours"];
export const heads = ["2.14.4, memory", "2.14.4, Redis", "plain ioredis", "ours"];

export function openSides(url) {
  return [
    new MiniflareSide("memory", "miniflare@2.14.4 in memory", Reference, {}),
    new OldSide(url),
    new PlainSide(url),
    new MiniflareSide("ours", "ferroflare", Miniflare, { durableObjectsPersist: url }),
  ];
}
