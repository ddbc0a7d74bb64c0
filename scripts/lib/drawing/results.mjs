/** Reads the files that the benchmarks leave in `bench/results`, and compares two sides of a row. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../paths.mjs";
import { Failure } from "../program.mjs";

/** The command that writes each file. */
const commands = {
  memory: "npm run bench -- --json bench/results/memory.json",
  files: "npm run bench -- files --json bench/results/files.json",
  redis: "npm run bench -- redis --json bench/results/redis.json",
};

/** The results of all benchmarks, by name. */
export function readResults() {
  return Object.fromEntries(Object.keys(commands).map((name) => [name, readOne(name)]));
}

function readOne(name) {
  const file = `bench/results/${name}.json`;
  if (!existsSync(join(root, file)))
    throw new Failure(`${file} does not exist. This command writes it: ${commands[name]}`);
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}

/** The row of that name; a file that lacks it comes from a run of some rows only. */
export function rowOf(results, name) {
  const row = results.rows.find((candidate) => candidate.name === name);
  if (!row)
    throw new Failure(
      `bench/results/${results.benchmark}.json has no row "${name}". This command writes all rows: ${commands[results.benchmark]}`,
    );
  return row;
}

/** How many times as good one side is as another: as fast, or as small. */
export function ratio({ rates, better }, side, other) {
  const [own, others] = [rates[side].median, rates[other].median];
  return better === "lower" ? others / own : own / others;
}

/** A number for readers: about three digits, with commas. */
export function shown(number) {
  const digits = number >= 100 ? 0 : number >= 10 ? 1 : 2;
  const [whole, fraction] = number.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const rest = fraction?.replace(/0+$/, "");
  return rest ? `${grouped}.${rest}` : grouped;
}

/** A ratio for readers, such as `3.5×`: two digits, since rates vary by more than the third. */
export const times = (number) => `${shown(Number(number.toPrecision(2)))}×`;

/** Where and when runs took place, in one line. */
export function runsOf(...all) {
  const lines = all.map(
    ({ date, node, cpu, cpus }) =>
      `${date}, Node.js ${node.replace(/^v/, "")}, ${cpus} CPUs (${cpu})`,
  );
  return `One run: ${[...new Set(lines)].join("; ")}`;
}
