/** Fresh objects for tests of the storage: one Miniflare for a file, one new object for a test. */
import { after, before } from "node:test";
import { Miniflare } from "../../index.mjs";

/** Classes with and without an alarm handler, and one that writes. */
export const script = `
export class Alarmed {
  alarm() {}
}
export class Plain {
  fetch() {
    return new Response("started");
  }
}
export class Writing {
  constructor({ storage }) {
    this.storage = storage;
  }
  fetch() {
    this.storage.put("key", 1);
    return new Response("written");
  }
}
export default { fetch() {} }`;

/** A time that no test lives to see. */
export const far = 4_000_000_000_000;

export const manyKeys = (count, from = 0) =>
  Array.from({ length: count }, (_, i) => `key ${from + i}`);

export const manyPairs = (count, from = 0) =>
  Object.fromEntries(manyKeys(count, from).map((key) => [key, 1]));

export const keysOf = async (storage, options) => [...(await storage.list(options)).keys()];

export const entriesOf = async (storage) => [...(await storage.list())];

/** Sets up a Miniflare before the tests of a file; returns what gives the storage and the stub of a new object. */
export function serveObjects(options = { durableObjects: { ALARMED: "Alarmed", PLAIN: "Plain" } }) {
  let mf;
  before(() => {
    mf = new Miniflare({ modules: true, script, ...options });
  });
  after(() => mf.dispose());
  return async (binding = Object.keys(options.durableObjects)[0]) => {
    const namespace = await mf.getDurableObjectNamespace(binding);
    const id = namespace.newUniqueId();
    return { storage: await mf.getDurableObjectStorage(id), stub: namespace.get(id) };
  };
}
