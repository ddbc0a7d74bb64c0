// Random programs of alarms and aborts, and a worker that runs them, here and in workerd.

/**
 * What a handler does in one run: chances, then the step with a time of the program's own. None sets an alarm for now:
 * workerd can lose it.
 */
const ALARM_STEPS = [
  [3, () => ({})],
  [3, (r) => ({ set: r.between(300, 500) })],
  [2, () => ({ fails: true })],
  [2, (r) => ({ set: r.between(300, 500), fails: true })],
  [1, () => ({ deletes: true })],
  [1, (r) => ({ set: r.between(300, 500), deletes: true })],
  [1, () => ({ deletes: true, fails: true })],
  [2, () => ({ aborts: true })],
  [1, (r) => ({ set: r.between(300, 500), waits: true, aborts: true })],
];

/** Whether a run is followed by another one. */
const goesOn = (step) => !step.deletes && (step.set !== undefined || step.fails || step.aborts);
/** Whether that one comes only after a delay. */
const isRetried = (step) => goesOn(step) && step.set === undefined;

/** What the runs of one alarm do, and how many there are. One of them at most is followed by a delay. */
export function alarmProgram(r) {
  const steps = [];
  do {
    const step = r.weighted(ALARM_STEPS)(r);
    if (!(isRetried(step) && steps.some(isRetried))) steps.push(step);
  } while (steps.length === 0 || (goesOn(steps.at(-1)) && steps.length < 4));
  const count = goesOn(steps.at(-1)) ? steps.length + 1 : steps.length;
  return { steps, count };
}

const REASONS = [
  "text",
  "error",
  "number",
  "object",
  "null",
  "empty",
  "nothing",
  "symbol",
  "throwing",
];
const ABORT_STEPS = [
  [4, (r) => ["put", r.pick(["a", "b", "c"]), r.below(9)]],
  [2, (r) => ["delete", r.pick(["a", "b", "c"])]],
  [1, () => ["deleteAll"]],
  [2, () => ["microtask"]],
  [2, () => ["timer"]],
  [1, () => ["sync"]],
  [1, (r) => ["transaction", r.pick(["a", "b"]), r.below(9)]],
  [1, (r) => ["setAlarm", r.between(1, 9)]],
];

/** Operations of one call that ends with an abort, and how it is called. */
export function abortProgram(r) {
  return {
    before: r.many(0, 3, () => r.weighted(ABORT_STEPS)(r)).filter(([kind]) => kind !== "timer"),
    steps: r.many(0, 5, () => r.weighted(ABORT_STEPS)(r)),
    reason: r.pick(REASONS),
    where: r.pick(["call", "fetch", "block", "transaction", "constructor", "background"]),
    waiting: r.below(3),
  };
}

