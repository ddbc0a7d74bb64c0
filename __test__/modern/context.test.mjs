// What `ctx` of a modern object does: waitUntil() and eviction, props and exports, gates of calls that it makes.
import assert from "node:assert/strict";
import path from "node:path";
import test from "node:test";
import { temporaryDirectory } from "../support/cli.mjs";
import { serve } from "../support/modern.mjs";
import { idle } from "../support/plugin.mjs";

const script = `
import { DurableObject } from "cloudflare:workers";
export class Subject extends DurableObject {
  static built = 0;
  constructor(ctx, env) { super(ctx, env); Subject.built++; }
  built() { return Subject.built; }
  background() { this.ctx.waitUntil(new Promise((resolve) => { globalThis.finish = resolve; })); return "started"; }
  finish() { globalThis.finish(); }
  seen() { return [this.ctx.props, Object.keys(this.ctx.exports ?? {}), "exports" in this.ctx, this.ctx.container === undefined]; }
  async tell(other) { this.ctx.storage.put("key", "written"); return other.hear(); }
  async callBack(f) { this.ctx.storage.put("key", "written"); return f(); }
  hear() { return "heard"; }
  stored() { return this.ctx.storage.get("key"); }
  async slowly() { const before = await this.ctx.storage.get("x"); await this.ctx.storage.put("x", 1); return before === undefined; }
}
export default { fetch() {} }`;

async function open(t, options) {
  const mf = serve(t, script, ["Subject"], options);
  const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
  return { mf, plugin, namespace: await mf.getDurableObjectNamespace("Subject") };
}

test("context: waitUntil() keeps an object busy, so that it is not evicted meanwhile", async (t) => {
  const { plugin, namespace } = await open(t);
  const { kEvict } = (await import("node:module")).createRequire(import.meta.url)(
    "../../dist/shared/symbols.js",
  );
  const stub = namespace.getByName("a");
  assert.equal(await stub.background(), "started");
  let evicted = false;
  const eviction = plugin[kEvict](stub.id).then(() => {
    evicted = true;
  });
  await idle();
  assert.equal(evicted, false);
  await stub.finish();
  await eviction;
  assert.equal(await stub.built(), 2);
});

test("context: props are empty, and exports are there by the flag of a date", async (t) => {
  const { namespace } = await open(t);
  assert.deepEqual(await namespace.getByName("a").seen(), [{}, ["Subject", "default"], true, true]);
  const old = await open(t, { compatibilityDate: "2025-11-16" });
  assert.deepEqual(await old.namespace.getByName("a").seen(), [{}, [], false, true]);
  const asked = await open(t, {
    compatibilityDate: "2025-11-16",
    compatibilityFlags: ["enable_ctx_exports"],
  });
  assert.deepEqual((await asked.namespace.getByName("a").seen())[1], ["Subject", "default"]);
});

test("context: what an object asks of others leaves when what it has written is durable", async (t) => {
  const durableObjectsPersist = path.join(await temporaryDirectory(t), "data");
  const { mf, namespace } = await open(t, { durableObjectsPersist });
  const stub = namespace.getByName("a");
  const seen = await stub.callBack(async () => {
    const storage = await mf.getDurableObjectStorage(stub.id);
    return storage.get("key");
  });
  assert.equal(seen, "written");
  assert.equal(await stub.tell(namespace.getByName("b")), "heard");
});

test("context: calls of several stubs of one object are events of one gate", async (t) => {
  const { namespace } = await open(t);
  const results = await Promise.all([1, 2, 3].map(() => namespace.getByName("a").slowly()));
  assert.deepEqual(results, [true, false, false]);
});
