/**
 * Runs random concurrent transactions and looks for a cycle in what they saw of each other (Adya's dependency graph).
 * Every key holds the list of the transactions that appended to it, so each read tells its place in the order of
 * writes. Write-write, write-read and read-write edges follow without guessing. A listed range reads also the keys that
 * are missing in it, so that phantoms are edges too.
 */
import { Random } from "../prng.mjs";

/** Lets everything else of this turn of the event loop happen. */
export const pause = () => new Promise((resolve) => setImmediate(resolve));

const KEYS = ["a/0", "a/1", "a/2", "b/0", "b/1", "b/2"];

/** One random transaction; what its last attempt read is kept as `[key, list]` pairs. */
async function perform(storage, random, id) {
  const plan = random.many(1, 4, () => ({
    kind: random.pick(["append", "append", "read", "range"]),
    key: random.pick(KEYS),
    prefix: random.pick(["a/", "b/", ""]),
    waits: random.between(0, 2),
  }));
  let attempts = 0;
  let reads = [];
  await storage.transaction(async (txn) => {
    attempts++;
    reads = [];
    const own = new Map();
    for (const { kind, key, prefix, waits } of plan) {
      if (kind === "range") {
        const found = await txn.list({ prefix });
        for (const each of KEYS.filter((one) => one.startsWith(prefix) && !own.has(one))) {
          reads.push([each, found.get(each) ?? []]);
        }
      } else {
        const before = own.get(key) ?? (await txn.get(key)) ?? [];
        if (!own.has(key)) reads.push([key, before]);
        if (kind === "append") {
          own.set(key, [...before.filter((one) => one !== id), id]);
          await txn.put(key, own.get(key));
        }
      }
      for (let i = 0; i < waits; i++) await pause();
    }
  });
  return { id, attempts, reads };
}

/** Edges from each transaction to those that must come after it. */
function dependencies(transactions, final) {
  const after = new Map(transactions.map(({ id }) => [id, new Set()]));
  const edge = (from, to) => {
    if (from !== undefined && to !== undefined && from !== to) after.get(from).add(to);
  };
  for (const order of final.values()) {
    for (const [place, id] of order.entries()) edge(id, order[place + 1]);
  }
  for (const { id, reads } of transactions) {
    for (const [key, seen] of reads) {
      const order = final.get(key) ?? [];
      if (seen.some((one, place) => order[place] !== one)) {
        throw new Error(
          `transaction ${id} read ${key} as ${seen}, which was never committed: ${order}`,
        );
      }
      edge(seen.at(-1), id);
      edge(
        id,
        order.slice(seen.length).find((one) => one !== id),
      );
    }
  }
  return after;
}

/** A cycle of transaction ids, or undefined. */
function cycleIn(after) {
  const state = new Map();
  const trail = [];
  const visit = (id) => {
    if (state.get(id) === "done") return undefined;
    if (state.get(id) === "open") return trail.slice(trail.indexOf(id));
    state.set(id, "open");
    trail.push(id);
    for (const next of after.get(id)) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    state.set(id, "done");
    return undefined;
  };
  for (const id of after.keys()) {
    const cycle = visit(id);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Runs `count` transactions, `width` at a time; returns a cycle if there is one, and the most attempts of one. */
export async function findCycle(storage, { seed, count, width }) {
  const random = new Random(seed);
  const transactions = [];
  let next = 1;
  const client = async () => {
    while (next <= count) transactions.push(await perform(storage, random, next++));
  };
  await Promise.all(Array.from({ length: width }, client));
  const final = await storage.list();
  return {
    cycle: cycleIn(dependencies(transactions, final)),
    attemptsMost: Math.max(...transactions.map(({ attempts }) => attempts)),
    attempts: transactions.reduce((sum, { attempts }) => sum + attempts, 0),
  };
}
