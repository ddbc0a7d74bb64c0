// S1 to S4, S13: the plugin's options, and what it gives to Miniflare and to the test environments.
import assert from "node:assert/strict";
import test from "node:test";
import { runInNewContext } from "node:vm";
import { parseArgv } from "@miniflare/cli-parser";
import { Response } from "@miniflare/core";
import * as reference from "@miniflare/durable-objects";
import { logOptions, NoOpLog } from "@miniflare/shared";
import {
  _kRunWithGates,
  DurableObjectError,
  DurableObjectId,
  DurableObjectState,
  DurableObjectStorage,
  DurableObjectsPlugin,
  kAlarmExists,
} from "../../index.mjs";
import {
  coreMiniflare,
  idle,
  memoryFactory,
  pluginContext,
  servingPlugin,
  TEST_ID_HEX,
} from "../support/plugin.mjs";

const testId = new DurableObjectId("TEST", TEST_ID_HEX, "instance");
const plugins = { DurableObjectsPlugin };

function fromWrangler(config) {
  const options = {};
  for (const [key, meta] of DurableObjectsPlugin.prototype.opts) {
    const value = meta.fromWrangler?.(config, process.cwd(), new NoOpLog());
    if (value !== undefined) options[key] = value;
  }
  return options;
}

/** Counts its requests in storage. */
class TEST {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }
  async fetch() {
    const count = ((await this.state.storage.get("count")) ?? 0) + 1;
    this.state.storage.put("count", count);
    return new Response(`${count} ${this.env.KEY}`);
  }
}

test("S1 options: --do, -o, --do-persist, --do-alarms and --do-max-value-size", () => {
  const durableObjects = { A: "ClassA", B: { className: "ClassB", scriptName: "api" } };
  assert.deepEqual(
    parseArgv(plugins, [
      "--do",
      "A=ClassA",
      "--do",
      "B=ClassB@api",
      "--do-persist",
      "path",
      "--no-do-alarms",
    ]),
    { durableObjects, durableObjectsPersist: "path", durableObjectsAlarms: false },
  );
  assert.deepEqual(
    parseArgv(plugins, [
      "-o",
      "A=ClassA",
      "-o",
      "B=ClassB@api",
      "--do-persist",
      "--do-max-value-size",
      "131072",
    ]),
    { durableObjects, durableObjectsPersist: true, durableObjectsMaxValueSize: 131_072 },
  );
  assert.deepEqual(parseArgv(plugins, []), {});
});

test("S2 options: durable_objects and [miniflare] of wrangler.toml", () => {
  const config = {
    durable_objects: {
      bindings: [
        { name: "A", class_name: "ClassA" },
        { name: "B", class_name: "ClassB", script_name: "api" },
      ],
    },
    miniflare: {
      durable_objects_persist: "path",
      durable_objects_alarms: false,
      durable_objects_max_value_size: 131_072,
    },
  };
  assert.deepEqual(fromWrangler(config), {
    durableObjects: {
      A: { className: "ClassA", scriptName: undefined },
      B: { className: "ClassB", scriptName: "api" },
    },
    durableObjectsPersist: "path",
    durableObjectsAlarms: false,
    durableObjectsMaxValueSize: 131_072,
  });
  assert.deepEqual(fromWrangler({}), {});
  assert.deepEqual(fromWrangler({ durable_objects: {}, miniflare: {} }), {});
});

test("S3 options: are logged under the names that Miniflare 2 gives them", () => {
  const lines = [];
  class Recorder extends NoOpLog {
    debug(line) {
      lines.push(line);
    }
  }
  logOptions([["DurableObjectsPlugin", DurableObjectsPlugin]], new Recorder(), {
    DurableObjectsPlugin: {
      durableObjects: { A: "ClassA", B: "ClassB" },
      durableObjectsPersist: true,
      durableObjectsAlarms: true,
      durableObjectsMaxValueSize: 5,
    },
  });
  assert.deepEqual(lines, [
    "Options:",
    "- Durable Objects: A, B",
    "- Durable Objects Persistence: true",
    "- Durable Object Alarms: true",
    "- Durable Object Value Size: 5",
  ]);
});

