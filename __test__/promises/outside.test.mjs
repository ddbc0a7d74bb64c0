// S12, S13: namespaces, stubs and storage used from outside the worker.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DurableObjectId,
  DurableObjectNamespace,
  DurableObjectStorage,
  Miniflare,
} from "ferroflare";

const started = [];

function miniflare(t, options = {}) {
  const mf = new Miniflare({
    modules: true,
    durableObjects: { TEST_OBJECT: "TestObject", OTHER_OBJECT: "TestObject" },
    globals: { STARTED: started },
    script: `
    export class TestObject {
      constructor(state) {
        this.state = state;
        this.storage = state.storage;
        STARTED.push(state.id.toString());
      }

      async fetch(request) {
        const url = new URL(request.url);
        if (url.pathname === "/put") await this.storage.put("key", 1);
        if (url.pathname === "/id") return new Response(this.state.id.toString());
        if (url.pathname === "/echo") {
          return new Response(request.method + " " + (await request.text()), {
            status: 201,
            headers: { "X-Header": request.headers.get("X-Header") },
          });
        }
        if (url.pathname === "/list") {
          return Response.json([...(await this.storage.list())]);
        }
        return new Response(String(await this.storage.get("key")));
      }
    }

    export default {
      async fetch(request, env) {
        const stub = env.TEST_OBJECT.get(env.TEST_OBJECT.idFromName("test"));
        return stub.fetch(request);
      }
    }`,
    ...options,
  });
  t.after(() => mf.dispose());
  return mf;
}

async function text(fetched) {
  return (await fetched).text();
}

const url = "http://localhost:8787/";

test("S12: getDurableObjectNamespace() gives a DurableObjectNamespace", async (t) => {
  const namespace = await miniflare(t).getDurableObjectNamespace("TEST_OBJECT");
  assert.ok(namespace instanceof DurableObjectNamespace);
});

test("S12: idFromName() always derives the same id, as existing data needs it", async (t) => {
  const namespace = await miniflare(t).getDurableObjectNamespace("TEST_OBJECT");
  const id = namespace.idFromName("test");
  assert.ok(id instanceof DurableObjectId);
  assert.equal(id.toString(), "8f9973e23d7d465bb827b1ded10ae3e3d1e9b25f9e0763ab8ced46632d58ff07");
  assert.equal(id.name, "test");
  assert.ok(id.equals(namespace.idFromName("test")));
  assert.ok(!id.equals(namespace.idFromName("other")));
});

test("S12: idFromString() gives back the id without its name", async (t) => {
  const namespace = await miniflare(t).getDurableObjectNamespace("TEST_OBJECT");
  const id = namespace.idFromName("test");
  const copy = namespace.idFromString(id.toString());
  assert.ok(copy.equals(id));
  assert.equal(copy.name, undefined);
});

test("S12: newUniqueId() gives 64 hex digits, different each time", async (t) => {
  const namespace = await miniflare(t).getDurableObjectNamespace("TEST_OBJECT");
  const ids = Array.from({ length: 100 }, () => namespace.newUniqueId().toString());
  assert.equal(new Set(ids).size, 100);
  for (const id of ids) assert.match(id, /^00[0-9a-f]{62}$/);
  assert.ok(namespace.idFromString(ids[0]));
});

test("S12: stub.fetch() reaches the object that the worker reaches", async (t) => {
  const mf = miniflare(t);
  assert.equal(await text(mf.dispatchFetch(`${url}put`)), "1");
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const stub = namespace.get(namespace.idFromName("test"));
  assert.equal(await text(stub.fetch(url)), "1");
  assert.equal(await text(stub.fetch(`${url}id`)), namespace.idFromName("test").toString());
  assert.equal(stub.name, "test");
  assert.ok(stub.id.equals(namespace.idFromName("test")));
});

test("S12: stub.fetch() takes a method, headers and a body, and gives status and headers back", async (t) => {
  const namespace = await miniflare(t).getDurableObjectNamespace("TEST_OBJECT");
  const stub = namespace.get(namespace.newUniqueId());
  const response = await stub.fetch(`${url}echo`, {
    method: "POST",
    body: "body",
    headers: { "X-Header": "value" },
  });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get("X-Header"), "value");
  assert.equal(await response.text(), "POST body");
});

test("S12: objects of different ids and of different namespaces have their own data", async (t) => {
  const mf = miniflare(t);
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const other = await mf.getDurableObjectNamespace("OTHER_OBJECT");
  await namespace.get(namespace.idFromName("test")).fetch(`${url}put`);
  assert.equal(await text(namespace.get(namespace.idFromName("test")).fetch(url)), "1");
  assert.equal(await text(namespace.get(namespace.idFromName("test2")).fetch(url)), "undefined");
  assert.equal(await text(other.get(other.idFromName("test")).fetch(url)), "undefined");
});

test("S13: Miniflare's documented example answers 1, 1, 1, 2", async (t) => {
  const mf = miniflare(t);
  const answers = [];
  answers.push(await text(mf.dispatchFetch(`${url}put`)));
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const id = namespace.idFromName("test");
  answers.push(await text(namespace.get(id).fetch(`${url}put`)));
  const storage = await mf.getDurableObjectStorage(id);
  answers.push(await storage.get("key"));
  await storage.put("key", 2);
  answers.push(await text(mf.dispatchFetch(url)));
  assert.deepEqual(answers, ["1", "1", 1, "2"]);
});

test("S13: getDurableObjectStorage() gives a DurableObjectStorage, the same for the same id", async (t) => {
  const mf = miniflare(t);
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("test"));
  assert.ok(storage instanceof DurableObjectStorage);
  const again = await mf.getDurableObjectStorage(namespace.idFromName("test"));
  await storage.put("key", "value");
  assert.equal(await again.get("key"), "value");
});

test("S13: storage reads what the object wrote", async (t) => {
  const mf = miniflare(t);
  await mf.dispatchFetch(`${url}put`);
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("test"));
  assert.deepEqual([...(await storage.list())], [["key", 1]]);
});

test("S13: the object reads what storage wrote, before and after the object started", async (t) => {
  const mf = miniflare(t);
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("test"));
  await storage.put({ b: [2], a: { n: 1 } });
  const first = await mf.dispatchFetch(`${url}list`);
  assert.deepEqual(await first.json(), [
    ["a", { n: 1 }],
    ["b", [2]],
  ]);
  assert.equal(await storage.delete("b"), true);
  const second = await mf.dispatchFetch(`${url}list`);
  assert.deepEqual(await second.json(), [["a", { n: 1 }]]);
});

test("S13: storage does not start the object", async (t) => {
  const mf = miniflare(t);
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const id = namespace.newUniqueId();
  const storage = await mf.getDurableObjectStorage(id);
  await storage.put("key", "value");
  assert.equal(await storage.get("key"), "value");
  await storage.transaction((txn) => txn.delete("key"));
  await storage.list();
  assert.equal(started.includes(id.toString()), false);
  await namespace.get(id).fetch(url);
  assert.equal(started.includes(id.toString()), true);
});

test("S13: storage of an id from idFromString() is that of the id from idFromName()", async (t) => {
  const mf = miniflare(t);
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const id = namespace.idFromName("test");
  const named = await mf.getDurableObjectStorage(id);
  const parsed = await mf.getDurableObjectStorage(namespace.idFromString(id.toString()));
  await named.put("key", "value");
  assert.equal(await parsed.get("key"), "value");
});
