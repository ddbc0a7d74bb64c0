// Rounds of torture: processes work on a place, are killed at random moments, and others look whether everything is there.
import { sleep } from "../support/child.mjs";
import { random } from "../support/random.mjs";
import { Crew } from "./crew.mjs";
import { lanesOf } from "./lanes.mjs";
import { PLACES } from "./places.mjs";

/** Operations of a round start at its number times this. */
const STAMPS_PER_ROUND = 100_000;
/** Data is used again and again, and one time of this many new data takes its place. */
const ROUNDS_PER_DATA = 4;

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
    if (lane === "fresh" || lane === "bank" || lane === "sqlfresh") {
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

/** What is known of the data of a place. */
class Records {
  #records = new Map();

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
}

/**
 * Runs `rounds` rounds with up to `processes` processes at once; `report` is called with each round's result.
 * Returns what was done. Throws what was lost, torn or wrong, with the seed and where the data is, which stays.
 */
export async function torture({
  backend = "file",
  rounds,
  seed,
  processes = 1,
  durability = "both",
  report = () => {},
}) {
  const { between, pick, next } = random(seed);
  const crew = new Crew(processes);
  const total = { rounds: 0, acknowledged: 0, lanes: {}, moments: {}, faults: {}, crews: {} };
  const place = await PLACES[backend].create();
  let records;
  let failed = true;
  try {
    for (let round = 1; round <= rounds; round++) {
      if (records === undefined || between(1, ROUNDS_PER_DATA) === 1) {
        await place.renew();
        records = new Records();
      }
      const setting = {
        round,
        kind: place.crews[round % place.crews.length],
        durability: durability === "both" ? pick(place.durabilities) : durability,
        fault: pick(place.faults),
        workers: Array.from({ length: between(1, processes) }, () => ({
          moment: pickMoment(next),
          seed: between(1, 1e9),
          waitShare: next(),
          workShare: next(),
        })),
      };
      const result = await runRound(setting, place, records, crew).catch((error) => {
        const moments = setting.workers.map(({ moment }) => moment.name).join(", ");
        throw new Error(
          `Round ${round} of seed ${seed} (${setting.kind}, ${setting.fault ?? setting.durability}, killed at ${moments}): ${error.message}\nThe data is in ${place.shown}`,
        );
      });
      total.rounds++;
      total.acknowledged += result.acknowledged;
      const counted = [
        [total.moments, setting.workers.map(({ moment }) => [moment.name, 1])],
        [total.lanes, Object.entries(result.lanes)],
        [total.crews, [[setting.kind, 1]]],
        [total.faults, setting.fault === undefined ? [] : [[setting.fault, 1]]],
      ];
      for (const [counts, names] of counted) {
        for (const [name, count] of names) counts[name] = (counts[name] ?? 0) + count;
      }
      report({ ...setting, ...result });
    }
    failed = false;
    return total;
  } finally {
    await crew.close();
    await place.close({ keep: failed });
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

async function runRound({ round, kind, durability, fault, workers }, place, records, crew) {
  const problems = [];
  const known = lanesOf(place.backend);
  const lanes = {};
  let acknowledged = 0;
  const listen = (line) => {
    const [word, slot, lane, ...rest] = line.split(" ");
    const record = lane in known ? records.record(slot, lane) : undefined;
    if (word === "issued") record.issued.push(Number(rest[0]));
    else if (word === "acknowledged") {
      record.acknowledged.push(Number(rest[0]));
      record.values.push(Number(rest[1]));
      lanes[lane] = (lanes[lane] ?? 0) + 1;
      acknowledged++;
    } else if (word === "failed") problems.push(line);
  };
  const worked = workers.map(async ({ moment, seed, waitShare, workShare }, number) => {
    const worker = moment.after === "spawn" ? crew.start(kind) : crew.take(kind);
    worker.listen(listen);
    worker.go({
      role: "work",
      backend: place.backend,
      directory: place.path(number),
      durability,
      faulty: fault !== undefined,
      users: crew.users(kind, number, seed),
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
    if (!expected)
      problems.push(`process ${number} ended with ${code ?? signal}: ${worker.stderr}`);
  });
  const all = Promise.all(worked);
  const [, faults] = await Promise.all([all, place.disturb(fault, all, workers)]);
  if (problems.length > 0) throw new Error(problems.join("\n"));

  const verifier = crew.take();
  verifier.go({
    role: "verify",
    backend: place.backend,
    directory: place.path(),
    durability,
    seen: records.seen(),
  });
  const { code } = await verifier.ended;
  problems.push(...verifier.lines.filter((line) => line.startsWith("problem")));
  if (code !== 0 || !verifier.lines.includes("verified")) {
    problems.push(`cannot be opened again (${code}): ${verifier.stderr}`);
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  records.trim();
  return { acknowledged, lanes, faults };
}

function within([low, high], share) {
  return low + (high - low) * share;
}
