// Alarms of modern objects: what the handler is told, retries, alarms that are set meanwhile. The clock stands still unless it is moved.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import { DELAYS, openSubject } from "../support/alarm-subject.mjs";
import { onEachBackend } from "../support/backends.mjs";
import { Clock } from "../support/clock.mjs";
import { failure } from "../support/modern.mjs";
import { idle, servingPlugin } from "../support/plugin.mjs";

const require = createRequire(import.meta.url);
const { DurableObject } = require("../../dist/durable-objects/base.js");
const { StackedStorageFactory } = require("../../dist/testing/stacked-storage.js");
const { kRunAlarm } = require("../../dist/shared/symbols.js");

const SECOND = 1_000;

const infoOf = ({ given }) => given[0];

onEachBackend("alarms of modern objects", (place) => {
  test("the handler is told for when its alarm was set, in an object of its realm, and sees none", async (t) => {
    const { clock, object, runs } = await openSubject(t, await place(t));
    const time = clock.now + SECOND;
    await object().setAlarm(time);
    assert.equal(await object().getAlarm(), time);
    await clock.advance(SECOND);
    const [run] = await runs(1);
    assert.deepEqual(run.given, [{ scheduledTime: time, retryCount: 0, isRetry: false }]);
    assert.deepEqual([run.plain, run.seen, run.left], [true, null, null]);
    await clock.advance(60 * SECOND);
    assert.equal(await object().getAlarm(), null);
    assert.equal((await object().log()).length, 1);
  });

  test("a handler that fails runs again, later and later, seven times in all; then the alarm is dropped", async (t) => {
    const { clock, object, runs, armed, errors, becomes } = await openSubject(t, await place(t));
    const time = clock.now + SECOND;
    await object().plan(...Array.from({ length: 7 }, (_, i) => ({ fails: `failure ${i}` })));
    await object().setAlarm(time);
    await clock.advance(SECOND);
    for (const [i, delay] of DELAYS.entries()) {
      await runs(i + 1);
      await armed(clock.now + delay);
      assert.equal(await object().getAlarm(), time, "the alarm stays");
      await clock.advance(delay - 1);
      assert.equal((await object().log()).length, i + 1);
      await clock.advance(1);
    }
    const all = await runs(7);
    assert.deepEqual(
      all.map(infoOf),
      Array.from({ length: 7 }, (_, retryCount) => ({
        scheduledTime: time,
        retryCount,
        isRetry: retryCount > 0,
      })),
    );
    await becomes(() => object().getAlarm(), null);
    await becomes(() => errors.length, 8);
    assert.deepEqual(
      errors.slice(0, 7),
      Array.from({ length: 7 }, (_, i) => `failure ${i}`),
    );
    assert.match(
      errors[7],
      /^Alarm of Durable Object Subject:\w+ has failed 7 times and is dropped\.$/,
    );
    await clock.advance(200 * SECOND);
    assert.equal((await object().log()).length, 7);
  });

  test("a retry that succeeds ends the retries, and the next alarm starts over", async (t) => {
    const { clock, object, runs, armed, becomes } = await openSubject(t, await place(t));
    await object().plan({ fails: "once", put: ["key", 1] }, {}, { fails: "again" });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    await runs(1);
    await armed(clock.now + DELAYS[0]);
    assert.equal(await object().get("key"), 1, "what the handler has written stays");
    await clock.advance(DELAYS[0]);
    await runs(2);
    await becomes(() => object().getAlarm(), null);
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    const [, , third] = await runs(3);
    assert.equal(infoOf(third).retryCount, 0);
    await armed(clock.now + DELAYS[0]);
  });

  test("an alarm that the handler sets is the next one, whether it fails or not", async (t) => {
    const { clock, object, runs, becomes } = await openSubject(t, await place(t));
    const [first, second, third] = [1, 2, 3].map((i) => clock.now + i * SECOND);
    await object().plan({ set: second }, { set: third, fails: "replaced" });
    await object().setAlarm(first);
    await clock.advance(SECOND);
    await runs(1);
    await becomes(() => object().getAlarm(), second);
    await clock.advance(SECOND);
    await runs(2);
    await becomes(() => object().getAlarm(), third);
    await clock.advance(SECOND);
    const all = await runs(3);
    assert.deepEqual(
      all.map((run) => [run.seen, run.left, infoOf(run).scheduledTime, infoOf(run).retryCount]),
      [
        [null, second, first, 0],
        [null, third, second, 0],
        [null, null, third, 0],
      ],
    );
    await clock.advance(60 * SECOND);
    assert.equal((await object().log()).length, 3);
  });

  test("an alarm that the handler sets for now fires", async (t) => {
    const { clock, object, runs, becomes } = await openSubject(t, await place(t));
    await object().plan({ set: clock.now + SECOND });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    const all = await runs(2);
    assert.deepEqual(
      all.map(infoOf).map(({ scheduledTime }) => scheduledTime),
      [clock.now, clock.now],
    );
    await becomes(() => object().getAlarm(), null);
  });

  test("deleteAlarm() in the handler removes what was set, and ends retries", async (t) => {
    const { clock, object, runs, becomes, errors } = await openSubject(t, await place(t));
    await object().plan({ set: clock.now + 60 * SECOND, delete: true, fails: "deleted" });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    const [run] = await runs(1);
    await becomes(() => errors.length, 1);
    assert.deepEqual([run.left, await object().getAlarm()], [null, null]);
    await clock.advance(100 * SECOND);
    assert.equal((await object().log()).length, 1);
  });

  test("setting or deleting the alarm ends the retries", async (t) => {
    const { clock, object, runs, armed } = await openSubject(t, await place(t));
    await object().plan({ fails: "first" }, { fails: "second" });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    await runs(1);
    await armed(clock.now + DELAYS[0]);
    const time = clock.now + 10 * SECOND;
    await object().setAlarm(time);
    await clock.advance(10 * SECOND - 1);
    assert.equal((await object().log()).length, 1);
    await clock.advance(1);
    const [, second] = await runs(2);
    assert.deepEqual(infoOf(second), { scheduledTime: time, retryCount: 0, isRetry: false });
    await armed(clock.now + DELAYS[0]);
    await object().deleteAlarm();
    assert.equal(await object().getAlarm(), null);
    await clock.advance(100 * SECOND);
    assert.equal((await object().log()).length, 2);
  });

  test("an alarm that is due while the handler runs waits for its end", async (t) => {
    const { clock, object, runs, becomes } = await openSubject(t, await place(t));
    await object().plan({ waits: true });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    await runs(1);
    assert.equal(await object().getAlarm(), null, "no request sees the alarm that is handled");
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(10 * SECOND);
    await idle();
    assert.equal((await object().log()).length, 1);
    await object().finish();
    const [, second] = await runs(2);
    assert.equal(infoOf(second).scheduledTime, clock.now - 9 * SECOND);
    await becomes(() => object().getAlarm(), null);
  });

  test("abort() in the handler: it runs again in a new instance, unless it is told not to", async (t) => {
    const { clock, object, runs, armed, becomes } = await openSubject(t, await place(t));
    await object().plan({ abort: ["first"] }, { abort: ["second", { retryAlarm: false }] });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    await runs(1);
    await armed(clock.now + DELAYS[0]);
    await clock.advance(DELAYS[0]);
    const [first, second] = await runs(2);
    assert.equal(infoOf(second).retryCount, 1);
    assert.notEqual(second.number, first.number);
    await becomes(() => object().getAlarm(), null);
    await clock.advance(100 * SECOND);
    assert.equal((await object().log()).length, 2);
  });

  test("a handler that takes longer than 15 minutes is ended, and runs again", async (t) => {
    const { clock, object, runs, armed, errors } = await openSubject(t, await place(t));
    await object().plan({ waits: true });
    await object().setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    await runs(1);
    await clock.advance(15 * 60 * SECOND - 1);
    assert.deepEqual(errors, []);
    await clock.advance(1);
    await armed(clock.now + DELAYS[0]);
    assert.deepEqual(errors, ["Alarm exceeded its allowed execution time"]);
    await clock.advance(DELAYS[0]);
    const [first, second] = await runs(2);
    assert.notEqual(second.number, first.number);
  });

  test("flushAlarms() and runDurableObjectAlarm() run it now, as for the first time, and its error is the caller's", async (t) => {
    const { mf, clock, object, runs, armed } = await openSubject(t, await place(t));
    const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
    const factory = mf.getPluginStorage("DurableObjectsPlugin");
    const time = clock.now + SECOND;
    await object().plan({ fails: "retried" }, { fails: "flushed" });
    await object().setAlarm(time);
    await clock.advance(SECOND);
    await runs(1);
    await armed(clock.now + DELAYS[0]);
    assert.equal((await failure(plugin.flushAlarms(factory))).message, "flushed");
    const [, second] = await runs(2);
    assert.deepEqual(infoOf(second), { scheduledTime: time, retryCount: 0, isRetry: false });
    assert.equal(await object().getAlarm(), null);

    const { id } = object();
    assert.equal(await plugin[kRunAlarm](factory, id), false, "none is set");
    await object().setAlarm(clock.now + 60 * SECOND);
    await object().plan({ set: clock.now + 90 * SECOND });
    assert.equal(await plugin[kRunAlarm](factory, id), true);
    assert.equal(await object().getAlarm(), clock.now + 90 * SECOND);
    await object().plan({ fails: "run" });
    assert.equal((await failure(plugin[kRunAlarm](factory, id))).message, "run");
    assert.equal(await object().getAlarm(), null);
    await clock.advance(100 * SECOND);
    assert.equal((await object().log()).length, 4);
  });

  test("what setAlarm() takes", async (t) => {
    const { clock, object } = await openSubject(t, await place(t));
    const refused = async (value) => {
      const { name, message } = await failure(object().setAlarm(value));
      return `${name}: ${message}`;
    };
    const notADate =
      "TypeError: Failed to execute 'setAlarm' on 'DurableObjectStorage': parameter 1 is not of type 'date'.";
    for (const value of ["1", null, undefined, true, {}, 5n]) {
      assert.equal(await refused(value), notADate);
    }
    const invalid = "TypeError: The value cannot be converted because it is not a valid Date.";
    for (const value of [Number.NaN, Infinity, new Date(Number.NaN)]) {
      assert.equal(await refused(value), invalid);
    }
    assert.equal(
      await refused(9_223_372_036_855),
      "TypeError: This API doesn't support dates after 2189.",
    );
    for (const value of [0, -1, new Date(0)]) {
      assert.equal(
        await refused(value),
        "TypeError: setAlarm() cannot be called with an alarm time <= 0",
      );
    }
    assert.equal(await object().getAlarm(), null);
    await object().setAlarm(new Date(clock.now + SECOND));
    assert.equal(await object().getAlarm(), clock.now + SECOND);
    await object().setAlarm(1_000);
    assert.equal(await object().getAlarm(), clock.now, "what is over is now");
  });

  test("a class without a handler: only its constructor sets an alarm, which is dropped when it is due", async (t) => {
    const { mf, clock, errors, becomes } = await openSubject(t, await place(t));
    const silent = (await mf.getDurableObjectNamespace("Silent")).getByName("a");
    assert.equal(await silent.hi(), clock.now);
    const error = await failure(silent.setAlarm(clock.now + SECOND));
    assert.deepEqual(
      [error.name, error.message],
      [
        "TypeError",
        "Your Durable Object class must have an alarm() handler in order to call setAlarm()",
      ],
    );
    await clock.advance(0);
    await becomes(() => silent.getAlarm(), null);
    await becomes(() => errors.length, 1);
    assert.match(errors[0], /^Attempted to run a scheduled alarm without a handler/);
    await clock.advance(100 * SECOND);
    assert.equal(errors.length, 1);
  });

  test("a classic object beside them is told nothing, and does not run again", async (t) => {
    const { mf, clock, errors, becomes } = await openSubject(t, await place(t));
    const namespace = await mf.getDurableObjectNamespace("Classic");
    const id = namespace.idFromName("a");
    const storage = await mf.getDurableObjectStorage(id);
    await storage.setAlarm(clock.now + SECOND);
    await clock.advance(SECOND);
    await becomes(() => errors.length, 1);
    assert.equal(await storage.getAlarm(), null);
    await clock.advance(100 * SECOND);
    const response = await namespace.get(id).fetch("http://localhost/");
    assert.deepEqual(await response.json(), [0]);
  });
});

test("a savepoint takes the retries of its alarms with it", async (t) => {
  const clock = new Clock().install();
  t.after(() => clock.uninstall());
  const runs = [];
  class Failing extends DurableObject {
    alarm(info) {
      runs.push(info);
      throw new Error("fails");
    }
  }
  const factory = new StackedStorageFactory();
  const { plugin, namespace } = await servingPlugin({ FAILING: Failing }, { factory });
  t.after(() => plugin.dispose());
  const id = namespace("FAILING").idFromName("a");
  const storage = () => plugin.getStorage(factory, id);

  factory.push();
  await storage().setAlarm(clock.now + SECOND);
  await clock.advance(SECOND);
  assert.equal(runs.length, 1);
  assert.equal(await storage().getAlarm(), clock.now);
  factory.pop();
  assert.equal(await storage().getAlarm(), null);
  await clock.advance(100 * SECOND);
  assert.equal(runs.length, 1);

  await storage().setAlarm(clock.now + SECOND);
  factory.push();
  await clock.advance(SECOND);
  assert.equal(runs.length, 2);
  factory.pop();
  await idle();
  await clock.advance(0);
  assert.equal(runs.length, 3);
  assert.equal(runs[2].retryCount, 0, "it is due again, as for the first time");
});
