// SQLite-backed objects whose code is the test's own: each program is the body of an asynchronous method.
import { Miniflare } from "../../index.mjs";
import { TODAY } from "./modern.mjs";

/** The script of a worker whose class runs these programs: bodies of functions that see `ctx`, `storage`, `sql` and `kv`. */
export function scriptOf(programs, members = "") {
  const methods = Object.entries(programs).map(
    ([name, body]) => `async ${name}(...args) {
      const { ctx } = this;
      const { storage } = ctx;
      const { kv, sql } = storage;
      const error = (run) => { try { return { value: run() }; } catch (e) { return [e instanceof Error, e.constructor.name, e.message]; } };
      const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
      ${body}
    }`,
  );
  return `import { DurableObject } from "cloudflare:workers";
    export class Store extends DurableObject { ${members}\n${methods.join("\n")} }
    export class Plain extends DurableObject {}
    export default { fetch: () => new Response("ok") };`;
}

/** Serves such a class, bound as STORE; gives the instance of Miniflare and what finds an object by name. */
export async function serveStore(t, programs, { members, ...options } = {}) {
  const mf = new Miniflare({
    modules: true,
    script: scriptOf(programs, members),
    durableObjects: { STORE: { className: "Store", useSQLite: true } },
    compatibilityDate: TODAY,
    ...options,
  });
  t?.after(() => mf.dispose());
  const namespace = await mf.getDurableObjectNamespace("STORE");
  const store = (name = "a") => namespace.getByName(name);
  const storage = (name = "a") => mf.getDurableObjectStorage(namespace.idFromName(name));
  return { mf, namespace, store, storage };
}
