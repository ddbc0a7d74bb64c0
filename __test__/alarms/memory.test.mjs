// Alarms: when they fire, for whom, and what becomes of errors. The clock stands still unless it is told to move.
import assert from "node:assert/strict";
import test from "node:test";
import { Response } from "@miniflare/core";
import { getRequestContext, NoOpLog } from "@miniflare/shared";
import {
  ALARM_KEY,
  AlarmStore,
  DurableObjectNamespace,
  DurableObjectsPlugin,
} from "../../index.mjs";
import { runModule } from "../support/cli.mjs";
import { Clock } from "../support/clock.mjs";
import {
  coreMiniflare,
  deferred,
  idle,
  memoryFactory,
  pluginContext,
  servingPlugin,
} from "../support/plugin.mjs";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

let clock;
test.beforeEach(() => {
  clock = new Clock().install();
});
test.afterEach(() => clock.uninstall());

/** A class that notes for which objects its alarm handler ran, and what the handler does besides. */
function alarmClass(fired, handler = () => {}) {
  return class {
    constructor(state) {
      this.state = state;
    }
    fetch() {
      return new Response(`${this.state.id}`);
    }
    async alarm() {
      fired.push(this.state.id.toString());
      await handler(this.state);
    }
  };
}

async function serveAlarms({ handler, ...options } = {}) {
  const fired = [];
  const serving = await servingPlugin({ OBJECT: alarmClass(fired, handler) }, options);
  const namespace = serving.namespace("OBJECT");
  const idOf = (name) => namespace.idFromName(name);
  const storageOf = (name) => serving.plugin.getStorage(serving.factory, idOf(name));
  /** The names of the objects whose alarm has fired, of those that `storageOf()` may be asked for here. */
  const names = () =>
    fired.map((hexId) => ["a", "b", "c"].find((name) => `${idOf(name)}` === hexId));
  return { ...serving, fired, idOf, storageOf, names };
}

test("alarms: fires at its time and not before, once", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + MINUTE);
  await clock.advance(MINUTE - 1);
  assert.deepEqual(names(), []);
  assert.equal(await storageOf("a").getAlarm(), clock.now + 1);
  await clock.advance(1);
  assert.deepEqual(names(), ["a"]);
  assert.equal(await storageOf("a").getAlarm(), null);
  await clock.advance(DAY);
  assert.deepEqual(names(), ["a"]);
});

test("alarms: fire in the order of their times", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + 3 * SECOND);
  await storageOf("b").setAlarm(clock.now + SECOND);
  await storageOf("c").setAlarm(new Date(clock.now + 2 * SECOND));
  await clock.advance(MINUTE);
  assert.deepEqual(names(), ["b", "c", "a"]);
});

test("alarms: one in the past fires at once", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(1);
  await clock.advance(0);
  assert.deepEqual(names(), ["a"]);
});

test("alarms: setting again moves it, earlier or later", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + MINUTE);
  await storageOf("a").setAlarm(clock.now + SECOND);
  await clock.advance(SECOND);
  assert.deepEqual(names(), ["a"]);
  await storageOf("a").setAlarm(clock.now + SECOND);
  await storageOf("a").setAlarm(clock.now + MINUTE);
  await clock.advance(MINUTE - 1);
  assert.deepEqual(names(), ["a"]);
  await clock.advance(1);
  assert.deepEqual(names(), ["a", "a"]);
});

test("alarms: a deleted alarm does not fire, nor does that of a deleted object", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + SECOND);
  await storageOf("b").setAlarm(clock.now + SECOND);
  await storageOf("a").deleteAlarm();
  await storageOf("b").deleteAll();
  assert.equal(await storageOf("b").getAlarm(), null);
  await idle();
  assert.equal(clock.timers.length, 0);
  await clock.advance(MINUTE);
  assert.deepEqual(names(), []);
});

