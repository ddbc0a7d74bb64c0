// storage.kv and the asynchronous calls on the same keys: values, order, options, and the lazy list.
import { example } from "./examples/example.mjs";

example(
  "kv and the asynchronous calls read and write the same keys",
  async ({ storage, kv }) => {
    kv.put("a", { n: 1 });
    await storage.put({ b: 2, c: 3 });
    const put = kv.put("d", 4);
    return [
      await storage.get("a"),
      kv.get("b"),
      put,
      kv.get("nowhere"),
      [kv.delete("c"), kv.delete("c"), await storage.get("c")],
      await storage.list(),
      [...kv.list()],
    ];
  },
  [
    { n: 1 },
    2,
    "<undefined>",
    "<undefined>",
    [true, false, "<undefined>"],
    ["<map>", ["a", { n: 1 }], ["b", 2], ["d", 4]],
    [
      ["a", { n: 1 }],
      ["b", 2],
      ["d", 4],
    ],
  ],
);

example(
  "values are structured clones: a put takes what is there, each get gives a new one",
  ({ kv }) => {
    const value = {
      at: new Date(5),
      map: new Map([[1, new Set([2n])]]),
      bytes: new Uint8Array([1, 2]),
      again: undefined,
    };
    value.self = value.map;
    kv.put("a", value);
    value.at = 7;
    const [one, other] = [kv.get("a"), kv.get("a")];
    return [one, one === other, one.self === one.map];
  },
  [
    {
      at: "<date 5>",
      map: ["<map>", [1, ["<set>", "<2n>"]]],
      bytes: "Uint8Array 1,2",
      again: "<undefined>",
      self: ["<map>", [1, ["<set>", "<2n>"]]],
    },
    false,
    true,
  ],
);

example(
  "undefined is stored by kv, and refused by the asynchronous put",
  async ({ storage, kv, attemptLater }) => {
    kv.put("a", undefined);
    return [kv.get("a"), [...kv.list()], await attemptLater(() => storage.put("a", undefined))];
  },
  ["<undefined>", [["a", "<undefined>"]], "TypeError: put() called with undefined value."],
);

example(
  "what cannot be cloned is refused, and the old value stays",
  async ({ storage, kv, attempt, attemptLater }) => {
    kv.put("a", "old");
    const refused = [() => 1, Symbol("s"), Promise.resolve(1), { f() {} }];
    return [
      refused.map((value) => attempt(() => kv.put("a", value))),
      await attemptLater(() => storage.put("a", Symbol("s"))),
      kv.get("a"),
    ];
  },
  [
    [
      "DOMException: () => 1 could not be cloned.",
      "DOMException: Symbol(s) could not be cloned.",
      "DOMException: #<Promise> could not be cloned.",
      "DOMException: f() {} could not be cloned.",
    ],
    "DOMException: Symbol(s) could not be cloned.",
    "old",
  ],
);

example(
  "arguments that are missing are named; others are made strings",
  ({ kv, attempt }) => {
    kv.put(5, "five");
    kv.put(null, "null");
    kv.put("", "empty");
    return [
      attempt(() => kv.get()),
      attempt(() => kv.put()),
      attempt(() => kv.put("a")),
      attempt(() => kv.put({ a: 1 })),
      attempt(() => kv.delete()),
      attempt(() => kv.get(Symbol("s"))),
      [kv.get("5"), kv.get(null), kv.get(""), kv.get(["5"]), kv.delete([""])],
    ];
  },
  [
    "TypeError: Failed to execute 'get' on 'SyncKvStorage': parameter 1 is not of type 'string'.",
    "TypeError: Failed to execute 'put' on 'SyncKvStorage': parameter 1 is not of type 'string'.",
    "TypeError: Failed to execute 'put' on 'SyncKvStorage': parameter 2 is not of type 'JsValue'.",
    "TypeError: Failed to execute 'put' on 'SyncKvStorage': parameter 2 is not of type 'JsValue'.",
    "TypeError: Failed to execute 'delete' on 'SyncKvStorage': parameter 1 is not of type 'string'.",
    "TypeError: Cannot convert a Symbol value to a string",
    ["five", "null", "empty", "five", true],
  ],
);

