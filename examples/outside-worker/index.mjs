// "Manipulating Outside Workers": reads and writes the data of a Durable Object from outside the worker. The data is kept in
// memory, or in the directory (or Redis) that is named: `node index.mjs ./data`.
import { createRequire } from "node:module";
import path from "node:path";
import { coreVersion, Miniflare } from "ferroflare";

const place = process.argv[2];

const mf = new Miniflare({
  modules: true,
  durableObjects: { TEST_OBJECT: "TestObject" },
  durableObjectsPersist: place,
  script: `
  export class TestObject {
    constructor(state) {
      this.storage = state.storage;
    }

    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/put") await this.storage.put("key", 1);
      return new Response((await this.storage.get("key")).toString());
    }
  }

  export default {
    async fetch(request, env) {
      const stub = env.TEST_OBJECT.get(env.TEST_OBJECT.idFromName("test"));
      return stub.fetch(request);
    }
  }
  `,
});

let res = await mf.dispatchFetch("http://localhost:8787/put");
console.log(await res.text()); // "1"

const ns = await mf.getDurableObjectNamespace("TEST_OBJECT");
const id = ns.idFromName("test");
const stub = ns.get(id);
const doRes = await stub.fetch("http://localhost:8787/put");
console.log(await doRes.text()); // "1"

const storage = await mf.getDurableObjectStorage(id);
console.log(await storage.get("key")); // 1
await storage.put("key", 2);

res = await mf.dispatchFetch("http://localhost:8787/");
console.log(await res.text()); // "2"

await mf.dispose();

const { cache } = createRequire(import.meta.url);
const addon = Object.keys(cache).find((file) => file.endsWith(".node"));
const backend = place === undefined ? "memory" : `data in ${place}`;
console.log(
  `Answered by ferroflare's native core ${coreVersion} (${path.basename(addon)}), backend: ${backend}`,
);
