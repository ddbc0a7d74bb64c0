// Names and ids of modern objects, on every backend: by name, in alarms, after eviction and in the next process.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { runCli, temporaryDirectory } from "../support/cli.mjs";
import { failure, serve, TODAY } from "../support/modern.mjs";
import { RedisServer } from "../support/redis.mjs";

const script = `
import { DurableObject } from "cloudflare:workers";
export class Named extends DurableObject {
  who() { return [this.ctx.id.name ?? null, String(this.ctx.id)]; }
  put(value) { return this.ctx.storage.put("key", value); }
  get() { return this.ctx.storage.get("key"); }
  set(time) { return this.ctx.storage.setAlarm(time); }
  async alarm() { await this.ctx.storage.put("rang for", this.ctx.id.name ?? null); }
  async rang() { return (await this.ctx.storage.get("rang for")) ?? "not yet"; }
}
export class Classic {
  constructor(state) { this.state = state; }
  fetch() { return Response.json([this.state.id.name ?? null, "exports" in this.state]); }
}
export default { fetch() {} }`;

const classes = ["Named", "Classic"];
const namespaceOf = (mf, name = "Named") => mf.getDurableObjectNamespace(name);

let redis;
before(async () => {
  redis = await RedisServer.start();
});
after(() => redis.stop());

const places = {
  memory: async () => undefined,
  files: async (t) => path.join(await temporaryDirectory(t), "data"),
  Redis: async () => redis.url(),
};

for (const [place, open] of Object.entries(places)) {
  describe(place, () => {
    test(`names, ${place}: an object sees the name that it was got by, also through its id`, async (t) => {
      const mf = serve(t, script, classes, { durableObjectsPersist: await open(t) });
      const namespace = await namespaceOf(mf);
      const name = `room ${place}`;
      const id = namespace.idFromName(name);
      assert.deepEqual(await namespace.getByName(name).who(), [name, String(id)]);
      const byId = namespace.get(namespace.idFromString(String(id)));
      assert.equal(byId.name, undefined);
      assert.equal((await byId.who())[0], name);
      const unique = namespace.newUniqueId();
      assert.deepEqual(await namespace.get(unique).who(), [null, String(unique)]);
    });

    test(`names, ${place}: they are there in alarms and after eviction`, async (t) => {
      const mf = serve(t, script, classes, { durableObjectsPersist: await open(t) });
      const namespace = await namespaceOf(mf);
      const stub = namespace.getByName("evicted");
      await stub.set(Date.now() + 3_600_000);
      await mf.reload();
      const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
      const storage = mf.getPluginStorage("DurableObjectsPlugin");
      await plugin.flushAlarms(storage, [namespace.idFromString(String(stub.id))]);
      assert.equal(await stub.rang(), "evicted");
      await mf.reload();
      const byId = namespace.get(namespace.idFromString(String(stub.id)));
      assert.equal((await byId.who())[0], "evicted");
    });

    test(`names, ${place}: RPC reads and writes the object's storage`, async (t) => {
      const mf = serve(t, script, classes, { durableObjectsPersist: await open(t) });
      const stub = (await namespaceOf(mf)).getByName("stored");
      await stub.put({ n: [1, new Map([["k", 2]])] });
      assert.deepEqual(await stub.get(), { n: [1, new Map([["k", 2]])] });
    });
  });
}

for (const place of ["files", "Redis"]) {
  test(`names, ${place}: they are there for the next instance, and \`ferroflare objects list\` shows them`, async (t) => {
    const durableObjectsPersist = await places[place](t);
    const first = serve(undefined, script, classes, { durableObjectsPersist });
    const stub = (await namespaceOf(first)).getByName("a name: {é}/..");
    await stub.put(1);
    await first.dispose();
    const second = serve(t, script, classes, { durableObjectsPersist });
    const namespace = await namespaceOf(second);
    const [name] = await namespace.get(namespace.idFromString(String(stub.id))).who();
    assert.equal(name, "a name: {é}/..");
    const listed = await runCli([
      "objects",
      "list",
      "--name",
      "Named",
      "--do-persist",
      durableObjectsPersist,
    ]);
    assert.match(listed.stdout, new RegExp(`^Named ${stub.id} "a name: {é}/\\.\\."$`, "m"));
    const json = await runCli(["objects", "list", "--json", "--do-persist", durableObjectsPersist]);
    const objects = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(objects.find(({ id }) => id === String(stub.id)).called, "a name: {é}/..");
    await runCli([
      "objects",
      "delete",
      "Named",
      String(stub.id),
      "--do-persist",
      durableObjectsPersist,
    ]);
    await second.reload();
    assert.equal((await namespace.get(namespace.idFromString(String(stub.id))).who())[0], null);
  });
}