test("S11 options: a wrong value is an error with the option, the value and what it may be", () => {
  const range = "a whole number of bytes from 1 to 2097152";
  const name = "durableObjectsMaxValueSize (--do-max-value-size)";
  const wrong = [
    [{ durableObjectsMaxValueSize: 0 }, `Invalid value for ${name}: 0 (expected ${range})`],
    [
      { durableObjectsMaxValueSize: 2_097_153 },
      `Invalid value for ${name}: 2097153 (expected ${range})`,
    ],
    [{ durableObjectsMaxValueSize: 1.5 }, `Invalid value for ${name}: 1.5 (expected ${range})`],
    [
      { durableObjectsMaxValueSize: Number.NaN },
      `Invalid value for ${name}: NaN (expected ${range})`,
    ],
    [{ durableObjectsMaxValueSize: "64k" }, `Invalid value for ${name}: "64k" (expected ${range})`],
    [
      { durableObjectsPersist: 5 },
      "Invalid value for durableObjectsPersist: 5 (expected true, false, a path or a redis:// URL)",
    ],
    [
      { durableObjects: "A" },
      'Invalid value for durableObjects: "A" (expected an object of NAME: class name)',
    ],
    [
      { durableObjects: { A: 5 } },
      "Invalid value for durableObjects.A: 5 (expected a class name or { className, scriptName })",
    ],
    [
      { durableObjects: { A: null } },
      "Invalid value for durableObjects.A: null (expected a class name or { className, scriptName })",
    ],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => new DurableObjectsPlugin(pluginContext(), options),
      (error) => {
        assert.ok(error instanceof DurableObjectError);
        assert.equal(error.code, "ERR_OPTION");
        assert.equal(error.message, message);
        return true;
      },
    );
  }
  for (const durableObjectsMaxValueSize of [1, 32_768, 2_097_152, undefined]) {
    const plugin = new DurableObjectsPlugin(pluginContext(), { durableObjectsMaxValueSize });
    assert.equal(plugin.durableObjectsMaxValueSize, durableObjectsMaxValueSize);
  }
});

test("S11 options: durableObjectsMaxValueSize is the limit of the storage inside and outside", async () => {
  class LIMITED {
    constructor(state) {
      this.storage = state.storage;
    }
    async fetch() {
      await this.storage.put("key", new Uint8Array(200));
      return new Response();
    }
  }
  const options = { durableObjectsMaxValueSize: 100 };
  const { plugin, factory, namespace } = await servingPlugin({ LIMITED }, { options });
  const id = namespace("LIMITED").idFromName("a");
  const tooLarge = { name: "RangeError", message: "Values cannot be larger than 100 bytes." };
  await assert.rejects(namespace("LIMITED").get(id).fetch("/"), tooLarge);
  const storage = plugin.getStorage(factory, id);
  assert.throws(() => storage.put("key", new Uint8Array(200)), tooLarge);
  await storage.put("key", new Uint8Array(50));
  assert.equal((await storage.get("key")).length, 50);
});

test("S3 reload: a class or script that is not there is an error that names it", async () => {
  const reloaded = (durableObjects, mounts) => () =>
    new DurableObjectsPlugin(pluginContext(), { durableObjects }).reload({}, {}, mounts);
  const className = "ClassA";
  assert.throws(reloaded({ A: className }, new Map()), {
    name: "DurableObjectError [ERR_CLASS_NOT_FOUND]",
    code: "ERR_CLASS_NOT_FOUND",
    message: 'Class "ClassA" for Durable Object "A" not found',
  });
  assert.throws(reloaded({ A: { className, scriptName: "api" } }, new Map()), {
    code: "ERR_SCRIPT_NOT_FOUND",
    message:
      'Script "api" for Durable Object "A" not found.\nMake sure "api" is mounted so Miniflare knows where to find it.',
  });
  assert.throws(
    reloaded({ A: { className, scriptName: "api" } }, new Map([["api", { moduleExports: {} }]])),
    {
      code: "ERR_CLASS_NOT_FOUND",
      message: 'Class "ClassA" in script "api" for Durable Object "A" not found',
    },
  );
});

test("S3 setup: binds a namespace for each object, and asks for the script's exports", async () => {
  const plugin = new DurableObjectsPlugin(pluginContext(), {
    durableObjects: { A: "ClassA", B: { className: "ClassB" } },
  });
  const { bindings, requiresModuleExports } = await plugin.setup(memoryFactory());
  assert.ok(requiresModuleExports);
  assert.deepEqual(Object.keys(bindings), ["A", "B"]);
  await plugin.beforeReload();
  const answering = (text) =>
    class {
      fetch() {
        return new Response(text);
      }
    };
  plugin.reload({}, { ClassA: answering("a"), ClassB: answering("b") }, new Map());
  for (const name of ["A", "B"]) {
    const response = await bindings[name].get(bindings[name].newUniqueId()).fetch("/");
    assert.equal(await response.text(), name.toLowerCase());
  }
  const none = new DurableObjectsPlugin(pluginContext());
  const { additionalModules, ...rest } = await none.setup(memoryFactory());
  assert.deepEqual(rest, { bindings: {}, requiresModuleExports: false });
  assert.deepEqual(Object.keys(additionalModules), ["cloudflare:workers"]);
});