test("alarms: setting and deleting in a transaction takes effect when it commits", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").transaction(async (txn) => {
    await txn.setAlarm(clock.now + SECOND);
    await clock.advance(MINUTE);
    assert.deepEqual(names(), []);
  });
  await clock.advance(0);
  assert.deepEqual(names(), ["a"]);
  await storageOf("a").setAlarm(clock.now + SECOND);
  await storageOf("a").transaction(async (txn) => {
    await txn.deleteAlarm();
    txn.rollback();
  });
  await clock.advance(SECOND);
  assert.deepEqual(names(), ["a", "a"]);
});

test("alarms: a handler sees no alarm and may set the next", async () => {
  const seen = [];
  const { storageOf, names } = await serveAlarms({
    async handler({ storage }) {
      seen.push(await storage.getAlarm());
      if (seen.length < 3) await storage.setAlarm(clock.now + SECOND);
    },
  });
  await storageOf("a").setAlarm(clock.now + SECOND);
  await clock.advance(MINUTE);
  assert.deepEqual(names(), ["a", "a", "a"]);
  assert.deepEqual(seen, [null, null, null]);
});

test("alarms: an alarm set from outside while the handler runs is not lost", async () => {
  const running = deferred();
  const { storageOf, names } = await serveAlarms({ handler: () => running.promise });
  await storageOf("a").setAlarm(clock.now + SECOND);
  await clock.advance(SECOND);
  await storageOf("a").setAlarm(clock.now + SECOND);
  running.resolve();
  await idle();
  assert.equal(await storageOf("a").getAlarm(), clock.now + SECOND);
  await clock.advance(SECOND);
  assert.deepEqual(names(), ["a", "a"]);
});

test("alarms: a handler has a request context of its own and the gates of its object", async () => {
  let context;
  const { storageOf, names } = await serveAlarms({
    handler() {
      context = getRequestContext();
    },
  });
  await storageOf("a").setAlarm(clock.now + SECOND);
  await clock.advance(SECOND);
  assert.deepEqual(names(), ["a"]);
  assert.deepEqual(
    [
      context.requestDepth,
      context.pipelineDepth,
      context.durableObject,
      context.externalSubrequestLimit,
    ],
    [1, 1, true, 50],
  );
});

test("alarms: one more than 24 days away waits its time", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + 60 * DAY);
  assert.ok(clock.timers.every(({ delay }) => delay < 2 ** 31));
  await clock.advance(60 * DAY - 1);
  assert.deepEqual(names(), []);
  await clock.advance(1);
  assert.deepEqual(names(), ["a"]);
});

test("alarms: the timer is set when setAlarm() resolves, for a test that moves its clock next", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + DAY);
  await storageOf("b").setAlarm(clock.now + SECOND);
  assert.deepEqual(
    clock.timers.map(({ delay }) => delay),
    [SECOND],
  );
  await clock.advance(SECOND);
  assert.deepEqual(names(), ["b"]);
});

test("alarms: there is one timer, which keeps the process alive in the last 30 seconds only", async () => {
  const { storageOf, plugin } = await serveAlarms();
  const timers = async () => {
    await idle();
    return clock.timers.map(({ refed }) => refed);
  };
  await storageOf("a").setAlarm(clock.now + 40 * SECOND);
  assert.deepEqual(await timers(), [false]);
  await storageOf("b").setAlarm(clock.now + 20 * SECOND);
  assert.deepEqual(await timers(), [true]);
  await storageOf("b").deleteAlarm();
  assert.deepEqual(await timers(), [false]);
  await clock.advance(10 * SECOND);
  assert.deepEqual(await timers(), [true]);
  await plugin.dispose();
  assert.deepEqual(await timers(), []);
});

test("alarms: a timer whose clock stands still fires all the same", async () => {
  const { storageOf, names } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + SECOND);
  clock.timers[0].run();
  await idle();
  assert.deepEqual(names(), ["a"]);
});

test("alarms: flushAlarms() fires all that are set, by time", async () => {
  const { storageOf, names, plugin, factory } = await serveAlarms();
  await plugin.flushAlarms(factory);
  await storageOf("a").setAlarm(clock.now + DAY);
  await storageOf("b").setAlarm(clock.now + MINUTE);
  await plugin.flushAlarms(factory);
  assert.deepEqual(names(), ["b", "a"]);
  assert.equal(await storageOf("a").getAlarm(), null);
  await idle();
  assert.equal(clock.timers.length, 0);
  await plugin.flushAlarms(factory);
  assert.deepEqual(names(), ["b", "a"]);
});

