/** The sides of the benchmark of data in files: miniflare@2.14.4, and ferroflare with each durability. */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Miniflare as Reference } from "miniflare";
import { Miniflare } from "../index.mjs";

/** What a value of the benchmark looks like. */
export const VALUE = { hello: "world", n: 42, list: [1, 2, 3] };

const script = `
export class Store {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch() {
    await this.storage.put("key", { hello: "world", n: 42, list: [1, 2, 3] });
    return new Response("stored");
  }
}
export default { fetch() {} }`;

const classes = {
  reference: { name: "miniflare@2.14.4", Class: Reference },
  fsync: { name: "ferroflare, fsync", Class: Miniflare, durability: "fsync" },
  process: { name: "ferroflare, process", Class: Miniflare, durability: "process" },
};
export const sideKeys = Object.keys(classes);
/** The name of each side by its key. */
export const sideNames = Object.fromEntries(sideKeys.map((key) => [key, classes[key].name]));

/** One side with a directory of its own. */
export class Side {
  #number = 0;

  constructor(key, directory, objectsMax) {
    const { name, durability } = classes[key];
    Object.assign(this, { key, name, directory });
    this.options = {
      modules: true,
      script,
      durableObjects: { STORE: "Store" },
      durableObjectsPersist: directory,
      ...(durability && {
        durableObjectsDurability: durability,
        durableObjectsMaxOpen: objectsMax,
      }),
    };
    this.open();
  }

  open() {
    this.miniflare = new classes[this.key].Class(this.options);
  }

  async reopen() {
    await this.miniflare.dispose();
    this.open();
  }

  /** The object of that name; without one, a new object. */
  async object(name = `object ${this.#number++}`) {
    const namespace = await this.miniflare.getDurableObjectNamespace("STORE");
    const id = namespace.idFromName(name);
    return { storage: await this.miniflare.getDurableObjectStorage(id), stub: namespace.get(id) };
  }

  async dispose() {
    await this.miniflare.dispose();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** `objectsMax` is how many objects ours may have open. */
export async function openSide(key, objectsMax) {
  const directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-bench-"));
  return new Side(key, directory, objectsMax);
}
