/**
 * Data in Redis: miniflare@2.14.4, plain ioredis and ferroflare on one server, in one run. The sides take turns, each case
 * has several rounds, the median counts. A million other keys are in the server all the time.
 *
 *   node --experimental-vm-modules bench/redis.mjs [--json FILE] [--quick] [--rounds N] [--keys N] [--only TEXT]
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { RedisServer } from "../__test__/support/redis.mjs";
import { cases } from "./redis-cases.mjs";
import { heads, openSides, sideKeys } from "./redis-sides.mjs";
import { machine, summary, versionsOf, writeResults } from "./results.mjs";

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    keys: { type: "string", default: "1000000" },
    only: { type: "string", default: "" },
  },
});
const rounds = Number(flags.rounds ?? (flags.quick ? 3 : 7));
const roundMs = flags.quick ? 60 : 300;
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

async function measure(sides, { name, unit, each, product, plain }) {
  const runs = [];
  for (const side of sides) {
    const prepare = side.key === "plain" ? plain : product;
    const run = await prepare(await side.object());
    runs.push({ key: side.key, run, n: await calibrate(run), rates: [], spent: 0 });
  }
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 ? runs.slice().reverse() : runs) {
      if (one.rates.length > 0 && one.spent > SIDE_MS_MAX) continue;
      const spent = await timed(one.run, one.n);
      one.spent += spent;
      one.rates.push((one.n * each * 1000) / spent);
    }
  }
  const rates = Object.fromEntries(runs.map((one) => [one.key, summary(one.rates)]));
  return { name, unit, better: "higher", rates };
}

const shown = (number) =>
  number.toLocaleString("en", { maximumFractionDigits: number < 100 ? 1 : 0 }).padStart(16);

function line({ name, unit, rates }) {
  const numbers = sideKeys.map((key) => shown(rates[key].median)).join("");
  const ratio = (rates.ours.median / rates.plain.median).toFixed(2).padStart(15);
  return `${`${name}, ${unit}`.padEnd(42)}${numbers}${ratio}`;
}

function printHead(about, redis) {
  console.log(
    `Node ${about.node}, Redis ${redis} without persistence on this machine, ${about.cpus} CPUs (${about.cpu}), median of ${rounds} rounds`,
  );
  console.log(`${Number(flags.keys).toLocaleString("en")} other keys are in the server.`);
  console.log(
    "Miniflare 2 on Redis is its 2.14.4 with @miniflare/storage-redis@2.12.1, the newest on the registry.",
  );
  console.log(
    "Plain ioredis sends the same commands and neither encodes, decodes, orders nor checks anything; it batches where ours does.",
  );
  console.log(`${"".padEnd(42)}${heads.map((head) => head.padStart(16)).join("")}   ours : plain`);
}

async function measureAll(sides) {
  const rows = [];
  for (const one of cases.filter(({ name }) => name.includes(flags.only))) {
    rows.push(await measure(sides, one));
    console.log(line(rows.at(-1)));
  }
  return rows;
}

async function main() {
  const about = machine();
  const server = await RedisServer.start();
  const redis = await server.info("server", "redis_version");
  const versions = await versionsOf(
    "ferroflare",
    "miniflare",
    "@miniflare/storage-redis",
    "ioredis",
  );
  await server.call("DEBUG", "POPULATE", flags.keys, "other", 20);
  printHead(about, redis);
  const sides = openSides(server.url());
  let rows;
  try {
    rows = await measureAll(sides);
  } finally {
    for (const side of sides) await side.dispose();
    await server.close();
  }
  await writeResults(flags.json, {
    benchmark: "redis",
    ...about,
    versions: { ...versions, redis },
    settings: { quick: flags.quick, rounds, otherKeys: Number(flags.keys) },
    sides: Object.fromEntries(sides.map(({ key, name }) => [key, name])),
    rows,
  });
}

await main();