test("alarms: flushAlarms(ids) fires those of the ids that are set, in their order", async () => {
  const { storageOf, names, plugin, factory, idOf } = await serveAlarms();
  for (const name of ["a", "c", "b"]) await storageOf(name).setAlarm(clock.now + MINUTE);
  await storageOf("b").deleteAlarm();
  const double = { toString: () => "no id of ours" };
  await plugin.flushAlarms(factory, [idOf("c"), idOf("b"), double]);
  assert.deepEqual(names(), ["c"]);
  assert.equal(await storageOf("a").getAlarm(), clock.now + MINUTE);
});

test("alarms: flushAlarms() fires an alarm once, even if its handler sets the next", async () => {
  const { storageOf, names, plugin, factory } = await serveAlarms({
    handler: ({ storage }) => storage.setAlarm(clock.now + DAY),
  });
  await storageOf("a").setAlarm(clock.now + DAY);
  await plugin.flushAlarms(factory);
  assert.deepEqual(names(), ["a"]);
  assert.equal(await storageOf("a").getAlarm(), clock.now + DAY);
});

test("alarms: flushAlarms() rejects with the error of a handler", async () => {
  const failure = new RangeError("handler failed");
  const { storageOf, plugin, factory } = await serveAlarms({
    handler() {
      throw failure;
    },
  });
  await storageOf("a").setAlarm(clock.now + DAY);
  await assert.rejects(plugin.flushAlarms(factory), (error) => error === failure);
});

test("fixed: an alarm that fails is logged, and the others fire", async () => {
  const logged = [];
  class Recorder extends NoOpLog {
    error(error) {
      logged.push(error.message);
    }
  }
  let calls = 0;
  const { storageOf, names } = await serveAlarms({
    ctx: pluginContext({ log: new Recorder() }),
    handler() {
      if (++calls === 1) throw new Error("handler failed");
    },
  });
  await storageOf("a").setAlarm(clock.now + SECOND);
  await storageOf("b").setAlarm(clock.now + SECOND);
  await clock.advance(SECOND);
  assert.equal(names().length, 2);
  assert.deepEqual(logged, ["handler failed"]);
});

test("fixed: an alarm that fails where the log takes no errors is a warning of the process", async () => {
  const warned = new Promise((resolve) => process.once("warning", resolve));
  const { storageOf, idOf } = await serveAlarms({
    handler() {
      throw new Error("handler failed");
    },
  });
  await storageOf("a").setAlarm(clock.now + SECOND);
  await clock.advance(SECOND);
  const { name, code, message } = await warned;
  assert.equal(name, "DurableObjectWarning");
  assert.equal(code, "ERR_DURABLE_OBJECT");
  assert.ok(
    message.startsWith(`Alarm of Durable Object OBJECT:${idOf("a")} failed: Error: handler failed`),
  );
});

test("alarms: in a class without alarm() they can be set before it is constructed, not afterwards", async () => {
  const errors = [];
  class Recorder extends NoOpLog {
    error(error) {
      errors.push(error);
    }
  }
  class NONE {
    fetch() {
      return new Response();
    }
  }
  const { plugin, factory, namespace } = await servingPlugin(
    { NONE },
    { ctx: pluginContext({ log: new Recorder() }) },
  );
  const id = namespace("NONE").idFromName("a");
  const storage = plugin.getStorage(factory, id);
  await storage.setAlarm(clock.now + SECOND);
  assert.equal(await storage.getAlarm(), clock.now + SECOND);
  await namespace("NONE").get(id).fetch("/");
  assert.equal(await storage.getAlarm(), null);
  const message =
    "Your Durable Object class must have an alarm() handler in order to call setAlarm()";
  await assert.rejects(storage.setAlarm(clock.now + SECOND), { message });
  await assert.rejects(
    storage.transaction((txn) => txn.setAlarm(clock.now + SECOND)),
    { message },
  );
  await clock.advance(SECOND);
  assert.deepEqual(
    errors.map(({ code, message }) => [code, message]),
    [["ERR_NO_HANDLER", "No alarm handler defined in Durable Object"]],
  );
});

