// Alarms of modern objects and processes: one that is killed in the handler, and several that watch the same alarms.
import assert from "node:assert/strict";
import test from "node:test";
import { onEachBackend } from "../support/backends.mjs";
import { runModule, until } from "../support/cli.mjs";
import { serve, TODAY } from "../support/modern.mjs";

const COUNT = 5;

const script = `
import { DurableObject } from "cloudflare:workers";
export class Subject extends DurableObject {
  setAlarm(time) { return this.ctx.storage.setAlarm(time); }
  getAlarm() { return this.ctx.storage.getAlarm(); }
  runs() { return this.ctx.storage.get("runs"); }
  async alarm(info) {
    const runs = (await this.ctx.storage.get("runs")) ?? [];
    await this.ctx.storage.put("runs", [...runs, { ...info, seen: await this.ctx.storage.getAlarm() }]);
    await this.ctx.storage.sync();
    await during(this.ctx.id.name);
  }
}
export default { fetch() {} }`;

/** The source of a process that serves the worker and does \`work\`, with \`during\` as what handlers wait for. */
function program(durableObjectsPersist, during, work, more = {}) {
  const options = {
    modules: true,
    script,
    durableObjects: { Subject: "Subject" },
    compatibilityDate: TODAY,
    durableObjectsPersist,
    ...more,
  };
  return `
  import { setTimeout as sleep } from "node:timers/promises";
  import { Miniflare } from "ferroflare";
  const handled = [];
  const running = [];
  const mf = new Miniflare({ ...${JSON.stringify(options)}, globals: { during: ${during} } });
  const namespace = await mf.getDurableObjectNamespace("Subject");
  ${work}
  await mf.dispose();`;
}

function open(t, durableObjectsPersist, during = () => {}) {
  const mf = serve(t, script, ["Subject"], { durableObjectsPersist, globals: { during } });
  return mf.getDurableObjectNamespace("Subject");
}

onEachBackend(
  "alarms of modern objects in processes",
  (place) => {
    test("one whose process is killed in the handler runs again, as for the first time", async (t) => {
      const persist = await place(t);
      const { signal } = await runModule(
        program(
          persist,
          '() => process.kill(process.pid, "SIGKILL")',
          'await namespace.getByName("a").setAlarm(Date.now() + 50); await sleep(1e6);',
        ),
      );
      assert.equal(signal, "SIGKILL");
      if (place.backend === "redis") {
        // As if the lease had run out.
        const [key] = await place.server().call("KEYS", "Subject:*:meta");
        await place.server().call("HSET", key, "claim_until", "1");
      }
      const namespace = await open(t, persist);
      const object = namespace.getByName("a");
      const runs = await until(async () => {
        const known = await object.runs();
        return known?.length === 2 && (await object.getAlarm()) === null ? known : undefined;
      }, "the alarm to fire again");
      const { scheduledTime } = runs[0];
      const first = { scheduledTime, retryCount: 0, isRetry: false, seen: null };
      assert.deepEqual(runs, [first, first]);
    });

    test("one fires in one of several processes", async (t) => {
      const persist = await place(t);
      const names = Array.from({ length: COUNT }, (_, i) => `object ${i}`);
      await runModule(
        program(
          persist,
          "() => {}",
          `for (const name of ${JSON.stringify(names)}) await namespace.getByName(name).setAlarm(Date.now());`,
          { durableObjectsAlarms: false },
        ),
      );
      const work = `
      const done = async (name) => {
        const object = namespace.getByName(name);
        while (!((await object.runs())?.length > 0 && (await object.getAlarm()) === null)) await sleep(20);
      };
      const all = async () => { for (const name of ${JSON.stringify(names)}) await done(name); };
      await all();
      // An alarm whose process ends in the handler would run again in the other one.
      await Promise.all(running);
      await all();
      process.stdout.write(handled.join("|"));`;
      const during =
        "(name) => { handled.push(name); running.push(sleep(30)); return running.at(-1); }";
      const ends = await Promise.all([1, 2].map(() => runModule(program(persist, during, work))));
      const handled = ends.flatMap(({ stdout }) => stdout.split("|").filter(Boolean));
      assert.deepEqual(handled.sort(), names, ends.map(({ stderr }) => stderr).join("\n"));
      const namespace = await open(t, persist);
      for (const name of names) assert.equal((await namespace.getByName(name).runs()).length, 1);
    });

    test("a handler that runs in one process hides its alarm from the others", async (t) => {
      const persist = await place(t);
      let finish;
      const waiting = new Promise((resolve) => {
        finish = resolve;
      });
      const namespace = await open(t, persist, () => waiting);
      const object = namespace.getByName("a");
      await object.setAlarm(Date.now() + 1);
      await until(async () => (await object.runs())?.length, "the handler to run");
      const work = `
      const object = namespace.getByName("a");
      process.stdout.write(JSON.stringify([(await object.runs()).length, await object.getAlarm()]));
      await object.setAlarm(4e12);`;
      const other = await runModule(program(persist, "() => {}", work));
      assert.equal(other.stdout, "[1,null]", other.stderr);
      finish();
      assert.equal(await object.getAlarm(), 4e12, "what was set meanwhile stays");
      assert.equal((await object.runs()).length, 1);
    });
  },
  ["files", "redis"],
);
