/**
 * Many objects at the same moment, each durability in a process of its own. Measures first writes, alarms that are set,
 * reads of stored objects, and alarms that are due together. Prints the time, the most threads and descriptors of the
 * process, and the longest stall of its event loop.
 *
 *   node bench/files-many.mjs [--objects 1000,10000] [--only fsync] [--place redis://…] [--limit SECONDS] [--json]
 *
 * Threads and descriptors are read from `/proc`, so that they are known on Linux alone.
 */
import { fork } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SAMPLE_MS = 10;
const PAST_MS = 1_000;
const VALUE = { hello: "world", n: 42, list: [1, 2, 3] };
const script = `
export class Store {
  alarm() {
    fired();
  }
}
export default { fetch() {} }`;

// ---------------------------------------------------------------------------------------------- in the child

/** Reports how long `work` takes, and how long the event loop stood still meanwhile. */
async function phase(name, work) {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  process.send({ begins: name });
  delay.enable();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  // The turn in which the last answer came counts too.
  await new Promise((resolve) => setTimeout(resolve, 20));
  delay.disable();
  process.send({ ends: name, seconds, stallMs: delay.max / 1e6 });
}

async function runHere({ place, durability, count }) {
  const { Miniflare } = await import("../index.mjs");
  let left = count;
  let allFired;
  const open = (durableObjectsAlarms) =>
    new Miniflare({
      modules: true,
      script,
      globals: { fired: () => --left === 0 && allFired() },
      durableObjects: { STORE: "Store" },
      durableObjectsPersist: place,
      durableObjectsAlarms,
      ...(durability !== "redis" && { durableObjectsDurability: durability }),
    });
  const storages = async (mf, kind) => {
    const namespace = await mf.getDurableObjectNamespace("STORE");
    const names = Array.from({ length: count }, (_, i) => `${kind} ${i}`);
    return Promise.all(names.map((name) => mf.getDurableObjectStorage(namespace.idFromName(name))));
  };
  let mf = open(false);
  const written = await storages(mf, "written");
  const alarmed = await storages(mf, "alarmed");
  await phase("first writes", () => Promise.all(written.map((it) => it.put("key", VALUE))));
  const time = Date.now() - PAST_MS;
  await phase("setAlarm", () => Promise.all(alarmed.map((it) => it.setAlarm(time))));
  await phase("dispose", () => mf.dispose());
  mf = open(false);
  const stored = await storages(mf, "written");
  await phase("reads", async () => {
    const values = await Promise.all(stored.map((it) => it.get("key")));
    if (values.some((value) => value?.n !== 42)) throw new Error("an object is lost");
  });
  await mf.dispose();
  await phase("due alarms", async () => {
    const fired = new Promise((resolve) => {
      allFired = resolve;
    });
    mf = open(true);
    await mf.getPlugins();
    await fired;
  });
  await mf.dispose();
  process.disconnect();
}

// ---------------------------------------------------------------------------------------------- in the parent

function countOf(directory) {
  try {
    return readdirSync(directory).length;
  } catch {
    return Number.NaN;
  }
}

/** Runs one child; resolves with the rows of its phases, the last of which may say that there was no end. */
function runInChild(task, limitSeconds) {
  const child = fork(fileURLToPath(import.meta.url), [], {
    env: { ...process.env, FERROFLARE_MANY: JSON.stringify(task) },
    execArgv: ["--experimental-vm-modules", "--no-warnings"],
  });
  return new Promise((resolve) => {
    const rows = [];
    let row;
    const look = () => {
      if (row === undefined) return;
      row.threads = Math.max(row.threads, countOf(`/proc/${child.pid}/task`));
      row.descriptors = Math.max(row.descriptors, countOf(`/proc/${child.pid}/fd`));
    };
    const sampler = setInterval(look, SAMPLE_MS);
    let timer;
    child.on("message", ({ begins, ...ended }) => {
      clearTimeout(timer);
      if (begins === undefined) {
        look();
        rows.push(Object.assign(row, ended));
        row = undefined;
        return;
      }
      row = { name: begins, threads: 0, descriptors: 0 };
      timer = setTimeout(() => child.kill("SIGKILL"), limitSeconds * 1000);
    });
    child.on("exit", () => {
      clearInterval(sampler);
      clearTimeout(timer);
      if (row !== undefined) rows.push({ ...row, seconds: Number.POSITIVE_INFINITY });
      resolve(rows);
    });
  });
}

function line({ name, seconds, threads, descriptors, stallMs }, { durability, count }, limit) {
  const time = Number.isFinite(seconds)
    ? `${seconds.toFixed(2)} s (${Math.round(count / seconds)}/s)`
    : `no end after ${limit} s`;
  const stall = stallMs === undefined ? "" : `${Math.round(stallMs)} ms`;
  const cells = [
    String(count),
    durability,
    name,
    time,
    String(threads),
    String(descriptors),
    stall,
  ];
  const widths = [7, 9, 14, 22, 8, 12, 9];
  return cells.map((cell, i) => cell.padEnd(widths[i])).join("");
}

async function main() {
  const { values: flags } = parseArgs({
    options: {
      objects: { type: "string", default: "1000,10000" },
      only: { type: "string", default: "" },
      place: { type: "string" },
      limit: { type: "string", default: "120" },
      json: { type: "boolean", default: false },
    },
  });
  const durabilities = flags.place ? ["redis"] : ["fsync", "process"];
  const all = [];
  if (!flags.json) {
    console.log("objects         what          time                  threads descriptors stall");
  }
  for (const count of flags.objects.split(",").map(Number)) {
    for (const durability of durabilities.filter((it) => it.includes(flags.only))) {
      const directory = flags.place ?? (await mkdtemp(path.join(os.tmpdir(), "ferroflare-many-")));
      const task = { place: directory, durability, count };
      for (const row of await runInChild(task, Number(flags.limit))) {
        all.push({ count, durability, ...row });
        if (!flags.json) console.log(line(row, task, flags.limit));
      }
      if (!flags.place) await rm(directory, { recursive: true, force: true });
    }
  }
  if (flags.json) console.log(JSON.stringify(all, null, 2));
}

const task = process.env.FERROFLARE_MANY;
if (task === undefined) await main();
else await runHere(JSON.parse(task));
