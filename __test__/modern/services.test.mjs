// Service bindings to mounted workers whose classes have RPC: default and named entrypoints.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { projectOf, serveIn } from "../support/configured.mjs";
import { failure, TODAY } from "../support/modern.mjs";

const FAR = `
import { DurableObject, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
class Cursor extends RpcTarget { #at = 0; next() { return ++this.#at; } }
export default class extends WorkerEntrypoint {
  fetch(request) { return new Response("default " + new URL(request.url).pathname + this.env.A); }
  add(a, b) { return a + b; }
  variable() { return this.env.A; }
  cursor() { return new Cursor(); }
  map(list, f) { return Promise.all(list.map((x) => f(x))); }
  when() { return { at: new Date(0), list: [1] }; }
  fail() { throw new RangeError("no"); }
  secret = 1;
}
export class Admin extends WorkerEntrypoint {
  fetch(request) { return new Response("admin " + request.method); }
  who() { return "admin " + this.env.A; }
}
export const plain = { fetch: () => new Response("plain") };
`;

const WORKER = `
export default { async fetch(request, { SVC }) {
  const results = {};
  results.sum = await SVC.add(1, 2);
  results.variable = await SVC.variable();
  using cursor = await SVC.cursor();
  results.next = [await cursor.next(), await cursor.next(), await SVC.cursor().next()];
  results.map = await SVC.map([1, 2], (x) => x * 10);
  const { at, list } = await SVC.when();
  results.realm = at instanceof Date && list instanceof Array;
  results.error = await SVC.fail().catch((e) => [e instanceof RangeError, e.message, e.remote]);
  results.missing = await SVC.nosuch().catch((e) => e.message);
  results.own = await SVC.secret.then((value) => value, (e) => e.message);
  results.text = await (await SVC.fetch("http://far/path")).text();
  results.type = typeof SVC.then;
  return Response.json(results);
} };
`.replace("using cursor", "const cursor");

function serve(t, script, options = {}, far = {}) {
  const mf = new Miniflare({
    modules: true,
    script,
    compatibilityDate: TODAY,
    mounts: {
      far: { modules: true, script: FAR, bindings: { A: "a" }, compatibilityDate: TODAY, ...far },
    },
    serviceBindings: { SVC: "far" },
    ...options,
  });
  t.after(() => mf.dispose().catch(() => {}));
  return mf;
}

test("services: a worker calls methods of another one's default class, in its own realm", async (t) => {
  const mf = serve(t, WORKER);
  assert.deepEqual(await (await mf.dispatchFetch("http://a/")).json(), {
    sum: 3,
    variable: "a",
    next: [1, 2, 1],
    map: [10, 20],
    realm: true,
    error: [true, "no", true],
    missing: 'The RPC receiver does not implement the method "nosuch".',
    own: 'The RPC receiver does not implement the method "secret".',
    text: "default /patha",
    type: "undefined",
  });
});

test("services: after a reload the binding reaches the new class", async (t) => {
  const mf = serve(
    t,
    "export default { fetch: async (r, { SVC }) => new Response(await SVC.variable()) };",
  );
  const text = async () => (await mf.dispatchFetch("http://a/")).text();
  assert.equal(await text(), "a");
  await mf.reload();
  assert.equal(await text(), "a");
  await mf.setOptions({
    mounts: { far: { modules: true, script: FAR, bindings: { A: "b" }, compatibilityDate: TODAY } },
  });
  assert.equal(await text(), "b");
});

test("services: objects call the class too, and a worker reaches itself", async (t) => {
  const script = `
    import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
    export class Room extends DurableObject {
      async ask() { return [await this.env.SVC.add(2, 3), await this.env.SELF.name()]; }
    }
    export default class extends WorkerEntrypoint { name() { return "self"; } }`;
  const mf = serve(t, script, {
    name: "own",
    durableObjects: { ROOM: "Room" },
    serviceBindings: { SVC: "far", SELF: "own" },
  });
  const stub = (await mf.getDurableObjectNamespace("ROOM")).getByName("a");
  assert.deepEqual(await stub.ask(), [5, "self"]);
});

test("services: named entrypoints, by option and by the configuration", async (t) => {
  const script = `export default { async fetch(r, { SVC, PLAIN }) {
    return Response.json([await SVC.who(), await (await SVC.fetch("http://a", { method: "PUT" })).text(), await (await PLAIN?.fetch("http://a"))?.text()]);
  } };`;
  const serviceBindings = {
    SVC: { service: "far", entrypoint: "Admin" },
    PLAIN: { service: "far", entrypoint: "plain" },
  };
  const mf = serve(t, script, { serviceBindings });
  const expected = ["admin a", "admin PUT", "plain"];
  assert.deepEqual(await (await mf.dispatchFetch("http://a/")).json(), expected);
  const directory = await projectOf(t, {
    "wrangler.jsonc": {
      main: "a.mjs",
      services: [
        { binding: "SVC", service: "far", entrypoint: "Admin" },
        { binding: "PLAIN", service: "far", entrypoint: "plain" },
      ],
    },
    "a.mjs": script,
  });
  const far = { modules: true, script: FAR, bindings: { A: "a" } };
  const { json } = serveIn(t, directory, { mounts: { far } });
  assert.deepEqual(await json(), expected);
});

test("services: an entrypoint that does not exist is named", async (t) => {
  const mf = serve(t, "export default {};", {
    serviceBindings: { SVC: { service: "far", entrypoint: "Nope" } },
  });
  const error = await failure(mf.getPlugins());
  assert.equal(error.code, "ERR_CLASS_NOT_FOUND");
  assert.match(error.message, /^Entrypoint "Nope" for service binding "SVC" not found/);
});

test("services: a worker whose default export is no class has the binding of Miniflare 2", async (t) => {
  const script = `export default { fetch: async (r, { SVC }) => Response.json([SVC.constructor.name, await (await SVC.fetch(r)).text(), SVC.add === undefined]) };`;
  const mf = serve(
    t,
    script,
    {},
    { script: 'export default { fetch: () => new Response("far") };' },
  );
  const answer = await (await mf.dispatchFetch("http://a/")).json();
  assert.deepEqual(answer, ["Fetcher", "far", true]);
});