test("S3 getObject: waits for the classes, and gives each object the env", async () => {
  const plugin = new DurableObjectsPlugin(pluginContext(), { durableObjects: { TEST: "TEST" } });
  const factory = memoryFactory();
  await assert.rejects(plugin.getObject(factory, testId), {
    name: "AssertionError",
    message: "beforeReload() must be called before getObject()",
  });
  await plugin.beforeReload();
  let found = false;
  const object = plugin.getObject(factory, testId).then((state) => {
    found = true;
    return state;
  });
  await idle();
  assert.ok(!found);
  plugin.reload({ KEY: "value" }, { TEST }, new Map());
  const state = await object;
  assert.ok(state instanceof DurableObjectState);
  assert.equal(await plugin.getObject(factory, testId), state);
  const instance = await plugin.getInstance(factory, testId);
  assert.ok(instance instanceof TEST);
  assert.equal(instance.state, state);
  assert.deepEqual(instance.env, { KEY: "value" });
});

test("S3 getObject: an object without a class is an error that names it", async () => {
  const { plugin, factory } = await servingPlugin({ TEST });
  await assert.rejects(plugin.getObject(factory, new DurableObjectId("OTHER", TEST_ID_HEX)), {
    code: "ERR_CLASS_NOT_FOUND",
    message: /^No class is bound to Durable Object "OTHER"\./,
  });
});

test("S13 getStorage: is the storage of the object, and does not start it", async () => {
  let built = 0;
  class COUNTED extends TEST {
    constructor(...args) {
      super(...args);
      built++;
    }
  }
  const { plugin, factory, namespace } = await servingPlugin({ COUNTED }, { env: { KEY: "v" } });
  const id = namespace("COUNTED").idFromName("a");
  const storage = plugin.getStorage(factory, id);
  assert.ok(storage instanceof DurableObjectStorage);
  assert.equal(plugin.getStorage(factory, namespace("COUNTED").idFromString(`${id}`)), storage);
  await storage.put("count", 5);
  assert.equal(built, 0);
  assert.equal(await (await namespace("COUNTED").get(id).fetch("/")).text(), "6 v");
  assert.equal(await storage.get("count"), 6);
  assert.equal((await plugin.getObject(factory, id)).storage, storage);
  assert.equal(built, 1);
});

test("S13 getStorage: takes any object with a toString() for an id", async () => {
  const { plugin, factory } = await servingPlugin({ TEST });
  const double = { toString: () => "any text" };
  await plugin.getStorage(factory, double).put("key", 1);
  assert.equal(await plugin.getStorage(factory, { toString: () => "any text" }).get("key"), 1);
  assert.equal(await plugin.getStorage(factory, { toString: () => "other" }).get("key"), undefined);
  assert.equal(await plugin.getStorage(factory, testId).get("key"), undefined);
  await assert.rejects(plugin.getInstance(factory, double), { code: "ERR_CLASS_NOT_FOUND" });
});

test("S13 getStorage: refuses what is no id, and the other calls that take an id do too", async () => {
  const { plugin, factory } = await servingPlugin({ TEST });
  for (const [id, received] of [
    [testId.toString(), "string"],
    [5, "number"],
    [null, "null"],
    [undefined, "undefined"],
    [{}, "an instance of Object"],
    [Object.create(null), "object"],
    [[testId], "an instance of Array"],
    [new Date(0), "an instance of Date"],
    [runInNewContext("({})"), "an instance of Object"],
    [() => {}, "function"],
    [plugin.getNamespace(factory, "TEST").get(testId), "an instance of DurableObjectStub"],
    [{ toString: () => 5 }, "number"],
  ]) {
    const error = { name: "TypeError", message: new RegExp(`^Not a .* received ${received}\\. `) };
    assert.throws(() => plugin.getStorage(factory, id), error);
    await assert.rejects(plugin.getInstance(factory, id), error);
    await assert.rejects(plugin.getObject(factory, id), error);
    await assert.rejects(plugin.flushAlarms(factory, [id]), error);
  }
  await assert.rejects(
    plugin.flushAlarms(factory, testId),
    /^TypeError: Alarms are flushed for an array/,
  );
  const hint = /idFromString\(\) or idFromName\(\) of the namespace/;
  assert.throws(() => plugin.getStorage(factory, testId.toString()), hint);
});

