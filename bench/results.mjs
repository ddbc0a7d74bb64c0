/**
 * The results of a run of a benchmark: the median and the spread of each rate, the machine, and a file that
 * `npm run draw` reads.
 *
 * A file holds `{ benchmark, date, node, cpu, cpus, versions, settings, sides, rows }`. `sides` gives each side a key and a
 * name. A row is `{ name, unit, better, rates }`: `better` is "higher" or "lower", and `rates` holds
 * `{ median, low, high }` for the key of each side. `low` and `high` are the slowest and the fastest round, or null if
 * they were not kept.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import path from "node:path";

const DIGITS = 5;
const packages = {
  ferroflare: "../package.json",
  miniflare: "../node_modules/miniflare/package.json",
  "miniflare@4": "../node_modules/miniflare4/package.json",
  "@miniflare/storage-redis": "../node_modules/miniflare2-storage-redis/package.json",
  "better-sqlite3": "../node_modules/better-sqlite3/package.json",
  ioredis: "../node_modules/ioredis/package.json",
};

export const median = (numbers) => numbers.slice().sort((a, b) => a - b)[numbers.length >> 1];

/** The median, the lowest and the highest of some rates, each with five digits. */
export function summary(rates) {
  const rounded = (number) => Number(number.toPrecision(DIGITS));
  return {
    median: rounded(median(rates)),
    low: rounded(Math.min(...rates)),
    high: rounded(Math.max(...rates)),
  };
}

/** The rate of something that is measured once. */
export const single = (number) => summary([number]);

/** The day, the machine and Node.js, as they are now. */
export function machine() {
  const date = new Date().toISOString().slice(0, 10);
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return { date, node: process.version, cpu, cpus: cpus().length };
}

/** The versions of the named packages that this run uses. */
export async function versionsOf(...names) {
  const read = async (name) =>
    JSON.parse(await readFile(new URL(packages[name], import.meta.url), "utf8")).version;
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)])));
}

/** Writes the results of a run to `file`; without a file it does nothing. */
export async function writeResults(file, results) {
  if (file === undefined) return;
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await writeFile(file, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`\nThe results are in ${file}.`);
}
