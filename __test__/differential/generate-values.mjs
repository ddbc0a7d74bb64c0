/** Draws keys, values and bad arguments for random programs, as specifications that values.mjs builds. */
import { cycleNames, oddityNames, sharingNames } from "./values.mjs";

const key2048 = { $: "repeat", s: "k", n: 2048 };
const wide2048 = { $: "repeat", s: "é", n: 1024 };
const key2049 = { $: "repeat", s: "k", n: 2049 };
const wide2049 = { $: "repeat", s: "é", n: 1024, tail: "x" };
const astral2052 = { $: "repeat", s: "😀", n: 513 };

const commonKeys = [
  "😀",
  "\uffff",
  "a",
  "b",
  "c",
  "ab",
  "abc",
  "b/1",
  "b/2",
  "a/b",
  "",
  "__proto__",
];
const oddKeys = [
  "\0",
  "😀",
  "\uffff",
  "\u0080",
  "é",
  "10",
  "2",
  "constructor",
  "a\0",
  "\ud800",
  key2048,
  wide2048,
];
const symbol = { $: "symbol", name: "key" };
const notKeys = [{ $: "undefined" }, null, 5, true, {}, symbol, { $: "function" }];

export function key(random) {
  return random.pick(random.chance(0.8) ? commonKeys : oddKeys);
}

export function badKey(random) {
  return random.pick(random.chance(0.4) ? [key2049, wide2049, astral2052] : notKeys);
}

/** A read of the storage in the middle of another operation. */
const reentrance = (random) => ({
  call: random.pick(["get", "list"]),
  args: random.chance(0.5) ? [] : [random.pick([keys(random), key(random)])],
});

/** A value with a getter that reads the storage while the value is serialised. */
export const reentrantValue = (random) => ({ $: "reentrant", ...readable(reentrance(random)) });

/** Keys of which one reads the storage when it is looked at. */
export const reentrantKeys = (random) => ({
  $: "reentrantKeys",
  keys: random.many(1, 5, () => key(random)),
  ...readable(reentrance(random)),
});

const readable = ({ call, args }) => (call === "list" ? { call, args: [] } : { call, args });

/** A batch of keys: duplicates, missing ones, `undefined` ones. */
export function keys(random) {
  return random.many(0, 5, () => (random.chance(0.1) ? { $: "undefined" } : key(random)));
}

export function badKeys(random) {
  return random.weighted([
    [2, { $: "keys", n: random.between(127, 130) }],
    [3, [...keys(random), badKey(random)]],
    [1, [badKey(random), ...keys(random)]],
  ]);
}

const leaves = [
  0,
  1,
  -1,
  42,
  1.5,
  1e21,
  2 ** 30,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  "",
  "text",
  "é",
  "😀",
  "\ud800",
  "\0",
  true,
  false,
  null,
  ...["-0", "-0", "-0", "NaN", "Infinity", "-Infinity", "5e-324"].map((n) => ({ $: "number", n })),
  ...["0", "-1", "18446744073709551616", "-9223372036854775809"].map((n) => ({ $: "bigint", n })),
  { $: "date", t: 1_700_000_000_000 },
  { $: "date", t: -1 },
  { $: "date", t: 8.64e15 },
  { $: "regexp", s: "a|b", f: "gi" },
  { $: "regexp", s: "^é$", f: "suy" },
  { $: "repeat", s: "x", n: 100 },
  { $: "repeat", s: "é", n: 300 },
  { $: "repeat", s: "ж", n: 300 },
];

const views = [
  "Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
  "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array", "ArrayBuffer", "DataView",
]; // biome-ignore format: one list

const errorTypes = [
  "Error",
  "TypeError",
  "RangeError",
  "SyntaxError",
  "EvalError",
  "URIError",
  "ReferenceError",
];
const names = ["a", "b", "é", "__proto__", "constructor", "1", "x y", "😀"];

function error(random) {
  const spec = {
    $: "error",
    type: random.pick(errorTypes),
    message: random.pick(["", "m", "é\n"]),
  };
  if (random.chance(0.3)) spec.name = random.pick(["TypeError", "Custom", ""]);
  if (random.chance(0.3)) spec.cause = leaf(random);
  if (random.chance(0.2)) spec.extra = 1;
  return spec;
}

const leaf = (random) => random.pick(leaves);

const bytes = (random) =>
  random.many(0, 2, () => random.many(8, 8, () => random.below(256))).flat();

/** Values that the structured clone algorithm takes, of every kind. */
export function value(random, depth = 3) {
  const inner = () => value(random, depth - 1);
  const named = () => random.many(0, 4, () => [random.pick(names), inner()]);
  if (depth === 0) return leaf(random);
  return random.weighted([
    [40, leaf(random)],
    [14, { $: "object", e: random.chance(0.9) ? named() : [] }],
    [10, random.many(0, 4, inner)],
    [5, { $: "map", e: random.many(0, 3, () => [inner(), inner()]) }],
    [4, { $: "set", v: random.many(0, 3, inner) }],
    [5, { $: "bytes", type: random.pick(views.slice(0, 12)), bytes: bytes(random) }],
    [1, { $: "bytes", type: "DataView", bytes: [1, 2, 3] }],
    [5, error(random)],
    [
      3,
      {
        $: "boxed",
        of: random.pick([1, "s", true, { $: "bigint", n: "7" }, { $: "number", n: "-0" }]),
      },
    ],
    [2, { $: "nullPrototype", e: named() }],
    [2, { $: "cycle", of: random.pick(cycleNames) }],
    [3, { $: "shared", of: random.pick(sharingNames) }],
    [8, { $: "odd", of: random.pick(oddityNames) }],
  ]);
}

/** Sizes on both sides of the limit of 131,072 + 32 bytes, counted as V8 serialises them. */
function atTheLimit(random) {
  const edge = 131_104;
  return random.weighted([
    [2, { $: "repeat", s: "x", n: edge - random.between(4, 16) }],
    [2, { $: "repeat", s: "é", n: edge - random.between(4, 16) }],
    [2, { $: "repeat", s: "ж", n: edge / 2 - random.between(1, 8) }],
    [2, { $: "zeros", n: edge - random.between(3, 14) }],
    [1, { $: "repeat", s: "é", n: random.pick([127, 128, 16_383, 16_384, 16_385]) }],
  ]);
}

export function badValue(random) {
  return random.weighted([
    [3, { $: "undefined" }],
    [2, { $: "function" }],
    [2, { $: "symbol", name: "value" }],
    [2, [1, { $: "function" }]],
    [2, { a: { $: "symbol", name: "deep" } }],
    [1, { $: "zeros", n: 200_000 }],
    [2, atTheLimit(random)],
  ]);
}
