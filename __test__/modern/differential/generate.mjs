// Draws programs of the comparison: steps on one object, as JSON.

/** Values that cross, and values that do not. */
const LEAVES = [
  [
    6,
    (r) => ["plain", r.pick([null, true, false, 0, 1, -1, 1.5, 2 ** 40, "", "a", "é😀", "\u2028"])],
  ],
  [1, () => ["undefined"]],
  [1, () => ["nan"]],
  [1, () => ["minus"]],
  [1, (r) => ["big", r.pick(["0", "-5", "123456789012345678901234567890"])]],
  [1, (r) => ["date", r.pick([0, 1e12])]],
  [1, (r) => ["regexp", r.pick(["a+", "x|y"])]],
  [1, (r) => ["bytes", ...r.many(0, 4, () => r.below(256))]],
  [1, (r) => ["floats", ...r.many(0, 3, () => r.below(9) / 2)]],
  [1, (r) => ["buffer", ...r.many(0, 4, () => r.below(256))]],
  [1, (r) => ["view", ...r.many(1, 4, () => r.below(256))]],
  [1, (r) => ["data", ...r.many(1, 4, () => r.below(256))]],
  [1, (r) => ["boxed", r.below(9)]],
];

const OTHERS = [
  [2, (r) => ["fn", r.below(9)]],
  [2, (r) => ["target", r.pick(["t", "u"])]],
  [1, (r) => ["stub", r.below(9)]],
  [2, (r) => ["error", r.pick(COPIED_ERRORS), "value"]],
  [1, (r) => ["cycle", r.pick(["c", "d"])]],
  [1, (r) => ["headers", r.pick(["a", "b"])]],
  [1, () => ["response", "body"]],
  [1, () => ["request", "body"]],
  [1, () => ["proxy"]],
  [1, (r) => ["getter", r.below(9)]],
  [1, (r) => ["hole", value(r, 2)]],
];

const REFUSED = [
  "proxyOfList",
  "instance",
  "null-object",
  "promise",
  "weak",
  "url",
  "namespace",
  "id",
  "form",
  "generator",
  "getter-fails",
  "property",
  "signal",
];

const ERRORS = [
  ...[
    "type",
    "range",
    "syntax",
    "cause",
    "own",
    "named",
    "renamed",
    "subclass",
    "aggregate",
    "dom",
  ],
  ...["hidden", "unclonable", "instance", "object", "array", "text", "number", "nothing", "nil"],
  ...["big", "fn", "target"],
];
/** Of those the ones that are values too. */
const COPIED_ERRORS = [
  "type",
  "range",
  "syntax",
  "cause",
  "own",
  "named",
  "renamed",
  "subclass",
  "dom",
];

function value(r, depth = 0) {
  const inner = () => value(r, depth + 1);
  if (depth > 2 || r.chance(0.4)) return r.weighted(LEAVES)(r);
  return r.weighted([
    [3, () => ["list", ...r.many(0, 3, inner)]],
    [3, () => ["object", ...r.many(0, 3, (i) => [`k${i}`, inner()])]],
    [1, () => ["map", ...r.many(0, 2, () => [inner(), inner()])]],
    [1, () => ["set", ...r.many(0, 2, inner)]],
    [1, () => ["twice", inner()]],
    [4, () => r.weighted(OTHERS)(r)],
  ])();
}

/** Any value, now and then one that cannot cross. */
function anything(r) {
  if (r.chance(0.15)) {
    const refused = [r.pick(REFUSED)];
    return r.chance(0.5) ? refused : ["list", ["plain", 1], refused];
  }
  if (r.chance(0.05)) return ["symbol", "s"];
  return value(r);
}

const MEMBERS = [
  ...[
    "own",
    "count",
    "tree",
    "number",
    "failing",
    "promised",
    "fixed",
    "_private",
    "who",
    "nosuch",
    "ctx",
    "env",
  ],
  ...[
    "alarm",
    "webSocketMessage",
    "webSocketClose",
    "webSocketError",
    "dup",
    "then2",
    "call",
    "bind",
  ],
];
const PATHS = [
  ["tree"],
  ["tree", "a"],
  ["tree", "a", "b"],
  ["tree", "a", "f"],
  ["tree", "a", "nosuch"],
  ["tree", "a", "b", "x"],
  ["tree", "n"],
  ["tree", "n", "x"],
  ["tree", "t", "getter"],
  ["tree", "t", "own"],
  ["tree", "t", "hi"],
  ["tree", "t", "dup"],
  ["tree", "t", "parts", "inner", "getter"],
  ["number", "x"],
  ["failing", "x"],
  ["promised"],
  ["nosuch", "deeper"],
];
/** What can be called on the result of a method, and with what. */
const PIPES = [
  ["object", [["plain", 3]], ["f"], [["plain", 1]]],
  ["object", [["plain", 3]], ["t", "hi"], [["plain", 2]]],
  ["object", [["plain", 3]], ["deep", "g"], []],
  ["object", [["plain", 3]], ["nosuch"], []],
  ["object", [["plain", 3]], ["n"], []],
  ["object", [["plain", 3]], ["list", "map"], []],
  ["target", [["plain", "p"]], ["hi"], [["plain", 4]]],
  ["target", [["plain", "p"]], ["child"], [["plain", "q"]]],
  ["target", [["plain", "p"]], ["parts", "call"], [["plain", 4]]],
  ["target", [["plain", "p"]], ["parts", "inner", "hi"], [["plain", 5]]],
  ["target", [["plain", "p"]], ["fail"], [["plain", "piped"]]],
  ["target", [["plain", "p"]], ["own"], []],
  ["target", [["plain", "p"]], ["later"], [["plain", "x"]]],
  ["fn", [["plain", 2]], [], [["plain", 6]]],
  ["fn", [["plain", 2]], ["method"], [["plain", 7]]],
  [
    "raise",
    [
      ["plain", "type"],
      ["plain", "m"],
    ],
    ["a", "b"],
    [],
  ],
  ["nosuch", [], ["a"], []],
  ["echo", [["plain", null]], ["a"], []],
  ["echo", [["plain", "text"]], ["length"], []],
];
const PIPE_READS = [
  ["object", [["plain", 3]], ["list"]],
  ["object", [["plain", 3]], ["deep"]],
  ["object", [["plain", 3]], ["nosuch"]],
  ["target", [["plain", "p"]], ["getter"]],
  ["target", [["plain", "p"]], ["parts", "n"]],
  ["target", [["plain", "p"]], ["own"]],
  ["fn", [["plain", 2]], ["prop", "q"]],
  ["fn", [["plain", 2]], ["length"]],
  [
    "raise",
    [
      ["plain", "range"],
      ["plain", "m"],
    ],
    ["a"],
  ],
];