example(
  "list() is in the order of the keys' bytes, with the options of the asynchronous one",
  ({ kv, attempt }) => {
    for (const key of ["b", "a", "b1", "", "b2", "c", "é", "a\0", "😀"]) kv.put(key, key);
    const keys = (options) => attempt(() => [...kv.list(options)].map(([key]) => key));
    return [
      undefined,
      null,
      { prefix: "b" },
      { start: "b1" },
      { startAfter: "b1" },
      { end: "b" },
      { limit: 2 },
      { reverse: true, limit: 2 },
      { prefix: "b", startAfter: "b", reverse: true },
      { start: "c", end: "b" },
      { limit: "2" },
    ].map(keys);
  },
  [
    ["", "a", "a\0", "b", "b1", "b2", "c", "é", "😀"],
    ["", "a", "a\0", "b", "b1", "b2", "c", "é", "😀"],
    ["b", "b1", "b2"],
    ["b1", "b2", "c", "é", "😀"],
    ["b2", "c", "é", "😀"],
    ["", "a", "a\0"],
    ["", "a"],
    ["😀", "é"],
    ["b2", "b1"],
    [],
    ["", "a"],
  ],
);

example(
  "options of list() that make no sense are refused",
  ({ kv, attempt }) =>
    [{ limit: 0 }, { limit: -1 }, { limit: null }, { start: "a", startAfter: "b" }, 5, "x"].map(
      (options) => attempt(() => kv.list(options)),
    ),
  [
    "TypeError: List limit must be positive.",
    "TypeError: List limit must be positive.",
    "TypeError: List limit must be positive.",
    "TypeError: list() cannot be called with both start and startAfter values.",
    "TypeError: Failed to execute 'list' on 'SyncKvStorage': parameter 1 is not of type 'ListOptions'.",
    "TypeError: Failed to execute 'list' on 'SyncKvStorage': parameter 1 is not of type 'ListOptions'.",
  ],
);

example(
  "list() is a lazy iterator that sees later writes",
  ({ kv }) => {
    for (const key of ["a", "b", "c", "d"]) kv.put(key, 1);
    const list = kv.list();
    const first = list.next();
    kv.put("a1", 2);
    kv.delete("c");
    const rest = [...list].map(([key]) => key);
    const tag = Object.prototype.toString.call(list);
    return [first, rest, tag, list[Symbol.iterator]() === list, list.next(), typeof list.map];
  },
  [
    { done: false, value: ["a", 1] },
    ["a1", "b", "d"],
    "[object ListIterator]",
    true,
    { done: true, value: "<undefined>" },
    "function",
  ],
);

example(
  "a second list ends the first one, also an asynchronous list",
  ({ storage, kv, attempt }) => {
    for (const key of ["a", "b", "c"]) kv.put(key, 1);
    const [first, ended] = [kv.list(), kv.list({ limit: 1 })];
    const ends = [...ended].length;
    const told = attempt(() => first.next());
    const third = kv.list();
    third.next();
    storage.list();
    return [told, ends, ended.next().done, attempt(() => third.next()), [...kv.list()].length];
  },
  [
    "Error: kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.",
    1,
    true,
    "Error: kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.",
    3,
  ],
);

example(
  "keys can be deleted while they are listed",
  ({ kv }) => {
    for (let i = 0; i < 10; i++) kv.put(`k${i}`, i);
    for (const [key] of kv.list({ prefix: "k" })) kv.delete(key);
    return [...kv.list()];
  },
  [],
);

example(
  "the tables of keys and of the alarm are made when they are needed",
  async ({ storage, kv, rows }) => {
    const tables = () => rows("SELECT name, sql FROM sqlite_schema");
    const before = tables();
    kv.put("a", 1);
    await storage.setAlarm(4e12);
    return [before, tables()];
  },
  [
    [],
    [
      {
        name: "_cf_KV",
        sql: "CREATE TABLE _cf_KV (\n        key TEXT PRIMARY KEY,\n        value BLOB\n      ) WITHOUT ROWID",
      },
      {
        name: "_cf_METADATA",
        sql: "CREATE TABLE _cf_METADATA (\n        key INTEGER PRIMARY KEY,\n        value BLOB\n      )",
      },
    ],
  ],
);

example(
  "a list that is refused ends no other list, and of two mistakes one is told",
  async ({ kv, storage, attempt, attemptLater }) => {
    kv.put("a", 1);
    const results = [];
    for (const options of [
      { limit: 0 },
      { limit: Number.NaN },
      { limit: 0, start: "a", startAfter: "b" },
    ]) {
      for (const list of [() => storage.list(options), () => kv.list(options)]) {
        const walked = kv.list();
        results.push([await attemptLater(list), attempt(() => walked.next().value)]);
      }
    }
    return results;
  },
  [
    "List limit must be positive.",
    "List limit must be positive.",
    "list() cannot be called with both start and startAfter values.",
  ].flatMap((text) => Array(2).fill([`TypeError: ${text}`, ["a", 1]])),
);
