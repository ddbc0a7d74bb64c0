// A worker with a modern class that notes each run of its alarm handler, and a clock to move it by.
import { setTimeout as sleep } from "node:timers/promises";
import { NoOpLog } from "@miniflare/shared";
import { Clock } from "./clock.mjs";
import { serve } from "./modern.mjs";

/** With this number, delays are longer by an eighth. */
const RANDOM = 0.5;

export const script = `
import { DurableObject } from "cloudflare:workers";
export class Subject extends DurableObject {
  static log = [];
  /** What the handler does at each of its runs. */
  static plan = [];
  static built = 0;
  constructor(ctx, env) { super(ctx, env); this.number = ++Subject.built; }
  log() { return Subject.log; }
  plan(...steps) { Subject.plan.push(...steps); }
  getAlarm() { return this.ctx.storage.getAlarm(); }
  setAlarm(time) { return this.ctx.storage.setAlarm(time); }
  deleteAlarm() { return this.ctx.storage.deleteAlarm(); }
  get(key) { return this.ctx.storage.get(key); }
  abort(reason, options) { this.ctx.abort(reason, options); }
  finish() { Subject.finish(); }
  async alarm(...given) {
    const step = Subject.plan.shift() ?? {};
    const { storage } = this.ctx;
    const run = { number: this.number, given, plain: given[0] instanceof Object, seen: await storage.getAlarm() };
    if (step.put) await storage.put(...step.put);
    if (step.set) await storage.setAlarm(step.set);
    if (step.delete) await storage.deleteAlarm();
    run.left = await storage.getAlarm();
    Subject.log.push(run);
    if (step.waits) await new Promise((resolve) => { Subject.finish = resolve; });
    if (step.abort) this.ctx.abort(...step.abort);
    if (step.fails) throw new RangeError(step.fails);
  }
}
export class Silent extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.set = ctx.storage.setAlarm(1);
  }
  async hi() { await this.set; return this.ctx.storage.getAlarm(); }
  setAlarm(time) { return this.ctx.storage.setAlarm(time); }
  getAlarm() { return this.ctx.storage.getAlarm(); }
}
export class Classic {
  static log = [];
  constructor(state) { this.state = state; }
  alarm(...given) { Classic.log.push(given.length); throw new Error("classic"); }
  fetch() { return new Response(JSON.stringify(Classic.log)); }
}
export default { fetch() {} }`;

/** The subject, with a clock that stands still and errors in a list instead of a log. */
export async function openSubject(t, durableObjectsPersist, more = {}) {
  const clock = new Clock().install();
  const { random } = Math;
  Math.random = () => RANDOM;
  t.after(() => {
    Math.random = random;
    clock.uninstall();
  });
  const errors = [];
  class Errors extends NoOpLog {
    error(error) {
      errors.push(error.message);
    }
  }
  const mf = serve(t, script, ["Subject", "Silent", "Classic"], {
    durableObjectsPersist,
    log: new Errors(),
    ...more,
  });
  const namespace = await mf.getDurableObjectNamespace("Subject");
  const object = (name = "a") => namespace.getByName(name);
  const subject = { mf, clock, errors, namespace, object };
  return Object.assign(subject, {
    /** The runs of the handler, once there are `count`. */
    async runs(count) {
      for (;;) {
        const log = await object("reader").log();
        if (log.length >= count) return log;
        await sleep(2);
        await clock.advance(0);
      }
    },
    /** Waits for a timer that is set for a moment, or for the step before the last 30 seconds. */
    async armed(at) {
      while (!clock.timers.some((timer) => timer.at === at || timer.at === at - 30_000)) {
        await sleep(2);
      }
    },
    /** Waits until what `look` gives is the value. */
    async becomes(look, value) {
      while ((await look()) !== value) await sleep(2);
    },
  });
}

/** The delays before the retries, with the random number above. */
export const DELAYS = [1, 2, 4, 8, 16, 32].map((factor) => factor * 2_000 * (1 + RANDOM / 4));