const noted = (r) =>
  r.many(2, 6, () => r.pick([["note", r.below(100)], ["note", "x"], ["echo", 1], ["fetch"]]));

const STEPS = [
  [14, (r) => ["call", ["echo"], r.many(1, 2, () => anything(r))]],
  [6, (r) => ["call", ["make"], [["plain", anything(r)]]]],
  [4, (r) => ["call", [r.pick(MEMBERS)], []]],
  [4, (r) => ["read", [r.pick(MEMBERS)]]],
  [3, (r) => ["read", r.pick(PATHS)]],
  [3, (r) => ["call", r.pick(PATHS), []]],
  [6, (r) => ["pipe", ...r.pick(PIPES)]],
  [3, (r) => ["pipeRead", ...r.pick(PIPE_READS)]],
  [
    8,
    (r) => [
      "call",
      [r.pick(["raise", "raiseLater"])],
      [
        ["plain", r.pick(ERRORS)],
        ["plain", r.pick(["m", ""])],
      ],
    ],
  ],
  [
    2,
    (r) => [
      "call",
      ["pass"],
      [
        ["plain", r.pick(COPIED_ERRORS)],
        ["plain", "passed"],
      ],
    ],
  ],
  [4, (r) => ["callback", value(r), r.chance(0.3) ? r.pick(ERRORS) : null]],
  [1, (r) => ["kinds", r.pick(["foo", "fetch", "id", "name", "toString", "then", "0", "call"])]],
  [1, () => ["awaited"]],
  [1, (r) => ["sameResult", ["object", ["k", ["plain", r.below(9)]]]]],
  [
    2,
    (r) => [
      "result",
      r.below(9),
      r.pick([["f"], ["t", "hi"], ["deep", "g"], ["t", "nosuch"]]),
      [["plain", 1]],
    ],
  ],
  [1, (r) => ["dup", r.pick(["a", "b"])]],
  [1, (r) => ["disposeResult", r.below(9)]],
  [1, (r) => ["disposePromise", r.pick(["a", "b"])]],
  [2, (r) => ["keep", r.below(9), r.chance(0.5)]],
  [1, (r) => ["passStub", r.below(9)]],
  [2, (r) => ["passBack", r.pick(["a", "b"])]],
  [
    2,
    (r) => [
      "local",
      r.pick([["f"], ["n", "g"], ["t", "hi"], ["t", "fail"], ["a"], ["nosuch"], ["t", "own"]]),
      [["plain", r.below(9)]],
    ],
  ],
  [
    1,
    (r) => [
      "wrap",
      r.pick([
        ["plain", 5],
        ["list"],
        ["instance"],
        ["null-object"],
        ["fn", 1],
        ["target", "w"],
        ["map"],
        ["object"],
        ["proxy"],
        ["proxyOfList"],
        ["stub", 1],
      ]),
    ],
  ],
  [4, (r) => ["together", noted(r)]],
  [
    2,
    (r) => [
      "fresh",
      r.many(1, 3, () => r.pick([["note", 1], ["who"], ["nosuch"], ["block", 5], ["number"]])),
    ],
  ],
  [1, (r) => ["counters", r.pick(["", "timer"]), r.between(2, 5)]],
  [1, (r) => ["blockCalling", r.below(9)]],
  [
    2,
    (r) => [
      "byName",
      r.pick(["", "name", "é😀", "x".repeat(1024), "x".repeat(1025), "é".repeat(513)]),
    ],
  ],
  [1, () => ["unique"]],
  [
    1,
    (r) => [
      "getOptions",
      r.pick([
        null,
        {},
        { locationHint: "x" },
        { routingMode: "x" },
        { routingMode: "primary-only" },
        { routingMode: null },
        5,
      ]),
    ],
  ],
  [1, () => ["noName"]],
  [
    1,
    (r) => [
      r.pick(["classic", "classicRead"]),
      r.pick([["method"], ["nosuch"], ["method", "deeper"]]),
    ],
  ],
  [1, () => ["silent"]],
  [
    1,
    (r) => [
      "thenArguments",
      r.pick(["then", "catch", "finally"]),
      r.pick([[], [["plain", 5]], [["plain", null]]]),
    ],
  ],
  [1, (r) => ["handled", r.pick(["catch"])]],
  [1, (r) => ["many", r.between(1, 5)]],
];

/** A program on an object of its own. */
export function program(random, name) {
  return { name, steps: random.many(20, 40, () => random.weighted(STEPS)(random)) };
}