test("alarms: with durableObjectsAlarms false they are kept and never fire", async () => {
  const { storageOf, names, plugin, factory } = await serveAlarms({
    options: { durableObjectsAlarms: false },
  });
  const time = clock.now + SECOND;
  await storageOf("a").setAlarm(time);
  await clock.advance(MINUTE);
  await plugin.flushAlarms(factory);
  assert.deepEqual(names(), []);
  assert.equal(await storageOf("a").getAlarm(), time);
  assert.equal(clock.timers.length, 0);
});

test("alarms: those pending when the worker reloads wait for the new classes", async () => {
  const { storageOf, names, plugin, ctx, fired } = await serveAlarms();
  await storageOf("a").setAlarm(clock.now + SECOND);
  await plugin.beforeReload();
  ctx.sharedCache.clear();
  await storageOf("b").setAlarm(clock.now + SECOND);
  await clock.advance(MINUTE);
  assert.deepEqual(names(), []);
  assert.equal(await storageOf("b").getAlarm(), clock.now - MINUTE + SECOND);
  const inNewClass = [];
  plugin.reload({}, { OBJECT: alarmClass(inNewClass) }, new Map());
  await clock.advance(0);
  assert.deepEqual(fired, []);
  assert.equal(inNewClass.length, 2);
});

test("alarms: those that a plugin finds when it starts fire, overdue ones at once", async () => {
  const factory = memoryFactory();
  const first = await serveAlarms({ factory });
  await first.storageOf("a").setAlarm(clock.now + SECOND);
  await first.storageOf("b").setAlarm(clock.now + DAY);
  await first.plugin.dispose();
  await clock.advance(MINUTE);
  assert.deepEqual(first.names(), []);

  const second = await serveAlarms({ factory });
  await clock.advance(0);
  assert.deepEqual(second.names(), ["a"]);
  await clock.advance(DAY);
  assert.deepEqual(second.names(), ["a", "b"]);
});

test("alarms: two plugins on one store fire an alarm once, whichever set it", async () => {
  const factory = memoryFactory();
  const [one, other] = [await serveAlarms({ factory }), await serveAlarms({ factory })];
  await one.storageOf("a").setAlarm(clock.now + SECOND);
  await other.storageOf("b").setAlarm(clock.now + SECOND);
  await clock.advance(MINUTE);
  assert.deepEqual([...one.names(), ...other.names()].sort(), ["a", "b"]);
  await one.plugin.dispose();
  await one.storageOf("c").setAlarm(clock.now + SECOND);
  await clock.advance(MINUTE);
  assert.ok(other.names().includes("c"));
});

test("alarms: a plugin leaves those of other bindings alone", async () => {
  const factory = memoryFactory();
  const { plugin, fired } = await serveAlarms({ factory });
  const foreign = new DurableObjectNamespace("FOREIGN", () => assert.fail("not to be started"));
  await plugin.getStorage(factory, foreign.idFromName("a")).setAlarm(clock.now + SECOND);
  assert.equal(clock.timers.length, 0);
  const others = [];
  const other = await servingPlugin({ OTHER: alarmClass(others) }, { factory });
  const id = other.namespace("OTHER").idFromName("a");
  await plugin.getStorage(factory, id).setAlarm(clock.now + SECOND);
  await plugin.flushAlarms(factory);
  await plugin.flushAlarms(factory, [id]);
  assert.deepEqual(fired, []);
  await clock.advance(SECOND);
  assert.deepEqual(others, [id.toString()]);
  assert.deepEqual(fired, []);
});

test("alarms: of an object bound in a worker and in its mount fires once", async () => {
  const fired = [];
  const OBJECT = alarmClass(fired);
  const worker = { exports: {}, mount: { OBJECT } };
  const mf = coreMiniflare(worker, {
    durableObjects: { OBJECT: { className: "OBJECT", scriptName: "api" } },
    mounts: { api: { modules: true, script: "mount", durableObjects: { OBJECT: "OBJECT" } } },
  });
  const { OBJECT: namespace } = await mf.getBindings();
  const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
  const id = namespace.idFromName("a");
  await plugin
    .getStorage(mf.getPluginStorage("DurableObjectsPlugin"), id)
    .setAlarm(clock.now + SECOND);
  await clock.advance(MINUTE);
  assert.deepEqual(fired, [id.toString()]);
  await mf.dispose();
});

