// S11: the eleven documented rules of validation, each with its error, inside an object and outside it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Miniflare } from "ferroflare";
import { allowed, rules } from "../fixtures/validation/rules.mjs";

const scriptPath = fileURLToPath(new URL("../fixtures/validation/rules.mjs", import.meta.url));
let mf;
let namespace;
let other;

before(async () => {
  mf = new Miniflare({
    modules: true,
    scriptPath,
    durableObjects: { TEST: "Test", OTHER: "Test", MUTE: "Mute" },
  });
  namespace = await mf.getDurableObjectNamespace("TEST");
  other = await mf.getDurableObjectNamespace("OTHER");
});

after(() => mf.dispose());

/** Runs a case in a new object and returns the error as the worker saw it, and the keys that are stored afterwards. */
async function inside(binding, rule, name) {
  const chosen = await mf.getDurableObjectNamespace(binding);
  const stub = chosen.get(chosen.newUniqueId());
  const query = new URLSearchParams({ rule, name });
  const response = await stub.fetch(`http://localhost:8787/?${query}`);
  return response.json();
}

/** Runs a case on the storage of an object that never starts. */
async function outside(run) {
  const storage = await mf.getDurableObjectStorage(namespace.newUniqueId());
  let error;
  try {
    await run({ storage, namespace, other });
  } catch (thrown) {
    error = thrown;
  }
  return { error, keys: [...(await storage.list()).keys()] };
}

for (const [rule, cases] of Object.entries(rules)) {
  describe(`S11: ${rule}`, () => {
    for (const { name, type, message, run, where = "both", binding = "TEST" } of cases) {
      if (where !== "inside") {
        test(`S11: ${name}, outside: ${type}`, async () => {
          const { error, keys } = await outside(run);
          assert.ok(error instanceof globalThis[type], `${error}`);
          assert.equal(error.name, type);
          assert.equal(error.message, message);
          assert.deepEqual(keys, []);
        });
      }
      test(`S11: ${name}, inside: ${type}`, async () => {
        const { error, keys } = await inside(binding, rule, name);
        assert.deepEqual(error, { name: type, constructor: type, isError: true, message });
        assert.deepEqual(keys, []);
      });
    }
  });
}

describe("S11: what the rules allow", () => {
  for (const { name, run } of allowed) {
    test(`S11: ${name}, outside`, async () => {
      const { error } = await outside(run);
      assert.equal(error, undefined);
    });
    test(`S11: ${name}, inside`, async () => {
      const { error } = await inside("TEST", "allowed", name);
      assert.equal(error, undefined);
    });
  }
});
