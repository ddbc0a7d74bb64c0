/**
 * Data in files: miniflare@2.14.4 and ferroflare with each durability, in one run. The sides take turns, each case has
 * several rounds, the median counts. The path is a user's: `mf.getDurableObjectStorage(id)` and `stub.fetch`.
 *
 *   node --experimental-vm-modules bench/files.mjs [--json FILE] [--quick] [--rounds N] [--objects N] [--only TEXT]
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { cases } from "./files-cases.mjs";
import { manyObjects, memory } from "./files-objects.mjs";
import { openSide, sideKeys, sideNames } from "./files-sides.mjs";
import { machine, summary, versionsOf, writeResults } from "./results.mjs";

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    objects: { type: "string" },
    only: { type: "string", default: "" },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 3 : 7));
const objects = Number(flags.objects ?? (flags.quick ? 100 : 1000));
const roundMs = flags.quick ? 40 : 250;
/** However slow an operation is, a round has one; and a side that takes longer than this has fewer rounds. */
const SIDE_MS_MAX = 8000;

async function timed(run, n) {
  const start = performance.now();
  for (let i = 0; i < n; i++) await run(i);
  return performance.now() - start;
}

/** How often a case must be run to last as long as a round. */
async function calibrate(run) {
  let n = 1;
  let spent = await timed(run, n);
  for (; spent < roundMs / 4; n *= 2) spent = await timed(run, n * 2);
  return Math.max(1, Math.round((n * roundMs) / spent));
}

async function measure(sides, { name, prepare }) {
  const runs = [];
  for (const side of sides) {
    const run = await prepare(await side.object());
    runs.push({ key: side.key, run, n: await calibrate(run), rates: [], spent: 0 });
  }
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 ? runs.slice().reverse() : runs) {
      if (one.rates.length > 0 && one.spent > SIDE_MS_MAX) continue;
      const spent = await timed(one.run, one.n);
      one.spent += spent;
      one.rates.push((one.n * 1000) / spent);
    }
  }
  const rates = Object.fromEntries(runs.map((one) => [one.key, summary(one.rates)]));
  return { name, unit: "ops/s", better: "higher", rates };
}

async function* results() {
  const sides = [];
  for (const key of sideKeys) sides.push(await openSide(key, objects));
  for (const one of cases.filter(({ name }) => name.includes(flags.only))) {
    yield await measure(sides, one);
  }
  for (const side of sides) await side.dispose();
  if ("objects".includes(flags.only)) {
    yield* manyObjects(objects);
    yield await memory(objects);
  }
}

const shown = (number) =>
  number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 }).padStart(18);

/** How many times as good ours is: as fast, or as small. */
function ratio({ rates, better }, key) {
  const [ours, reference] = [rates[key].median, rates.reference.median];
  return better === "lower" ? reference / ours : ours / reference;
}

function line(row) {
  const numbers = sideKeys.map((key) => shown(row.rates[key].median)).join("");
  const [fsync, inProcess] = ["fsync", "process"].map((key) => ratio(row, key).toFixed(2));
  return `${`${row.name}, ${row.unit}`.padEnd(38)}${numbers}${fsync.padStart(13)}${inProcess.padStart(15)}`;
}

function printHead(about) {
  console.log(
    `Node ${about.node}, ${about.cpus} CPUs (${about.cpu}), files, median of ${rounds} rounds, ${objects} objects`,
  );
  console.log(
    "miniflare@2.14.4 never calls fsync: a power loss may take what it has acknowledged.",
  );
  console.log(
    'Ours calls it with "fsync", the default. Compare "process", which promises what the reference can.',
  );
  const heads = ["miniflare@2.14.4", "fsync", "process"].map((head) => head.padStart(18)).join("");
  console.log(`${"".padEnd(38)}${heads}   fsync : it   process : it`);
}

async function main() {
  const about = machine();
  printHead(about);
  const rows = [];
  for await (const row of results()) {
    rows.push(row);
    console.log(line(row));
  }
  await writeResults(flags.json, {
    benchmark: "files",
    ...about,
    versions: await versionsOf("ferroflare", "miniflare"),
    settings: { quick: flags.quick, rounds, objects },
    sides: sideNames,
    rows,
  });
}

await main();
