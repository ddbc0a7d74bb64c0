/** Draws single operations with their arguments, good and bad, as steps for interpret.mjs. */
import {
  badKey,
  badKeys,
  badValue,
  key,
  keys,
  reentrantKeys,
  reentrantValue,
  value,
} from "./generate-values.mjs";

const undefinedValue = { $: "undefined" };
const number = (n) => ({ $: "number", n });
const limits = [1, 2, 3, 5, 1.5, 0.5, "2", true, number("NaN"), number("Infinity"), 1000];
const badLimits = [0, -1, null, false, number("-Infinity"), ""];
const bounds = ["start", "startAfter", "end", "prefix"];

function options(random) {
  const draw = () => ({
    ...(random.chance(0.5) && { allowConcurrency: random.chance(0.7) }),
    ...(random.chance(0.5) && { allowUnconfirmed: random.chance(0.7) }),
    ...(random.chance(0.3) && { noCache: true }),
  });
  return random.chance(0.15) ? [draw()] : [];
}

function listOptions(random, bad) {
  const drawn = {};
  for (const bound of bounds) {
    if (!random.chance(0.3)) continue;
    if (bound === "startAfter" && drawn.start !== undefined && !bad) continue;
    drawn[bound] = random.chance(0.9)
      ? key(random)
      : random.pick([undefinedValue, 2, 10, "\u{10ffff}"]);
  }
  if (random.chance(0.35))
    drawn.reverse = random.pick([true, true, false, 1, 0, "", undefinedValue]);
  if (random.chance(0.4)) drawn.limit = random.pick(limits);
  if (bad && random.chance(0.6)) drawn.limit = random.pick(badLimits);
  return drawn;
}

const entries = (random, draw) => ({
  $: "object",
  e: random.many(0, 5, () => [
    random.pick(["a", "b", "c", "ab", "", "é", "10", "2", "__proto__", "b/1"]),
    draw(),
  ]),
});

const oneOrSome = (random) =>
  random.weighted([
    [28, key],
    [11, keys],
    [1, reentrantKeys],
  ])(random);

export const get = (random) => ({
  call: "get",
  args: [oneOrSome(random), ...options(random)],
});

const stored = (random) => (random.chance(0.03) ? reentrantValue(random) : value(random));

export const put = (random) =>
  random.chance(0.25)
    ? { call: "put", args: [entries(random, () => value(random, 2)), ...options(random)] }
    : random.chance(0.05)
      ? { call: "put", args: [key(random), { v: value(random) }], mutated: true }
      : { call: "put", args: [key(random), stored(random), ...options(random)] };

export const remove = (random) => ({
  call: "delete",
  args: [oneOrSome(random), ...options(random)],
});

export const list = (random) => ({
  call: "list",
  args: random.chance(0.1) ? [] : [listOptions(random, false)],
});

export const deleteAll = (random) => ({ call: "deleteAll", args: options(random) });
export const sync = () => ({ call: "sync", args: [] });
export const getAlarm = (random) => ({ call: "getAlarm", args: options(random) });
const deleteAlarm = (random) => ({ call: "deleteAlarm", args: options(random) });
const alarmTimes = [
  4e12,
  4e12 + 0.5,
  5e12,
  8.64e15,
  { $: "date", t: 4.2e12 },
  { $: "date", t: 4.3e12 },
];
export const setAlarm = (random) => ({
  call: "setAlarm",
  args: [random.pick(alarmTimes), ...options(random)],
});

export const bad = (random) =>
  random.weighted([
    [3, { call: "get", args: [random.chance(0.5) ? badKey(random) : badKeys(random)] }],
    [3, { call: "delete", args: [random.chance(0.5) ? badKey(random) : badKeys(random)] }],
    [2, { call: "put", args: [badKey(random), value(random, 1)] }],
    [3, { call: "put", args: [key(random), badValue(random)] }],
    [
      2,
      { call: "put", args: [entries(random, () => (random.chance(0.3) ? badValue(random) : 1))] },
    ],
    [1, { call: "put", args: [{ $: "entries", n: random.between(127, 130) }] }],
    [
      1,
      {
        call: "put",
        args: [
          {
            $: "object",
            e: [
              ["a", 1],
              [{ $: "repeat", s: "k", n: 2049 }, 2],
            ],
          },
        ],
      },
    ],
    [1, { call: "put", args: [key(random)] }],
    [1, { call: "put", args: [] }],
    [1, { call: "get", args: [] }],
    [1, { call: "delete", args: [] }],
    [3, { call: "list", args: [listOptions(random, true)] }],
    [1, { call: "list", args: [null] }],
    [1, { call: "setAlarm", args: [random.pick(["4e12", null, undefinedValue, {}, true])] }],
    [1, { call: "transaction", args: [random.pick([5, undefinedValue, null, {}])] }],
    [1, { call: "noSuchMethod", args: [] }],
  ]);

export const plain = (random) =>
  random.weighted([
    [8, get],
    [9, put],
    [5, remove],
    [7, list],
    [1, deleteAll],
    [1, sync],
  ])(random);

export const alarm = (random) =>
  random.weighted([
    [3, getAlarm],
    [2, setAlarm],
    [2, deleteAlarm],
  ])(random);
