// Names of bindings, classes and objects, ids and options that are made to lead elsewhere. On disk, files/layout.test.mjs
// shows that nothing leaves the directory.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import vm from "node:vm";
import { Miniflare } from "../../index.mjs";
import { onEachBackend } from "../support/backends.mjs";
import { assertOutcome, nested, outcome, revoked } from "../support/hostile.mjs";

const script = `
export class Any {
  constructor(state) {
    this.state = state;
  }
  alarm() {}
  async fetch() {
    return new Response(String(await this.state.storage.get("name")));
  }
}
export default { fetch() {} }`;

const names = [
  "..",
  "../../x",
  "a/b",
  "a\\b",
  "",
  "\0",
  "a\0b",
  "{}",
  "{a}",
  "a{b}c",
  "}{",
  "a:b",
  "*?[a-z]",
  "\u001b[31m\r\n",
  "\ud800",
  "__proto__",
  "toString",
  "x".repeat(10_240),
  "{".repeat(10_240),
];
const shown = (name) => JSON.stringify(name.slice(0, 16));

onEachBackend("names", (place) => {
  test("of bindings and of objects keep apart whatever they are, and alarms and lists find them", async (t) => {
    const durableObjects = Object.create(null);
    for (const name of names) {
      Object.defineProperty(durableObjects, name, { value: "Any", enumerable: true });
    }
    const mf = new Miniflare({
      modules: true,
      script,
      durableObjects,
      durableObjectsPersist: await place(t),
    });
    t.after(() => mf.dispose());
    const written = [];
    for (const binding of names) {
      const namespace = await mf.getDurableObjectNamespace(binding);
      for (const name of [names[0], names.at(-1), binding]) {
        const id = namespace.idFromName(name);
        const storage = await mf.getDurableObjectStorage(id);
        const content = `${shown(binding)} ${shown(name)} ${binding.length} ${name.length}`;
        await storage.put("name", content);
        await storage.setAlarm(4_000_000_000_000);
        written.push([namespace, id, storage, content]);
      }
    }
    for (const [namespace, id, storage, content] of written) {
      assert.deepEqual([...(await storage.list())], [["name", content]]);
      assert.equal(await storage.getAlarm(), 4_000_000_000_000);
      const response = await namespace.get(id).fetch("http://localhost/");
      assert.equal(await response.text(), content);
    }
  });

  test("of ids are any text that toString() returns, and none other", async (t) => {
    const durableObjectsPersist = await place(t);
    const options = { modules: true, script, durableObjects: { ANY: "Any" } };
    const mf = new Miniflare({ ...options, durableObjectsPersist });
    t.after(() => mf.dispose());
    const texts = [...names.map((name) => `id ${name}`), "..", "{}", "\0"];
    for (const text of texts) {
      const storage = await mf.getDurableObjectStorage({ toString: () => text });
      await storage.put("name", text);
    }
    for (const text of texts) {
      const storage = await mf.getDurableObjectStorage({ toString: () => text });
      assert.deepEqual([...(await storage.list()).values()], [text], shown(text));
    }
    let calls = 0;
    const changing = { toString: () => `changes ${calls++}` };
    await (await mf.getDurableObjectStorage(changing)).put("name", "once");
    assert.equal(calls, 1);
  });
});

describe("ids", () => {
  const mf = new Miniflare({ modules: true, script, durableObjects: { ANY: "Any" } });
  after(() => mf.dispose());
  const mine = () => {
    throw new Error("mine");
  };
  const noId = (received) => ({
    name: "TypeError",
    message: `Not a Durable Object ID: received ${received}. Pass what idFromName(), idFromString() or newUniqueId() of the namespace returns.`,
  });
  const isRevoked = { name: "TypeError", message: /proxy that has been revoked/ };
  const foreign = { name: "TypeError", message: "ID is not for this Durable Object class." };
  const noString = { name: "TypeError", message: /parameter 1 is not of type 'string'/ };
  const noHex = {
    name: "TypeError",
    code: "ERR_ID_FORMAT",
    message: "Invalid Durable Object ID. Durable Object IDs must be 64 hex digits.",
  };

  /** What is passed, and what `getStorage()`, `get()` and `idFromString()` say. */
  const rows = [
    ["a number from toString()", { toString: () => 5 }, noId("number"), foreign, noHex],
    [
      "an object from toString()",
      { toString: () => ({}) },
      noId("an instance of Object"),
      foreign,
      { name: "TypeError", message: "Cannot convert object to primitive value" },
    ],
    [
      "a toString() that throws",
      { toString: mine },
      { name: "Error", message: "mine" },
      foreign,
      { name: "Error", message: "mine" },
    ],
    ["a revoked proxy", revoked(), isRevoked, isRevoked, isRevoked],
    ["null", null, noId("null"), { name: "TypeError", message: /received null/ }, noHex],
    ["a symbol", Symbol("s"), noId("symbol"), foreign, noHex],
    [
      "digits of another realm",
      vm.runInNewContext("({ toString: () => 'a'.repeat(64) })"),
      undefined,
      foreign,
      noString,
    ],
  ];
  for (const [what, id, ofStorage, ofGet, ofString] of rows) {
    test(what, async () => {
      const namespace = await mf.getDurableObjectNamespace("ANY");
      if (ofStorage) {
        assertOutcome(await outcome(() => mf.getDurableObjectStorage(id)), ofStorage, "getStorage");
      }
      assertOutcome(await outcome(() => namespace.get(id)), ofGet, "get");
      assertOutcome(await outcome(() => namespace.idFromString(id)), ofString, "idFromString");
      assertOutcome(await outcome(() => namespace.idFromName(id)), noString, "idFromName");
    });
  }
});