test("alarms: AlarmStore alone fires for any key, through itself and through a bridge", async (t) => {
  const alarms = new AlarmStore();
  t.after(() => alarms.dispose());
  await assert.rejects(alarms.setAlarm("test", 1), /setupStore\(\) must be called/);
  await alarms.setupStore(memoryFactory());
  const fired = [];
  await alarms.setupAlarms(async (key) => fired.push(key));
  assert.equal(await alarms.setAlarm("test", clock.now + SECOND), undefined);
  await alarms.setAlarm("NAME:id", new Date(clock.now + 2 * SECOND));
  const bridge = alarms.buildBridge("bridged");
  await bridge.setAlarm(clock.now + 3 * SECOND);
  await alarms.setAlarm("deleted", clock.now + SECOND);
  assert.equal(await alarms.deleteAlarm("deleted"), undefined);
  await clock.advance(MINUTE);
  assert.deepEqual(fired, ["test", "NAME:id", "bridged"]);

  await bridge.setAlarm(clock.now + SECOND);
  await bridge.deleteAlarm();
  await alarms.setAlarm("test", clock.now + SECOND);
  await alarms.setAlarm("other", clock.now + SECOND);
  await alarms.flushAlarms(["test", "none"]);
  assert.deepEqual(fired.slice(3), ["test"]);
  await alarms.flushAlarms();
  assert.deepEqual(fired.slice(3), ["test", "other"]);
  alarms.dispose();
  await assert.rejects(alarms.setAlarm("test", 1), /setupStore\(\) must be called/);
  assert.equal(ALARM_KEY, "__MINIFLARE_ALARMS__");
});

test("alarms: one that another handler deletes in the same moment does not fire", async (t) => {
  const alarms = new AlarmStore();
  t.after(() => alarms.dispose());
  await alarms.setupStore(memoryFactory());
  const fired = [];
  await alarms.setupAlarms(async (key) => {
    fired.push(key);
    await alarms.deleteAlarm("second");
  });
  await alarms.setAlarm("first", clock.now + SECOND);
  await alarms.setAlarm("second", clock.now + SECOND + 1);
  clock.now += MINUTE;
  await clock.advance(0);
  assert.deepEqual(fired, ["first"]);
});

test("alarms: AlarmStore refuses times that are no time to come", async (t) => {
  const alarms = new AlarmStore();
  t.after(() => alarms.dispose());
  await alarms.setupStore(memoryFactory());
  for (const time of [0, -1]) {
    await assert.rejects(alarms.setAlarm("test", time), {
      name: "TypeError",
      message: "setAlarm() cannot be called with an alarm time <= 0",
    });
  }
  for (const time of [Number.NaN, new Date(Number.NaN)]) {
    await assert.rejects(alarms.setAlarm("test", time), {
      name: "TypeError",
      message: / is NaN, /,
    });
  }
});

test("alarms: flushing before the first reload has nothing to do", async () => {
  const plugin = new DurableObjectsPlugin(pluginContext(), {
    durableObjects: { OBJECT: "OBJECT" },
  });
  await plugin.flushAlarms(memoryFactory());
  await plugin.dispose();
});

test("S10 alarms: one more than 30 seconds away does not keep the process alive", async () => {
  const { code, hung, stdout, stderr } = await runModule(`
    import { servingPlugin } from "./__test__/support/plugin.mjs";
    const { plugin, factory, namespace } = await servingPlugin({ OBJECT: class { alarm() {} } });
    await plugin.getStorage(factory, namespace("OBJECT").idFromName("a")).setAlarm(Date.now() + 3_600_000);
    console.log("set");
  `);
  assert.deepEqual({ code, hung, stdout }, { code: 0, hung: false, stdout: "set\n" }, stderr);
});
