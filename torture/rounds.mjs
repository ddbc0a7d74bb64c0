// Rounds of torture: processes work on a directory, are killed at random moments, and others look whether everything is there.
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LANES } from "./lanes.mjs";
import { Child, Pool, sleep } from "./process.mjs";
import { random } from "./random.mjs";

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** Operations of a round start at its number times this. */
const STAMPS_PER_ROUND = 100_000;
/** A directory is used again and again, and one time of this many a new one takes its place. */
const ROUNDS_PER_DIRECTORY = 4;
const DURABILITIES = ["fsync", "process"];

/** When a process is killed: what it waits for, and how long after that, in milliseconds. */
const MOMENTS = [
  { name: "start-up", share: 15, after: "spawn", waitMs: [0, 400], workMs: [5_000, 5_000] },
  { name: "first open", share: 15, after: "open", waitMs: [0, 60], workMs: [5_000, 5_000] },
  { name: "work", share: 45, after: "acknowledged", waitMs: [0, 250], workMs: [5_000, 5_000] },
  { name: "dispose", share: 15, after: "disposing", waitMs: [0, 8], workMs: [50, 200] },
  { name: "never", share: 10, after: "disposed", waitMs: [0, 0], workMs: [50, 150] },
];

/** What the parent knows of the operations of one lane of one slot. */
class Record {
  acknowledged = [];
  issued = [];
  values = [];

  /** Forgets what later checks need not know. */
  trim(lane) {
    if (lane === "fresh" || lane === "bank") {
      this.acknowledged = [];
      this.issued = [];
      return;
    }
    const last = Math.max(0, ...this.acknowledged);
    this.acknowledged = last > 0 ? [last] : [];
    this.issued = this.issued.filter((stamp) => stamp >= last);
    this.values = this.values.length > 0 ? [Math.max(...this.values)] : [];
  }
}

class Directory {
  #records = new Map();

  static async create() {
    const directory = new Directory();
    directory.path = await mkdtemp(path.join(os.tmpdir(), "ferroflare-torture-"));
    return directory;
  }

  record(slot, lane) {
    const key = `${slot} ${lane}`;
    if (!this.#records.has(key)) this.#records.set(key, new Record());
    return this.#records.get(key);
  }

  seen() {
    return [...this.#records].map(([key, record]) => {
      const [slot, lane] = key.split(" ");
      return { slot: Number(slot), lane, ...record };
    });
  }

  trim() {
    for (const [key, record] of this.#records) record.trim(key.split(" ")[1]);
  }

  remove() {
    return rm(this.path, { recursive: true, force: true });
  }
}

/**
 * Runs `rounds` rounds with up to `processes` processes at once; `report` is called with each round's result.
 * Returns what was done. Throws what was lost, torn or wrong, with the seed and the directory, which stays.
 */
export async function torture({
  rounds,
  seed,
  processes = 1,
  durability = "both",
  report = () => {},
}) {
  const { between, pick, next } = random(seed);
  const pool = new Pool(WORKER, processes + 1);
  const total = { rounds: 0, acknowledged: 0, lanes: {}, moments: {} };
  let directory;
  try {
    for (let round = 1; round <= rounds; round++) {
      if (directory === undefined || between(1, ROUNDS_PER_DIRECTORY) === 1) {
        await directory?.remove();
        directory = await Directory.create();
      }
      const setting = {
        round,
        directory: directory.path,
        durability: durability === "both" ? pick(DURABILITIES) : durability,
        workers: Array.from({ length: between(1, processes) }, () => ({
          moment: pickMoment(next),
          seed: between(1, 1e9),
          waitShare: next(),
          workShare: next(),
        })),
      };
      const result = await runRound(setting, directory, pool).catch((error) => {
        const moments = setting.workers.map(({ moment }) => moment.name).join(", ");
        throw new Error(
          `Round ${round} of seed ${seed} (${setting.durability}, killed at ${moments}): ${error.message}\nThe data is in ${directory.path}`,
        );
      });
      total.rounds++;
      total.acknowledged += result.acknowledged;
      for (const { moment } of setting.workers) {
        total.moments[moment.name] = (total.moments[moment.name] ?? 0) + 1;
      }
      for (const [lane, count] of Object.entries(result.lanes)) {
        total.lanes[lane] = (total.lanes[lane] ?? 0) + count;
      }
      report({ ...setting, ...result });
    }
    await directory?.remove();
    return total;
  } finally {
    await pool.close();
  }
}

function pickMoment(next) {
  let place = next() * MOMENTS.reduce((sum, { share }) => sum + share, 0);
  for (const moment of MOMENTS) {
    place -= moment.share;
    if (place < 0) return moment;
  }
  return MOMENTS[0];
}

async function runRound({ round, durability, workers }, directory, pool) {
  const problems = [];
  const lanes = {};
  let acknowledged = 0;
  const listen = (slot) => (line) => {
    const [word, lane, ...rest] = line.split(" ");
    const record = lane in LANES ? directory.record(slot, lane) : undefined;
    if (word === "issued") record.issued.push(Number(rest[0]));
    else if (word === "acknowledged") {
      record.acknowledged.push(Number(rest[0]));
      record.values.push(Number(rest[1]));
      lanes[lane] = (lanes[lane] ?? 0) + 1;
      acknowledged++;
    } else if (word === "failed") problems.push(`slot ${slot}: ${line}`);
  };
  const worked = workers.map(async ({ moment, seed, waitShare, workShare }, slot) => {
    const worker = moment.after === "spawn" ? new Child(WORKER) : pool.take();
    worker.listen(listen(slot));
    worker.go({
      role: "work",
      directory: directory.path,
      durability,
      slot,
      seed,
      firstStamp: round * STAMPS_PER_ROUND + 1,
      workMs: within(moment.workMs, workShare),
      drain: seed % 2 === 0,
    });
    if (moment.after !== "spawn") await worker.heard(moment.after);
    if (moment.after !== "disposed") {
      await sleep(within(moment.waitMs, waitShare));
      worker.kill();
    }
    const { code, signal } = await worker.ended;
    const expected = moment.after === "disposed" ? code === 0 : code === 0 || signal === "SIGKILL";
    if (!expected) problems.push(`slot ${slot} ended with ${code ?? signal}: ${worker.stderr}`);
  });
  await Promise.all(worked);
  if (problems.length > 0) throw new Error(problems.join("\n"));

  const verifier = pool.take();
  verifier.go({ role: "verify", directory: directory.path, durability, seen: directory.seen() });
  const { code } = await verifier.ended;
  problems.push(...verifier.lines.filter((line) => line.startsWith("problem")));
  if (code !== 0 || !verifier.lines.includes("verified")) {
    problems.push(`cannot be opened again (${code}): ${verifier.stderr}`);
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  directory.trim();
  return { acknowledged, lanes };
}

function within([low, high], share) {
  return low + (high - low) * share;
}