const option = (message) => ({
  name: "DurableObjectError [ERR_OPTION]",
  code: "ERR_OPTION",
  message: `Invalid value for ${message}`,
});
const noObjects = (value) =>
  option(`durableObjects: ${value} (expected an object of NAME: class name)`);

/** Options of the plugin that are of a wrong type, and the error of the first use. */
const options = [
  ["an array of bindings", { durableObjects: ["Any"] }, noObjects("Any")],
  ["a map of bindings", { durableObjects: new Map([["ANY", "Any"]]) }, noObjects("[object Map]")],
  ["a text of bindings", { durableObjects: "ANY=Any" }, noObjects('"ANY=Any"')],
  [
    "bindings that cannot be read",
    { durableObjects: revoked() },
    { name: "TypeError", message: /proxy that has been revoked/ },
  ],
  [
    "a symbol for a class",
    { durableObjects: { ANY: Symbol("x") } },
    option("durableObjects.ANY: Symbol(x) (expected a class name or { className, scriptName })"),
  ],
  [
    "a number for a mount",
    { durableObjects: { ANY: { className: "Any", scriptName: 5 } } },
    option("durableObjects.ANY.scriptName: 5 (expected the name of a mount)"),
  ],
  [
    "a class that leads elsewhere",
    { durableObjects: { ANY: "../../Any" } },
    {
      name: "DurableObjectError [ERR_CLASS_NOT_FOUND]",
      code: "ERR_CLASS_NOT_FOUND",
      message: /^Class "\.\.\/\.\.\/Any" for Durable Object "ANY" not found\. /,
    },
  ],
  [
    "a class that every object has",
    { durableObjects: { ANY: "constructor" } },
    {
      name: "DurableObjectError [ERR_CLASS_NOT_FOUND]",
      code: "ERR_CLASS_NOT_FOUND",
      message: /^Class "constructor" for Durable Object "ANY" not found\./,
    },
  ],
  [
    "a text for alarms",
    { durableObjectsAlarms: "x" },
    option('durableObjectsAlarms (--do-alarms): "x" (expected true or false)'),
  ],
];

describe("options", () => {
  for (const [what, given, expected] of options) {
    test(`an option of a wrong type: ${what}`, async () => {
      const tried = await outcome(async () => {
        const mf = new Miniflare({
          modules: true,
          script,
          durableObjects: { ANY: "Any" },
          ...given,
        });
        try {
          const namespace = await mf.getDurableObjectNamespace("ANY");
          await namespace.get(namespace.idFromName("x")).fetch("http://localhost/");
        } finally {
          await mf.dispose().catch(() => {});
        }
      });
      assertOutcome(tried, expected, what);
    });
  }
});

describe("RPC", () => {
  const modern = `
import { DurableObject } from "cloudflare:workers";
const nested = ${nested.toString()};
export class Deep extends DurableObject {
  give(levels) {
    return nested(levels);
  }
  take(value) {
    return typeof value;
  }
}
export default {
  async fetch(request, { DEEP }) {
    const [, method, levels] = new URL(request.url).pathname.split("/");
    const stub = DEEP.get(DEEP.idFromName("x"));
    try {
      await (method === "give" ? stub.give(+levels) : stub.take(nested(+levels)));
      return new Response("passed");
    } catch ({ name, message }) {
      return new Response(name + ": " + message);
    }
  },
}`;
  const full = "RangeError: Maximum call stack size exceeded";

  test("passes what is nested 900 levels deep, and refuses 100,000 as Miniflare 4 does", async (t) => {
    const mf = new Miniflare({
      modules: true,
      script: modern,
      compatibilityDate: "2026-01-01",
      durableObjects: { DEEP: "Deep" },
    });
    t.after(() => mf.dispose());
    for (const method of ["give", "take"]) {
      const said = async (levels) =>
        (await mf.dispatchFetch(`http://localhost/${method}/${levels}`)).text();
      assert.equal(await said(900), "passed");
      assert.equal(await said(100_000), full);
      assert.equal(await said(1), "passed");
    }
  });
});
