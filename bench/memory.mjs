/**
 * Operations a second of miniflare@2.14.4 and of ferroflare, both in memory, in one run: the sides take turns, each case
 * has several rounds, the median counts. The path is a user's: `mf.getDurableObjectStorage(id)` and `stub.fetch`.
 *
 *   node --experimental-vm-modules bench/memory.mjs [--json] [--rounds N] [--only TEXT]
 */
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Miniflare as Reference } from "miniflare";
import { Miniflare } from "../index.mjs";
import { cases } from "./cases.mjs";

const ROUND_MS = 150;
const WARM_UP_MS = 50;

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    only: { type: "string", default: "" },
  },
});

const script = `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch() {
    const count = ((await this.storage.get("count")) ?? 0) + 1;
    await this.storage.put("count", count);
    return new Response(String(count));
  }
}
export default { fetch() {} }`;

class Side {
  constructor(name, Class) {
    this.name = name;
    this.miniflare = new Class({ modules: true, script, durableObjects: { COUNTER: "Counter" } });
  }

  /** Prepares a case in an object of its own; returns what performs `n` rounds of it. */
  async prepare({ prepare }) {
    const namespace = await this.miniflare.getDurableObjectNamespace("COUNTER");
    const id = namespace.newUniqueId();
    const storage = await this.miniflare.getDurableObjectStorage(id);
    return prepare({ storage, stub: namespace.get(id) });
  }
}

async function timed(run, n) {
  const start = performance.now();
  await run(n);
  return performance.now() - start;
}

/** How often a case must be run to last as long as a round. */
async function calibrate(run) {
  let n = 1;
  for (let spent = 0; spent < WARM_UP_MS; n *= 2) spent = await timed(run, n);
  const spent = await timed(run, n);
  return Math.max(1, Math.round((n * ROUND_MS) / spent));
}

const median = (numbers) => numbers.slice().sort((a, b) => a - b)[numbers.length >> 1];

async function measure(sides, one, rounds) {
  const runs = [];
  for (const side of sides) {
    const run = await side.prepare(one);
    runs.push({ run, n: await calibrate(run), rates: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { run, n, rates } of round % 2 ? runs.slice().reverse() : runs) {
      rates.push((n * one.each * 1000) / (await timed(run, n)));
    }
  }
  const [reference, ours] = runs.map(({ rates }) => Math.round(median(rates)));
  return { name: one.name, unit: one.unit, reference, ours, ratio: ours / reference };
}

async function main() {
  const sides = [new Side("miniflare@2.14.4", Reference), new Side("ferroflare", Miniflare)];
  const about = { node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model ?? "unknown" };
  const say = flags.json ? () => {} : console.log;
  say(
    `Node ${about.node}, ${about.cpus} CPUs (${about.cpu}), memory, median of ${flags.rounds} rounds`,
  );
  say(`${"".padEnd(34)}${sides.map(({ name }) => name.padStart(18)).join("")}   ratio`);
  const results = [];
  for (const one of cases.filter(({ name }) => name.includes(flags.only))) {
    const result = await measure(sides, one, Number(flags.rounds));
    results.push(result);
    const rates = [result.reference, result.ours].map((rate) =>
      rate.toLocaleString("en").padStart(18),
    );
    say(
      `${`${result.name}, ${result.unit}`.padEnd(34)}${rates.join("")}${result.ratio.toFixed(1).padStart(8)}`,
    );
  }
  if (flags.json) console.log(JSON.stringify({ ...about, backend: "memory", results }, null, 2));
  for (const { miniflare } of sides) await miniflare.dispose();
}

await main();