test("S13 getStorage: takes test doubles of any class that says how it becomes a string", async () => {
  const { plugin, factory } = await servingPlugin({ TEST });
  class Double {
    toString() {
      return TEST_ID_HEX;
    }
  }
  const bare = Object.assign(Object.create(null), { toString: () => TEST_ID_HEX });
  await plugin.getStorage(factory, new Double()).put("key", 1);
  for (const id of [
    bare,
    new (class extends Double {})(),
    new reference.DurableObjectId("A", TEST_ID_HEX),
  ]) {
    assert.equal(await plugin.getStorage(factory, id).get("key"), 1);
  }
});

test("S13 getObjects: lists the running objects of a binding", async () => {
  class OTHER extends TEST {}
  const { plugin, factory, namespace } = await servingPlugin({ TEST, OTHER });
  const ids = [namespace("TEST").idFromName("a"), namespace("TEST").newUniqueId()];
  plugin.getStorage(factory, namespace("TEST").idFromName("only storage"));
  for (const id of [...ids, namespace("OTHER").idFromName("a")])
    await plugin.getObject(factory, id);
  const running = plugin.getObjects(factory, "TEST");
  assert.deepEqual(running.map(String).sort(), ids.map(String).sort());
  assert.ok(running.every((id) => id instanceof DurableObjectId && id.name === undefined));
  assert.equal(plugin.getObjects(factory, "OTHER").length, 1);
  assert.deepEqual(plugin.getObjects(factory, "NONE"), []);
});

test("S4 reload: constructs objects again and keeps their data", async () => {
  const { plugin, factory, namespace, reload } = await servingPlugin({ TEST }, { env: { KEY: 1 } });
  const id = namespace("TEST").idFromName("a");
  const fetched = async () => (await namespace("TEST").get(id).fetch("/")).text();
  assert.equal(await fetched(), "1 1");
  const before = await plugin.getInstance(factory, id);
  await reload({ TEST });
  assert.deepEqual(plugin.getObjects(factory, "TEST"), []);
  assert.equal(await fetched(), "2 1");
  assert.notEqual(await plugin.getInstance(factory, id), before);
});

test("S4 memory: data is the instance's own", async () => {
  const [one, other] = [await servingPlugin({ TEST }), await servingPlugin({ TEST })];
  await one.plugin.getStorage(one.factory, testId).put("key", 1);
  assert.equal(await other.plugin.getStorage(other.factory, testId).get("key"), undefined);
});

test("S14 mounts: a mount and its parent see the same data and share the running object", async () => {
  const worker = { exports: { TEST }, mount: { TEST } };
  const mf = coreMiniflare(worker, {
    durableObjects: { TEST: { className: "TEST", scriptName: "api" } },
    mounts: { api: { modules: true, script: "mount", durableObjects: { TEST: "TEST" } } },
  });
  const { TEST: parent } = await mf.getBindings();
  const { TEST: mount } = await (await mf.getMount("api")).getBindings();
  const fetched = async (ns) => (await ns.get(ns.idFromName("a")).fetch("/")).text();
  assert.match(await fetched(parent), /^1 /);
  assert.match(await fetched(mount), /^2 /);
  assert.match(await fetched(parent), /^3 /);
  await mf.dispose();
});

test("drop-in: what the test environments do with a storage, a state and an instance", async () => {
  class GATED extends TEST {
    alarm() {}
  }
  const { plugin, factory, namespace } = await servingPlugin({ GATED });
  const id = namespace("GATED").newUniqueId();
  const storage = plugin.getStorage(factory, id);
  const state = new DurableObjectState(id, storage);
  const instance = new GATED(state, {});
  const response = await state[_kRunWithGates](() => instance.fetch());
  assert.equal(await response.text(), "1 undefined");
  assert.equal(await storage.get("count"), 1);
  assert.equal(storage[kAlarmExists], true);
  await plugin.flushAlarms(factory, [id]);
  await plugin.flushAlarms(factory);
});

test("S11 options: an empty path for durableObjectsPersist is refused", () => {
  assert.throws(() => new DurableObjectsPlugin(pluginContext(), { durableObjectsPersist: "" }), {
    code: "ERR_OPTION",
    message: /^Invalid value for durableObjectsPersist.*: "" \(expected /,
  });
});

test("options that were not set leave no trace: a plugin has the keys that Miniflare 2's has", () => {
  for (const options of [undefined, {}, { durableObjects: {} }, { durableObjectsPersist: false }]) {
    const keys = Object.keys(new DurableObjectsPlugin(pluginContext(), options));
    assert.deepEqual(
      keys,
      Object.keys(new reference.DurableObjectsPlugin(pluginContext(), options)),
    );
  }
  const set = new DurableObjectsPlugin(pluginContext(), { durableObjectsMaxOpen: 5 });
  assert.equal(set.durableObjectsMaxOpen, 5);
});
