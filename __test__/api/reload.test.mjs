// Reloads: namespaces and stubs obtained before go on working; after dispose() they say so.
import assert from "node:assert/strict";
import test from "node:test";
import { Response } from "@miniflare/core";
import { DurableObjectError } from "../../index.mjs";
import { runModule } from "../support/cli.mjs";
import { coreMiniflare, deferred, idle, servingPlugin } from "../support/plugin.mjs";

const answering = (text) =>
  class {
    fetch() {
      return new Response(text);
    }
  };
const durableObjects = { OBJECT: "OBJECT" };
const fetched = async (stub) => (await stub.fetch("/")).text();

async function miniflare(options, worker = { exports: { OBJECT: answering("one") } }) {
  const mf = coreMiniflare(worker, { durableObjects, ...options });
  const { OBJECT: namespace } = await mf.getBindings();
  const stub = namespace.get(namespace.idFromName("a"));
  return { mf, worker, namespace, stub };
}

const isDisposed = (error) => {
  assert.ok(error instanceof DurableObjectError);
  assert.equal(error.code, "ERR_DISPOSED");
  assert.match(error.message, /its Miniflare instance has been disposed/);
  return true;
};

test("fixed: a stub from before reload() reaches the reloaded class", async () => {
  const { mf, worker, namespace, stub } = await miniflare();
  assert.equal(await fetched(stub), "one");
  for (const text of ["two", "three"]) {
    worker.exports = { OBJECT: answering(text) };
    await mf.reload();
    assert.equal(await fetched(stub), text);
    assert.equal(await fetched(namespace.get(namespace.newUniqueId())), text);
  }
  await mf.dispose();
});

test("fixed: a stub from before setOptions() reaches the class of the new options", async () => {
  const { mf, worker, stub } = await miniflare();
  worker.exports = { OBJECT: answering("one"), OTHER: answering("other") };
  await mf.setOptions({ durableObjects: { OBJECT: "OTHER" } });
  assert.equal(await fetched(stub), "other");
  await mf.setOptions({ bindings: { KEY: 1 } });
  assert.equal(await fetched(stub), "other");
  await mf.dispose();
});

test("fixed: a stub whose binding is gone after setOptions() says so, and works when it is back", async () => {
  const { mf, stub } = await miniflare();
  await mf.setOptions({ durableObjects: {} });
  await assert.rejects(stub.fetch("/"), {
    code: "ERR_CLASS_NOT_FOUND",
    message: /^No class is bound to Durable Object "OBJECT"\./,
  });
  await mf.setOptions({ durableObjects });
  assert.equal(await fetched(stub), "one");
  await mf.dispose();
});

test("fixed: a request that comes during a reload waits for it", async () => {
  const { mf, worker, stub } = await miniflare();
  worker.exports = { OBJECT: answering("two") };
  const reloaded = mf.reload();
  const responses = [];
  for (let turn = 0; turn < 5; turn++) {
    responses.push(stub.fetch("/"));
    await Promise.resolve();
  }
  await reloaded;
  for (const response of responses) assert.match(await (await response).text(), /^(one|two)$/);
  assert.equal(await fetched(stub), "two");
  await mf.dispose();
});

test("fixed: a request that waits since before one reload is answered after the next", async () => {
  const { plugin, namespace, ctx } = await servingPlugin({ OBJECT: answering("one") });
  const stub = namespace("OBJECT").get(namespace("OBJECT").idFromName("a"));
  await plugin.beforeReload();
  const response = stub.fetch("/");
  await idle();
  await plugin.beforeReload();
  ctx.sharedCache.clear();
  plugin.reload({}, { OBJECT: answering("two") }, new Map());
  assert.equal(await (await response).text(), "two");
});

test("fixed: a class that is missing after a reload is the error of waiting requests, until the next reload", async () => {
  const { mf, worker, stub } = await miniflare();
  worker.exports = {};
  const missing = {
    code: "ERR_CLASS_NOT_FOUND",
    message: 'Class "OBJECT" for Durable Object "OBJECT" not found',
  };
  await assert.rejects(mf.reload(), missing);
  await assert.rejects(stub.fetch("/"), missing);
  worker.exports = { OBJECT: answering("back") };
  await mf.reload();
  assert.equal(await fetched(stub), "back");
  await mf.dispose();
});

test("fixed: a request outlives a script that fails and is answered when it is fixed", async () => {
  const { mf, worker, stub } = await miniflare();
  worker.error = new SyntaxError("script is broken");
  await assert.rejects(mf.reload(), worker.error);
  const response = stub.fetch("/");
  await idle();
  delete worker.error;
  await mf.reload();
  assert.equal(await (await response).text(), "one");
  await mf.dispose();
});

