// The example of Miniflare 2's documentation, unmodified: one entry under "overrides" in package.json puts ferroflare underneath.
import { createRequire } from "node:module";
import { Miniflare } from "miniflare";

const mf = new Miniflare({
  modules: true,
  durableObjects: { TEST_OBJECT: "TestObject" },
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
const addon = Object.keys(cache).find((file) => /ferroflare.*\.node$/.test(file));
console.log(addon ? "Answered by ferroflare" : "Answered by Miniflare itself");
