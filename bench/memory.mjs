/**
 * Operations a second of miniflare@2.14.4 and of ferroflare, both in memory, in one run. The sides take turns, each
 * case has several rounds, the median counts. The path is a user's: `mf.getDurableObjectStorage(id)` and `stub.fetch`.
 *
 *   node --experimental-vm-modules bench/memory.mjs [--json FILE] [--rounds N] [--only TEXT]
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Miniflare as Reference } from "miniflare";
import { Miniflare } from "../index.mjs";
import { cases } from "./cases.mjs";
import { machine, summary, versionsOf, writeResults } from "./results.mjs";

const ROUND_MS = 150;
const WARM_UP_MS = 50;

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
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
  constructor(key, name, Class) {
    Object.assign(this, { key, name });
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

async function measure(sides, one, rounds) {
  const runs = [];
  for (const side of sides) {
    const run = await side.prepare(one);
    runs.push({ key: side.key, run, n: await calibrate(run), rates: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { run, n, rates } of round % 2 ? runs.slice().reverse() : runs) {
      rates.push((n * one.each * 1000) / (await timed(run, n)));
    }
  }
  const rates = Object.fromEntries(runs.map((run) => [run.key, summary(run.rates)]));
  return { name: one.name, unit: one.unit, better: "higher", rates };
}

/** A line of the table; the last column says how many times as fast ours is. */
function line({ name, unit, rates }) {
  const medians = [rates.reference.median, rates.ours.median];
  const numbers = medians.map((rate) => Math.round(rate).toLocaleString("en").padStart(18));
  const ratio = (medians[1] / medians[0]).toFixed(1).padStart(8);
  return `${`${name}, ${unit}`.padEnd(34)}${numbers.join("")}${ratio}`;
}

async function main() {
  const sides = [
    new Side("reference", "miniflare@2.14.4", Reference),
    new Side("ours", "ferroflare", Miniflare),
  ];
  const about = machine();
  console.log(
    `Node ${about.node}, ${about.cpus} CPUs (${about.cpu}), memory, median of ${flags.rounds} rounds`,
  );
  console.log(`${"".padEnd(34)}${sides.map(({ name }) => name.padStart(18)).join("")}   ratio`);
  const rows = [];
  for (const one of cases.filter(({ name }) => name.includes(flags.only))) {
    rows.push(await measure(sides, one, Number(flags.rounds)));
    console.log(line(rows.at(-1)));
  }
  for (const { miniflare } of sides) await miniflare.dispose();
  await writeResults(flags.json, {
    benchmark: "memory",
    ...about,
    versions: await versionsOf("ferroflare", "miniflare"),
    settings: { rounds: Number(flags.rounds) },
    sides: Object.fromEntries(sides.map(({ key, name }) => [key, name])),
    rows,
  });
}

await main();
