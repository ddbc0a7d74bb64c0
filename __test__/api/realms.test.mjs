// Realms of `node:vm`: errors of the core belong to the one whose program has called.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import vm from "node:vm";
import { fixtures, packageRoot, runModule } from "../support/cli.mjs";
import { newRealm } from "../support/realm.mjs";

const manifest = path.join(packageRoot, "package.json");

/** The little of Jest's `expect` that the suite uses. */
function expect(value) {
  return {
    toBe: (expected) => assert.ok(Object.is(value, expected), `${value} is not ${expected}`),
    toEqual: (expected) => assert.deepEqual(JSON.stringify(value), JSON.stringify(expected)),
    toContain: (part) => assert.ok(value.includes(part), `${value} lacks ${part}`),
    not: {
      toContain: (part) => assert.ok(!value.includes(part), `${value} has ${part}`),
    },
  };
}

/** Runs a suite for test runners in a realm. */
function runSuite(name, { context, global, require }) {
  const file = path.join(fixtures, "runners", `${name}.test.mjs`);
  Object.assign(global, { beforeAll: before, afterAll: after, describe, test, expect });
  const source = `(function (require) {${readFileSync(file, "utf8")}\n})`;
  vm.runInContext(source, context, { filename: file })(require);
}

describe("a realm of node:vm", () => runSuite("realms", newRealm(manifest)));

test("what the binding itself refuses, and with it a panic, is an error of the realm with the stack of its caller", () => {
  const { require, global } = newRealm(manifest);
  const { IdFactory, Store } = require("./dist/native/addon.js");
  const ids = new IdFactory("NAME");
  for (const [call, code] of [
    [() => ids.idFromName(5), "StringExpected"],
    [() => new IdFactory(5), "StringExpected"],
    [() => Store.memory({}), "InvalidArg"],
  ]) {
    assert.throws(call, (error) => {
      assert.ok(Object.getPrototypeOf(error) === global.Error.prototype);
      assert.equal(error.code, code);
      assert.match(error.stack, /^Error: [^\n]+\n +at .*realms\.test/);
      return true;
    });
  }
});

test("two realms have one store of a directory each, and each its own errors", async () => {
  const realms = [newRealm(manifest), newRealm(manifest)];
  const addons = realms.map(({ require }) => require("./dist/native/addon.js"));
  assert.notEqual(addons[0].Store, addons[1].Store);
  for (const [i, { checkKey }] of addons.entries()) {
    assert.throws(
      () => checkKey("k".repeat(2049)),
      (error) => Object.getPrototypeOf(error) === realms[i].global.RangeError.prototype,
    );
  }
});

test("inside a worker errors are instances of its classes, as on Miniflare 2", async () => {
  const script = `
    const kinds = { RangeError, TypeError, Error, Object };
    const found = async (action) => {
      try {
        await action();
      } catch (error) {
        return [...Object.keys(kinds).filter((kind) => error instanceof kinds[kind]), error.name, error.message];
      }
    };
    export class Tested {
      constructor(state, env) {
        this.storage = state.storage;
        this.env = env;
      }
      alarm() {}
      async fetch() {
        const key = "k".repeat(2049);
        const many = Array.from({ length: 200 }, (_, i) => String(i));
        return Response.json([
          await found(() => this.storage.get(key)),
          await found(() => this.storage.put(key, 1)),
          await found(() => this.storage.get(many)),
          await found(() => this.storage.list({ limit: 0 })),
          await found(() => this.env.TESTED.idFromString("x")),
        ]);
      }
    }
    export default { fetch() {} }`;
  const { stdout, stderr } = await runModule(`
    const script = ${JSON.stringify(script)};
    const results = [];
    for (const { Miniflare } of [await import("miniflare"), await import("ferroflare")]) {
      const mf = new Miniflare({ modules: true, script, durableObjects: { TESTED: "Tested" } });
      const namespace = await mf.getDurableObjectNamespace("TESTED");
      const response = await namespace.get(namespace.newUniqueId()).fetch("http://localhost/");
      results.push(await response.json());
      await mf.dispose();
    }
    console.log(JSON.stringify(results));`);
  assert.equal(stderr, "");
  const [reference, ours] = JSON.parse(stdout);
  assert.deepEqual(ours, reference);
  assert.deepEqual(ours[0].slice(0, 3), ["RangeError", "Error", "Object"]);
});