test("fixed: a request does not wait for ever for a reload that failed", async () => {
  const { stdout, stderr } = await runModule(`
    import { Clock } from "./__test__/support/clock.mjs";
    const clock = new Clock().install();
    const { servingPlugin, idle } = await import("./__test__/support/plugin.mjs");
    const { plugin, namespace } = await servingPlugin({ OBJECT: class {} });
    await plugin.beforeReload();
    const stub = namespace("OBJECT").get(namespace("OBJECT").idFromName("a"));
    stub.fetch("/").catch((error) => console.log(error.code, error.message));
    await idle();
    await clock.advance(29_999);
    console.log("still waiting");
    await clock.advance(1);
  `);
  assert.deepEqual(
    stdout.trim().split("\n"),
    [
      "still waiting",
      "ERR_TIMEOUT This Durable Object cannot be reached: its worker has not finished reloading within 30 seconds. Look for the error of the last reload.",
    ],
    stderr,
  );
});

test("fixed: after dispose() namespaces and stubs reject with one clear error", async () => {
  const { mf, namespace, stub } = await miniflare();
  assert.equal(await fetched(stub), "one");
  await mf.dispose();
  await assert.rejects(stub.fetch("/"), isDisposed);
  await assert.rejects(stub.fetch("/"), isDisposed);
  await assert.rejects(namespace.get(namespace.newUniqueId()).fetch("/"), isDisposed);
});

test("fixed: requests that wait for a reload reject when the instance is disposed instead", async () => {
  const { plugin, namespace } = await servingPlugin({ OBJECT: answering("one") });
  await plugin.beforeReload();
  const stub = namespace("OBJECT").get(namespace("OBJECT").idFromName("a"));
  const response = stub.fetch("/");
  await idle();
  await plugin.dispose();
  await plugin.dispose();
  await assert.rejects(response, isDisposed);
  await plugin.beforeReload();
  plugin.reload({}, { OBJECT: answering("revived") }, new Map());
  await assert.rejects(stub.fetch("/"), isDisposed);
});

test("fixed: an unmounted worker's stubs say so; the parent's go on", async () => {
  const worker = {
    exports: { OBJECT: answering("parent") },
    mount: { OBJECT: answering("mount") },
  };
  const mounts = { api: { modules: true, script: "mount", durableObjects: { MOUNTED: "OBJECT" } } };
  const { mf, stub } = await miniflare({ mounts }, worker);
  const { MOUNTED } = await (await mf.getMount("api")).getBindings();
  const mounted = MOUNTED.get(MOUNTED.idFromName("a"));
  assert.equal(await fetched(mounted), "mount");
  await mf.setOptions({ mounts: undefined });
  await assert.rejects(mounted.fetch("/"), isDisposed);
  await mf.setOptions({ mounts: { other: mounts.api } });
  await assert.rejects(mounted.fetch("/"), isDisposed);
  await mf.reload();
  await assert.rejects(mounted.fetch("/"), isDisposed);
  assert.equal(await fetched(stub), "parent");
  await mf.dispose();
});

test("S14 reload: stubs of a mount and of its parent reach the reloaded classes", async () => {
  const worker = {
    exports: { OBJECT: answering("parent") },
    mount: { OBJECT: answering("mount") },
  };
  const mountOptions = { modules: true, script: "mount", durableObjects: { MOUNTED: "OBJECT" } };
  const { mf, stub } = await miniflare({ mounts: { api: mountOptions } }, worker);
  const { MOUNTED } = await (await mf.getMount("api")).getBindings();
  const mounted = MOUNTED.get(MOUNTED.idFromName("a"));
  worker.exports = { OBJECT: answering("parent 2") };
  worker.mount = { OBJECT: answering("mount 2"), OTHER: answering("other") };
  await mf.reload();
  assert.equal(await fetched(stub), "parent 2");
  assert.equal(await fetched(mounted), "mount 2");
  await mf.setOptions({
    mounts: { api: { ...mountOptions, durableObjects: { MOUNTED: "OTHER" } } },
  });
  assert.equal(await fetched(stub), "parent 2");
  assert.equal(await fetched(mounted), "other");
  await mf.dispose();
});

test("S4 reload: a request that is being handled ends in the class it began in", async () => {
  const reached = deferred();
  const released = deferred();
  class OBJECT {
    async fetch() {
      reached.resolve();
      await released.promise;
      return new Response("old");
    }
  }
  const { mf, worker, stub } = await miniflare({}, { exports: { OBJECT } });
  const response = stub.fetch("/");
  await reached.promise;
  worker.exports = { OBJECT: answering("new") };
  await mf.reload();
  assert.equal(await fetched(stub), "new");
  released.resolve();
  assert.equal(await (await response).text(), "old");
  await mf.dispose();
});
