/**
 * Test suites: Miniflare 2's environments, the same on our core, and our own, in one run. A suite is many test files, each of
 * which writes and reads an object through its worker. Wall time is that of the runner's process, processor time and memory
 * (the largest sum that was seen) are those of it and its workers. Needs a POSIX shell.
 *
 *   node bench/environments.mjs [--json] [--files N] [--rounds N] [--workers N]
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { parseArgs, promisify } from "node:util";
import { jestProject, VM_MODULES, vitestProject } from "../__test__/support/runner-suites.mjs";
import { installation, runCommand } from "../__test__/support/runners.mjs";

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    files: { type: "string", default: "200" },
    rounds: { type: "string", default: "1" },
    workers: { type: "string", default: String(cpus().length) },
  },
});
const files = Number(flags.files);
const rounds = Number(flags.rounds);
const SAMPLE_MS = 250;
/** Longest run of one suite, on a machine that is busy otherwise. */
const SUITE_MS_MAX = 1_800_000;
const list = promisify(execFile);

/** Resident bytes of a process and everything that it has started. */
async function residentBytes(pid) {
  const { stdout } = await list("ps", ["-A", "-o", "pid=,ppid=,rss="]);
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const tree = new Set([pid]);
  let kilobytes = 0;
  // Children come after their parents, but for numbers that are used again.
  for (const [child, parent, rss] of rows.sort(([a], [b]) => a - b)) {
    if (tree.has(parent)) tree.add(child);
    if (tree.has(child)) kilobytes += rss;
  }
  return kilobytes * 1024;
}

async function measure({ folder, command }) {
  let peakBytes = 0;
  let sampling = Promise.resolve();
  const start = performance.now();
  const { code, output } = await runCommand(folder, command, {
    nodeOptions: VM_MODULES,
    msMax: SUITE_MS_MAX,
    times: true,
    onStart(child) {
      const timer = setInterval(() => {
        sampling = residentBytes(child.pid).then(
          (bytes) => {
            peakBytes = Math.max(peakBytes, bytes);
          },
          () => {},
        );
      }, SAMPLE_MS);
      child.once("close", () => clearInterval(timer));
    },
  });
  const seconds = (performance.now() - start) / 1000;
  await sampling;
  if (code !== 0) throw new Error(`${command.join(" ")} failed:\n${output.slice(-2000)}`);
  return { seconds, cpuSeconds: cpuSeconds(output), megabytes: peakBytes / 2 ** 20 };
}

/** User and system time of the shell's children: the last line of what `times` writes. */
function cpuSeconds(output) {
  const parts = output
    .trim()
    .split("\n")
    .at(-1)
    .matchAll(/(\d+)m([\d.]+)s/g);
  return [...parts].reduce(
    (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
    0,
  );
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main() {
  const packages = { jest: "30", vitest: "4" };
  const plain = await installation(packages);
  const overridden = await installation(packages, { override: true });
  const suites = Object.fromEntries(
    Array.from({ length: files }, (_, number) => [`suite-${number}`, "touch"]),
  );
  const sides = [
    ["Jest", "Miniflare 2's environment", jestProject, plain, "miniflare"],
    ["Jest", "the same on our core", jestProject, overridden, "miniflare"],
    ["Jest", "ferroflare/jest", jestProject, plain, "ferroflare/jest"],
    ["Vitest", "Miniflare 2's environment", vitestProject, plain, "miniflare"],
    ["Vitest", "the same on our core", vitestProject, overridden, "miniflare"],
    ["Vitest", "ferroflare/vitest", vitestProject, plain, "ferroflare/vitest"],
  ];
  const opened = [];
  for (const [runner, name, open, installed, environment] of sides) {
    const quiet = runner === "Jest" ? ["--silent"] : ["--silent", "--reporter=dot"];
    const args = [`--maxWorkers=${flags.workers}`, ...quiet];
    opened.push({
      runner,
      name,
      ...(await open(installed, { environment, suites, args })),
      results: [],
    });
  }
  try {
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 ? opened.slice().reverse() : opened) {
        const result = await measure(side);
        side.results.push(result);
        console.error(
          `${side.runner}, ${side.name}: ${result.seconds.toFixed(1)} s, ${result.cpuSeconds.toFixed(1)} s of processor time`,
        );
      }
    }
  } finally {
    for (const { remove } of opened) await remove();
  }
  const figures = opened.map(({ runner, name, results }) => ({
    runner,
    name,
    seconds: median(results.map(({ seconds }) => seconds)),
    cpuSeconds: median(results.map(({ cpuSeconds }) => cpuSeconds)),
    megabytes: median(results.map(({ megabytes }) => megabytes)),
  }));
  if (flags.json) return console.log(JSON.stringify({ files, rounds, figures }, null, 2));
  const { version } = JSON.parse(
    await readFile(new URL("../package.json", import.meta.url), "utf8"),
  );
  console.log(
    `ferroflare ${version}, Node.js ${process.version}, ${cpus()[0].model}, ${flags.workers} workers`,
  );
  console.log(
    `${files} test files, each of which writes and reads an object; median of ${rounds}\n`,
  );
  const row = (cells) => console.log(cells.join("  "));
  row(["runner ", "environment".padEnd(26), "wall time", "processor", "   memory"]);
  for (const { runner, name, ...one } of figures) {
    const times = [one.seconds, one.cpuSeconds].map((value) => `${value.toFixed(1)} s`.padStart(9));
    row([
      runner.padEnd(7),
      name.padEnd(26),
      ...times,
      `${one.megabytes.toFixed(0)} MiB`.padStart(9),
    ]);
  }
}

await main();