test("names: one over 1024 bytes is undefined inside", async (t) => {
  const namespace = await namespaceOf(serve(t, script, classes));
  for (const [name, seen] of [
    ["x".repeat(1024), "x".repeat(1024)],
    ["x".repeat(1025), null],
    ["é".repeat(513), null],
    ["", ""],
  ]) {
    const stub = namespace.getByName(name);
    assert.equal(stub.name, name);
    assert.equal((await stub.who())[0], seen);
  }
});

test("names: getByName() converts its argument, and needs one", async (t) => {
  const namespace = await namespaceOf(serve(t, script, classes));
  for (const value of [5, null, undefined, {}]) {
    assert.equal(namespace.getByName(value).name, String(value));
  }
  assert.throws(() => namespace.getByName(), {
    name: "TypeError",
    message:
      "Failed to execute 'getByName' on 'DurableObjectNamespace': parameter 1 is not of type 'string'.",
  });
  assert.throws(() => namespace.getByName(Symbol("a")), TypeError);
});

test("names: options of get() and getByName() are checked", async (t) => {
  const namespace = await namespaceOf(serve(t, script, classes));
  const id = namespace.idFromName("a");
  for (const get of [
    (options) => namespace.get(id, options),
    (options) => namespace.getByName("a", options),
  ]) {
    assert.equal(get({ locationHint: "anywhere" }).name, "a");
    assert.equal(get({ routingMode: "primary-only" }).name, "a");
    assert.equal(get(null).name, "a");
    assert.throws(() => get({ routingMode: "nearest" }), {
      name: "RangeError",
      message: "unknown routingMode: nearest",
    });
    assert.throws(() => get(5), /parameter 2 is not of type 'GetDurableObjectOptions'\./);
  }
});

test("names: nothing is constructed before the first call", async (t) => {
  const mf = serve(t, script, classes);
  const namespace = await namespaceOf(mf);
  namespace.getByName("idle").who;
  const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
  assert.deepEqual(plugin.getObjects(undefined, "Named"), []);
});

test("names: an object of a classic class sees none, and no modern context", async (t) => {
  const namespace = await namespaceOf(serve(t, script, classes), "Classic");
  const response = await namespace.getByName("a").fetch("https://host/");
  assert.deepEqual(await response.json(), [null, false]);
});

test("ids: jurisdictions are noted in ids, and data do not depend on them", async (t) => {
  const namespace = await namespaceOf(serve(t, script, classes));
  for (const jurisdiction of ["eu", "fedramp", "fedramp-high", "us"]) {
    assert.equal(namespace.newUniqueId({ jurisdiction }).jurisdiction, jurisdiction);
    const sub = namespace.jurisdiction(jurisdiction);
    assert.equal(sub.idFromName("a").jurisdiction, jurisdiction);
    assert.equal(String(sub.idFromName("a")), String(namespace.idFromName("a")));
    assert.equal((await sub.getByName("a").who())[0], "a");
    const message =
      "get called on jurisdictional subnamespace with an ID from a different jurisdiction";
    assert.throws(() => sub.get(namespace.idFromName("a")), { name: "TypeError", message });
  }
  assert.equal("jurisdiction" in namespace.newUniqueId({ jurisdiction: null }), false);
  assert.equal(namespace.jurisdiction(undefined), namespace);
  assert.throws(() => namespace.jurisdiction("mars"), {
    name: "TypeError",
    message: 'jurisdiction called with an unsupported jurisdiction: "mars"',
  });
});

test("names: an object that was renamed by its class keeps its data and name", async (t) => {
  const durableObjectsPersist = await places.files(t);
  const options = { modules: true, durableObjectsPersist, compatibilityDate: TODAY };
  const first = new Miniflare({ ...options, script, durableObjects: { ROOM: "Named" } });
  await (await namespaceOf(first, "ROOM")).getByName("a").put(5);
  await first.dispose();
  const renamed = script.replace("class Named", "class Renamed");
  const second = new Miniflare({
    ...options,
    script: renamed,
    durableObjects: { ROOM: "Renamed" },
  });
  t.after(() => second.dispose());
  const namespace = await namespaceOf(second, "ROOM");
  const stub = namespace.get(namespace.idFromString(String(namespace.idFromName("a"))));
  assert.deepEqual([await stub.get(), (await stub.who())[0]], [5, "a"]);
  assert.match((await failure(stub.nothing())).message, /does not implement the method "nothing"/);
});
