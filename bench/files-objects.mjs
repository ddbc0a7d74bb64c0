/** The part of the benchmark of data in files that is about many objects: the first write, opening, memory and disk. */
import { execFile } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openSide, sideKeys, VALUE } from "./files-sides.mjs";
import { single, summary } from "./results.mjs";

const BLOCKS = 5;
/** How many objects ours may have open, as by default; for the memory it is all of them. */
const OPEN_MAX = 256;
const UNIT_BYTES = 512;

const nameOf = (kind, i) => `${kind} ${i}`;

async function each(numbers, concurrent, work) {
  if (concurrent) await Promise.all(numbers.map(work));
  else for (const i of numbers) await work(i);
}

/** Objects a second: the sides take turns with blocks of the objects, the median block counts. */
async function rates(sides, count, concurrent, work) {
  const rates = new Map(sides.map(({ key }) => [key, []]));
  const size = Math.ceil(count / BLOCKS);
  for (let block = 0; block < BLOCKS; block++) {
    const numbers = Array.from({ length: size }, (_, i) => block * size + i);
    for (const side of block % 2 ? sides.slice().reverse() : sides) {
      const start = performance.now();
      await each(numbers, concurrent, (i) => work(side, i));
      rates.get(side.key).push((size * 1000) / (performance.now() - start));
    }
  }
  return Object.fromEntries([...rates].map(([key, list]) => [key, summary(list)]));
}

async function write(side, name) {
  const { storage } = await side.object(name);
  await storage.put("key", VALUE);
}

async function read(side, name) {
  const { storage } = await side.object(name);
  if ((await storage.get("key"))?.n !== 42) throw new Error(`${side.name} has lost ${name}`);
}

/** Rates of first writes and of first reads of `count` objects, and the bytes that they take on disk. */
export async function* manyObjects(count) {
  const sides = [];
  for (const key of sideKeys) sides.push(await openSide(key, OPEN_MAX));
  try {
    for (const [kind, concurrent] of [
      ["sequential", false],
      ["concurrent", true],
    ]) {
      const unit = "objects/s";
      const run = (side, i) => write(side, nameOf(kind, i));
      yield {
        name: `first write, ${kind}`,
        unit,
        better: "higher",
        rates: await rates(sides, count, concurrent, run),
      };
    }
    for (const [kind, concurrent] of [
      ["sequential", false],
      ["concurrent", true],
    ]) {
      for (const side of sides) await side.reopen();
      const run = (side, i) => read(side, nameOf(kind, i));
      const rate = await rates(sides, count, concurrent, run);
      yield { name: `open and read, ${kind}`, unit: "objects/s", better: "higher", rates: rate };
    }
    for (const side of sides) await side.miniflare.dispose();
    const perObject = (side) => single(diskBytes(side.directory) / 1024 / (2 * count));
    const disk = Object.fromEntries(sides.map((side) => [side.key, perObject(side)]));
    yield { name: "disk, 1 key each", unit: "KiB/object", better: "lower", rates: disk };
  } finally {
    for (const side of sides) await side.dispose();
  }
}

function diskBytes(file) {
  const found = lstatSync(file);
  const own = (found.blocks ?? 0) * UNIT_BYTES;
  if (!found.isDirectory()) return own;
  return readdirSync(file).reduce((sum, name) => sum + diskBytes(path.join(file, name)), own);
}

/** Resident memory of a process with `count` objects written and open, each side in a process of its own. */
export async function memory(count) {
  const used = {};
  for (const key of sideKeys) {
    const script = fileURLToPath(import.meta.url);
    const flags = ["--experimental-vm-modules", "--no-warnings", "--expose-gc"];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, key, count]);
    used[key] = single(Number(stdout));
  }
  return { name: "memory of the open objects", unit: "MiB", better: "lower", rates: used };
}

async function printMemory(key, count) {
  const side = await openSide(key, count + 1);
  await write(side, "warm");
  globalThis.gc();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < count; i++) await write(side, nameOf("object", i));
  globalThis.gc();
  console.log((process.memoryUsage.rss() - before) / 2 ** 20);
  await side.dispose();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await printMemory(process.argv[2], Number(process.argv[3]));
}
