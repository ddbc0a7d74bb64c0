// Draws what statements are given: bindings, values and keys of key-value storage, and SQL literals.

// A newer SQLite writes more digits of a number as text: none of these has more than fifteen.
const NUMBERS = [
  0,
  1,
  -1,
  2,
  7,
  42,
  0.5,
  -0.25,
  1e-7,
  2 ** 31,
  -(2 ** 31),
  1e14,
  -1e14,
  1e20,
  1e300,
];
const TEXTS = [
  "",
  "a",
  "b",
  "aa",
  "Abc",
  "1",
  "2.5",
  "-3",
  "1e3",
  "0x10",
  " 7 ",
  "é",
  "😀",
  "é😀x",
  "\u2028",
  "a\0b",
  "it's",
  'say "x"',
  "%",
  "a_c",
  "null",
  "one two",
  "{}",
  "[1,2]",
  '{"a":1,"b":[2]}',
  "2024-02-29",
];

/** Whether SQLite 3.47 takes bytes for JSONB by their header alone; a newer one sees a digit first, and reads a text. */
const isHalfJsonb = ([first, ...rest]) => first >= 0x33 && first <= 0x39 && rest.length === 3;

function bytes(r) {
  const drawn = r.many(0, 4, () => r.below(256));
  return isHalfJsonb(drawn) ? [0, ...drawn.slice(1)] : drawn;
}

/** What a statement is usually bound to. */
const COMMON = [
  [10, (r) => ["plain", r.pick(NUMBERS)]],
  [10, (r) => ["plain", r.below(10)]],
  [10, (r) => ["plain", r.pick(TEXTS)]],
  [3, () => ["plain", null]],
  [2, (r) => ["buffer", ...bytes(r)]],
  [2, (r) => ["bytes", ...bytes(r)]],
];
const UNUSUAL = [
  [2, () => ["undefined"]],
  [2, (r) => ["number", r.pick(["NaN", "-0"])]],
  [2, (r) => ["plain", r.chance(0.5)]],
  [2, (r) => ["date", r.pick([0, 1e12])]],
  [1, (r) => ["object", ["a", ["plain", r.below(9)]]]],
  [1, () => ["list", ["plain", 1], ["plain", "x"]]],
  [1, () => ["fn"]],
  [2, (r) => ["part", ...bytes(r)]],
  [1, (r) => ["floats", r.below(9) / 2]],
  [1, (r) => ["data", ...r.many(1, 3, () => r.below(256))]],
  [1, (r) => ["boxed", r.pick([5, "boxed", true])]],
  [1, (r) => ["speaking", r.pick(["said", "7"])]],
  [1, (r) => ["long", "x", r.between(100, 6_000)]],
];
const REFUSED = [["big", "5"], ["symbol", "s"], ["bare"], ["failing", "no text"]];

/** A value to bind; now and then one that cannot be bound. */
export function binding(r) {
  if (r.chance(0.01)) return r.pick(REFUSED);
  return r.weighted(r.chance(0.2) ? UNUSUAL : COMMON)(r);
}

/** A binding for a column that is compared or used as a key: few values, so that they meet. */
export const smallBinding = (r) =>
  r.chance(0.15) ? binding(r) : ["plain", r.chance(0.7) ? r.below(8) : r.pick(["a", "b", "x"])];

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

/** A literal in SQL. SQL text ends at NUL, so no literal has one. */
export function literal(r) {
  return r.weighted([
    [6, () => String(r.below(10))],
    [2, () => String(r.between(-20, 200))],
    [2, () => r.pick(["0.5", "-0.25", "1e3", "0x1F"])],
    [5, () => quoted(r.pick(TEXTS.filter((text) => !text.includes("\0"))))],
    [2, () => "NULL"],
    [1, () => `x'${Buffer.from(bytes(r)).toString("hex")}'`],
    [1, () => r.pick(["TRUE", "FALSE"])],
  ])();
}

const STORED = [
  [6, (r) => ["plain", r.pick([0, 1, -5, 1.5, "a", "é😀", "", true, false, null])]],
  [1, () => ["undefined"]],
  [1, () => ["number", "NaN"]],
  [1, () => ["number", "-0"]],
  [1, () => ["big", "123456789012345678901234567890"]],
  [1, () => ["date", 1e12]],
  [1, (r) => ["bytes", ...bytes(r)]],
  [1, (r) => ["buffer", ...bytes(r)]],
  [1, (r) => ["long", "y", r.between(100, 9_000)]],
];

/** A value of key-value storage; now and then one that cannot be stored. */
export function stored(r, depth = 0) {
  if (r.chance(0.02)) return r.pick([["fn"], ["symbol", "s"]]);
  const inner = () => stored(r, depth + 1);
  if (depth > 1 || r.chance(0.7)) return r.weighted(STORED)(r);
  return r.weighted([
    [2, () => ["list", ...r.many(0, 3, inner)]],
    [3, () => ["object", ...r.many(0, 3, (i) => [`k${i}`, inner()])]],
    [1, () => ["map", ...r.many(0, 2, () => [inner(), inner()])]],
    [1, () => ["set", ...r.many(0, 2, inner)]],
  ])();
}

const KEYS = ["", "a", "b", "a:1", "a:2", "a:3", "b:1", "b:2", "é", "z", "_cf_x", "k'q", "a\0b"];
export const key = (r) => ["plain", r.pick(KEYS)];
/** A key, or what is made one. */
export const anyKey = (r) =>
  r.chance(0.04)
    ? r.pick([
        ["plain", 5],
        ["plain", null],
        ["symbol", "k"],
      ])
    : key(r);

/** Options of `list()`, or none. */
export function listOptions(r) {
  if (r.chance(0.25)) return null;
  const options = {};
  const some = (name, value) => {
    if (r.chance(0.3)) options[name] = value();
  };
  some("prefix", () => r.pick(["a", "a:", "b", "", "zz"]));
  // workerd does not even look for what is certainly not there.
  if (options.prefix === undefined) some("end", () => r.pick(["b", "é", "z"]));
  some("reverse", () => r.chance(0.7));
  some("limit", () => (r.chance(0.05) ? 0 : r.between(1, 4)));
  const starts = options.end === undefined ? KEYS : ["", "a"];
  if (r.chance(0.5)) some("start", () => r.pick(starts));
  else some("startAfter", () => r.pick(starts));
  if (r.chance(0.02)) Object.assign(options, { start: "a", startAfter: "b" });
  return options;
}
