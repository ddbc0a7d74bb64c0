/**
 * SQLite-backed objects in ferroflare and in miniflare@4 (workerd), inside the object, in memory and in files, in one run.
 * Beside them stands better-sqlite3 with the same statements, which is the limit. Our objects without SQL run where they
 * can do the same. Each round is a process of its own, and the sides take turns; the median counts.
 *
 *   node bench/sqlite.mjs [--json FILE] [--rounds N] [--place memory|files] [--only TEXT] [--objects N]
 */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { nodeProgram, publishedVersions } from "../scripts/lib/node-versions.mjs";
import { machine, summary, versionsOf, writeResults } from "./results.mjs";
import { script } from "./sqlite-worker.mjs";

const ROUND_MS = 1_000;
/** better-sqlite3 wants this or newer. */
const LIBRARY_NODE = 22;
const SIDES = {
  workerd: "miniflare@4",
  ours: "ferroflare",
  keyed: "ferroflare without SQL",
  library: "better-sqlite3",
};
const PLACES = ["memory", "files"];
/** What a row measures: the method of the object, and how many operations a call does. */
const ROWS = {
  select: ["select by key", 5_000],
  insert: ["insert in a transactionSync() of 100", 5_000],
  list: ["list of 1,000 rows", 20],
  get: ["kv.get()", 5_000],
  put: ["kv.put()", 5_000],
  first: ["new object with its first write"],
  bytes: ["memory of an open object"],
};
const run = promisify(execFile);

// ---------------------------------------------------------------------------------------------- one round of one side

/** Where a side keeps its files. workerd can have them in memory alone by a place that is. */
function directoryFor(side, place) {
  if (place === "files") return mkdtempSync(path.join(os.tmpdir(), "ferroflare-bench-"));
  if (side !== "workerd") return undefined;
  return mkdtempSync(
    path.join(existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir(), "ferroflare-bench-"),
  );
}

async function start(side, directory) {
  const { Miniflare } = await import(side === "workerd" ? "miniflare4" : "../index.mjs");
  const className = side === "keyed" ? "Keyed" : "Sqlite";
  return new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2026-04-01",
    durableObjects: { STORE: { className, useSQLite: side !== "keyed" } },
    ...(directory && { durableObjectsPersist: directory }),
  });
}

/** How often a second `call`, which does `each` operations, can do one. */
async function rate(each, call) {
  await call(each);
  const begin = performance.now();
  let done = 0;
  for (; performance.now() - begin < ROUND_MS; done += each) await call(each);
  return (done * 1000) / (performance.now() - begin);
}

/** Objects that one request of the worker writes: Miniflare 2 allows a request 1,000 calls. */
const OBJECTS_EACH = 250;

async function firstWrites(mf, from, count) {
  const begin = performance.now();
  for (let at = from; at < from + count; at += OBJECTS_EACH) {
    const to = Math.min(at + OBJECTS_EACH, from + count);
    const response = await mf.dispatchFetch(`http://localhost/?from=${at}&to=${to}`);
    if ((await response.text()) !== "done") throw new Error("no answer");
  }
  return (count * 1000) / (performance.now() - begin);
}

