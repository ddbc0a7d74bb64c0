/**
 * Draws random programs for interpret.mjs. They avoid what would damage the reference's own state: alarm times <= 0,
 * the key it keeps alarms under, a transaction that writes around itself. Directed programs do that.
 */
import { ids } from "./generate-ids.mjs";
import {
  alarm,
  bad,
  deleteAll,
  get,
  getAlarm,
  list,
  plain,
  put,
  remove,
  setAlarm,
  sync,
} from "./generate-operations.mjs";
import { value } from "./generate-values.mjs";

const write = (random) =>
  random.weighted([
    [4, put],
    [3, remove],
  ])(random);

const read = (random) =>
  random.weighted([
    [4, get],
    [2, list],
  ])(random);

const data = (random) =>
  random.weighted([
    [4, write],
    [3, read],
  ])(random);

/** Operations in one turn: any, or writes before reads, whose order the reference keeps. */
function burst(random) {
  const any = () =>
    random.weighted([
      [6, write],
      [3, read],
      [1, deleteAll],
      [1, getAlarm],
      [1, setAlarm],
      [1, sync],
    ])(random);
  if (random.chance(0.3)) return { burst: random.many(2, 8, any) };
  const writes = random.many(0, 6, () => write(random));
  return { burst: [...writes, ...random.many(0, 4, () => read(random))] };
}

/** Transactions and plain operations in one turn, each on keys of its own: none may disturb another. */
function disjoint(random) {
  const part = (prefix) => {
    const own = () => prefix + random.pick(["", "a", "b", "é"]);
    const draw = () =>
      random.weighted([
        [4, { call: "get", args: [own()] }],
        [5, { call: "put", args: [own(), value(random, 0)] }],
        [2, { call: "delete", args: [own()] }],
        [2, { call: "delete", args: [[own(), prefix]] }],
        [3, { call: "list", args: [{ prefix, ...(random.chance(0.5) && { limit: 1 }) }] }],
      ]);
    return draw;
  };
  const parts = random.many(1, 4, (index) => ({
    transaction: random.many(1, 4, part(`t${index}`)),
    end: random.chance(0.2) ? { throw: 5 } : undefined,
  }));
  return { burst: [...random.many(0, 3, part("p")), ...parts, ...random.many(0, 1, part("q"))] };
}

/** What is no key or entries at all makes only ours fail, so the program has to catch it to go on alike. */
function badInTransaction(random) {
  const step = bad(random);
  const [first] = step.args;
  const isPut = step.call === "put" && typeof first !== "string" && first?.$ !== "repeat";
  return isPut && first?.$ !== "object" && first?.$ !== "entries"
    ? { ...step, caught: true }
    : step;
}

const inTransaction = (random) =>
  random.weighted([
    [20, data],
    [3, alarm],
    [2, () => ({ burst: random.many(2, 5, () => data(random)) })],
    [2, badInTransaction],
    [1, () => ({ call: "rollback", args: [] })],
    [1, () => ({ call: "deleteAll", args: [] })],
    [1, () => ({ call: "put", args: [{ $: "entries", n: 90, from: random.below(3) * 60 }] })],
    [1, () => ({ call: "delete", args: [{ $: "keys", n: 90, from: random.below(3) * 60 }] })],
    [2, () => ({ ...read(random), on: "storage" })],
    [1, () => ({ call: "transaction", args: [{ $: "function" }] })],
    [1, sync],
  ])(random);

function transaction(random) {
  const end = random.weighted([
    [6, undefined],
    [3, { return: value(random, 2) }],
    [2, { throw: random.pick([{ $: "error", type: "RangeError" }, 5, "text", null, { a: 1 }]) }],
  ]);
  return { transaction: random.many(0, 8, () => inTransaction(random)), end };
}

/** A finished transaction's handle, used again. */
function leaked(random) {
  const use = random.weighted([
    [3, plain],
    [1, alarm],
    [1, () => ({ call: "rollback", args: [] })],
  ])(random);
  const ending = random.pick([[], [], [{ call: "rollback", args: [] }]]);
  const body = [
    ...random.many(0, 2, () => get(random)),
    ...random.many(0, 1, () => put(random)),
    ...ending,
  ];
  return [
    { transaction: body, leak: true },
    { ...use, on: "leaked" },
  ];
}

const themes = {
  plain,
  values: (random) => [put, get][random.below(2)](random),
  lists: (random) =>
    random.weighted([
      [3, list],
      [2, put],
    ])(random),
  alarms: (random) =>
    random.weighted([
      [4, alarm],
      [1, plain],
      [1, deleteAll],
    ])(random),
  bursts: (random) => (random.chance(0.5) ? burst(random) : plain(random)),
  transactions: (random) => (random.chance(0.6) ? transaction(random) : plain(random)),
  together: (random) => (random.chance(0.3) ? disjoint(random) : plain(random)),
  leaks: (random) => (random.chance(0.4) ? leaked(random) : plain(random)),
  bad: (random) => (random.chance(0.6) ? bad(random) : plain(random)),
  ids,
};

export function program(random) {
  const chosen = [random.pick(Object.keys(themes)), random.pick(Object.keys(themes)), "plain"];
  return {
    object: random.chance(0.85) ? "ALARMED" : "PLAIN",
    inside: random.chance(0.4),
    steps: random.many(5, 25, () => themes[random.pick(chosen)](random)).flat(),
  };
}

/** How many operations a list of steps asks for. */
export function size(steps) {
  return steps.reduce((sum, { call, burst, transaction: body }) => {
    if (call !== undefined) return sum + 1;
    return sum + (burst === undefined ? 1 + size(body) : size(burst));
  }, 0);
}