export const script = `
import { DurableObject } from "cloudflare:workers";
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const REASONS = {
  text: () => "why", error: () => new RangeError("range"), number: () => 5, object: () => ({}), null: () => null, empty: () => "",
  nothing: () => undefined, symbol: () => Symbol("s"), throwing: () => ({ toString() { throw new TypeError("no text"); } }),
};
const runs = {};
const inConstructor = {};

export class Subject extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    const name = ctx.id.name;
    if (inConstructor[name]) { const reason = inConstructor[name]; delete inConstructor[name]; ctx.abort(REASONS[reason]()); }
  }
  runs() { return runs[String(this.ctx.id)] ?? []; }
  getAlarm() { return this.ctx.storage.getAlarm(); }
  async begin(steps) {
    await this.ctx.storage.put("steps", steps);
    await this.ctx.storage.setAlarm(Date.now() + 300);
    return this.ctx.storage.getAlarm();
  }
  async alarm(...given) {
    const { storage } = this.ctx;
    const log = (runs[String(this.ctx.id)] ??= []);
    const step = (await storage.get("steps"))[log.length] ?? {};
    const [info] = given;
    const run = { given: given.length, keys: Object.keys(info).join(), retryCount: info.retryCount, isRetry: info.isRetry, at: info.scheduledTime };
    log.push(run);
    run.seen = await storage.getAlarm();
    if (step.set !== undefined) { await storage.setAlarm(Date.now() + step.set); run.next = await storage.getAlarm(); }
    if (step.deletes) await storage.deleteAlarm();
    run.left = (await storage.getAlarm()) !== null;
    if (step.waits) await sleep(100);
    if (step.aborts) this.ctx.abort("in the handler");
    if (step.fails) throw new Error("fails");
  }
  async fetch(request) { await this.end(...JSON.parse(await request.text())); }
  wait(ms) { return sleep(ms); }
  ready() { return "ready"; }
  async do(steps) { for (const step of steps) await this.step(step); }
  step([kind, ...args]) {
    const { storage } = this.ctx;
    switch (kind) {
      case "put": case "delete": case "deleteAll": storage[kind](...args); return;
      case "setAlarm": storage.setAlarm(Date.now() + args[0] * 1e6); return;
      case "microtask": return null;
      case "timer": return sleep(2);
      case "sync": return storage.sync();
      case "transaction": return storage.transaction((txn) => txn.put(...args));
    }
  }
  async end(steps, reason, where) {
    for (const step of steps) { const done = this.step(step); if (done !== undefined) await done; }
    const abort = () => this.ctx.abort(REASONS[reason]());
    if (where === "block") await this.ctx.blockConcurrencyWhile(async () => abort());
    if (where === "transaction") await this.ctx.storage.transaction(async (txn) => { await txn.put("txn", 1); abort(); });
    if (where === "background") { this.ctx.waitUntil(sleep(1).then(abort)); return "answered"; }
    abort();
  }
  async left() { return [[...(await this.ctx.storage.list())], (await this.ctx.storage.getAlarm()) !== null]; }
}

async function outcome(run) {
  try { return ["gives", await run()]; } catch (error) {
    return ["throws", error.constructor.name, error.message, error.remote === true, error.durableObjectReset === true];
  }
}

async function alarms(env, name, { steps, count }) {
  const at = await env.Subject.getByName(name).begin(steps);
  for (let looks = 0; ; looks++) {
    const log = await outcome(() => env.Subject.getByName(name).runs());
    if (looks === 300) return ["gave up", log, count];
    if (log[0] === "gives" && log[1].length >= count && (await env.Subject.getByName(name).getAlarm()) === null) return shown(log[1], at);
    await sleep(100);
  }
}

/** Times as what they were set by: the beginning, or a run. */
function shown(log, start) {
  return log.map(({ at, next, ...run }) => ({ ...run, at: at === start ? "start" : log.findIndex((other) => other.next === at) }));
}

async function aborts(env, name, { before, steps, reason, where, waiting }) {
  const stub = env.Subject.getByName(name);
  if (where === "constructor") {
    inConstructor[name] = reason;
    const first = await outcome(() => stub.ready());
    return [first, await outcome(() => stub.ready()), await outcome(() => env.Subject.getByName(name).ready())];
  }
  await stub.do(before);
  const others = Array.from({ length: waiting }, () => outcome(() => env.Subject.getByName(name).wait(1e4)));
  const caller = env.Subject.getByName(name);
  const body = JSON.stringify([steps, reason]);
  const ended = await outcome(() => where === "fetch" ? caller.fetch("https://host/", { method: "POST", body }) : caller.end(steps, reason, where));
  const isReset = reason !== "symbol" && reason !== "throwing";
  if (where === "background") {
    for (let looks = 0; looks < 1000 && isReset && (await outcome(() => caller.ready()))[0] === "gives"; looks++) await sleep(2);
  }
  const waited = isReset ? await Promise.all(others) : [];
  return [ended, waited, await outcome(() => caller.ready()), await outcome(() => env.Subject.getByName(name).left())];
}

export default {
  async fetch(request, env) {
    const { alarmPrograms, abortPrograms } = await request.json();
    const [ofAlarms, ofAborts] = await Promise.all([
      Promise.all(alarmPrograms.map((program, i) => alarms(env, "alarm " + i, program))),
      Promise.all(abortPrograms.map((program, i) => aborts(env, "abort " + i, program))),
    ]);
    return Response.json({ ofAlarms, ofAborts });
  },
};
`;