/** What is resident of the process that has the objects. */
async function residentBytes(side) {
  const of = (pid) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`))[1]) * 1024;
  if (side !== "workerd") {
    for (let i = 0; i < 3; i++) {
      globalThis.gc();
      await new Promise(setImmediate);
    }
    return of(process.pid);
  }
  const { stdout } = await run("ps", ["-o", "pid=,comm=", "--ppid", String(process.pid)]);
  const children = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const pids = children.filter(([, name]) => name === "workerd").map(([pid]) => Number(pid));
  return Math.max(...pids.map(of));
}

async function round({ side, place, objects, only }) {
  const wants = (row) => ROWS[row][0].includes(only);
  const directory = directoryFor(side, place);
  const mf = await start(side, directory);
  const stub = (await mf.getDurableObjectNamespace("STORE")).getByName("measured");
  const found = {};
  try {
    await stub.prepare();
    for (const row of ["select", "insert", "list", "get", "put"]) {
      if (!wants(row) || (row === "select" && side === "keyed")) continue;
      found[row] = await rate(ROWS[row][1], (count) => stub[row](count));
    }
    if (wants("first") || wants("bytes")) {
      await firstWrites(mf, 0, OBJECTS_EACH);
      const before = await residentBytes(side);
      found.first = await firstWrites(mf, OBJECTS_EACH, objects);
      found.bytes = ((await residentBytes(side)) - before) / objects / 1024;
    }
  } finally {
    await mf.dispose();
    if (directory) rmSync(directory, { recursive: true, force: true });
  }
  return found;
}

// ---------------------------------------------------------------------------------------------- all rounds

const sibling = (name) => fileURLToPath(new URL(name, import.meta.url));

/** This Node.js, or a newer one that better-sqlite3 can be loaded into. */
async function libraryNode() {
  if (Number(process.versions.node.split(".")[0]) >= LIBRARY_NODE) return process.execPath;
  const { version } = (await publishedVersions()).find(({ line }) => Number(line) >= LIBRARY_NODE);
  return nodeProgram(version);
}

async function processOf(side, place, flags, node) {
  const args =
    side === "library"
      ? [sibling("sqlite-library.mjs"), place, String(ROUND_MS), flags.objects]
      : [
          ...process.execArgv,
          ...["--expose-gc", sibling("sqlite.mjs"), "--side", side, "--place", place],
          ...["--only", flags.only, "--objects", flags.objects],
        ];
  const program = side === "library" ? node : process.execPath;
  const { stdout } = await run(program, args, { maxBuffer: 1e8 });
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

/** The rounds of all sides in one place; each begins with another side. */
async function measure(place, flags, node) {
  const sides = Object.keys(SIDES);
  const found = Object.fromEntries(sides.map((side) => [side, []]));
  for (let i = 0; i < Number(flags.rounds); i++) {
    const at = i % sides.length;
    for (const side of [...sides.slice(at), ...sides.slice(0, at)]) {
      found[side].push(await processOf(side, place, flags, node));
    }
  }
  const wanted = Object.keys(ROWS).filter((row) => ROWS[row][0].includes(flags.only));
  return wanted.map((row) => {
    const measured = sides.filter((side) => found[side][0][row] !== undefined);
    const rates = Object.fromEntries(
      measured.map((side) => [side, summary(found[side].map((one) => one[row]))]),
    );
    const isMemory = row === "bytes";
    const unit = isMemory
      ? "KiB"
      : row === "first"
        ? "objects/s"
        : row === "list"
          ? "lists/s"
          : "ops/s";
    return {
      name: `${ROWS[row][0]}, ${place}`,
      unit,
      better: isMemory ? "lower" : "higher",
      rates,
    };
  });
}

function line({ name, unit, rates }) {
  const cells = Object.keys(SIDES).map((side) => {
    const number = rates[side]?.median;
    return (number === undefined ? "" : Math.round(number).toLocaleString("en")).padStart(24);
  });
  const ratio = (to) =>
    (rates[to] ? (rates.ours.median / rates[to].median).toFixed(2) : "").padStart(10);
  return `${`${name}, ${unit}`.padEnd(56)}${cells.join("")}${ratio("workerd")}${ratio("library")}`;
}

async function main(flags) {
  const about = machine();
  console.log(`Node ${about.node}, ${about.cpus} CPUs (${about.cpu}), median of ${flags.rounds}`);
  const node = await libraryNode();
  const names = Object.values(SIDES).map((name) => name.padStart(24));
  console.log(`${"".padEnd(56)}${names.join("")} /workerd  /library`);
  const rows = [];
  for (const place of PLACES.filter((name) => [undefined, name].includes(flags.place))) {
    const measured = await measure(place, flags, node);
    for (const row of measured) console.log(line(row));
    rows.push(...measured);
  }
  await writeResults(flags.json, {
    benchmark: "sqlite",
    ...about,
    versions: await versionsOf("ferroflare", "miniflare@4", "better-sqlite3"),
    settings: { rounds: Number(flags.rounds), objects: Number(flags.objects) },
    sides: SIDES,
    rows,
  });
}

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    place: { type: "string" },
    only: { type: "string", default: "" },
    objects: { type: "string", default: "1000" },
    side: { type: "string" },
  },
});
if (flags.side === undefined) await main(flags);
else console.log(JSON.stringify(await round({ ...flags, objects: Number(flags.objects) })));
