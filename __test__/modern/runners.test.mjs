// Modern objects in Jest and Vitest, run as a user runs them: the module, RPC, isolation, and what rejects unseen.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import test, { before } from "node:test";
import { installation, project, runCommand } from "../support/runners.mjs";

const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";
const PACKAGES = {
  jest: "30",
  vitest,
  "@vitest/coverage-v8": vitest,
  "@vitest/coverage-istanbul": vitest,
};

const worker = `
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Cursor extends RpcTarget { next() { return 1; } }
export class Counter extends DurableObject {
  async add(n) { const value = ((await this.ctx.storage.get("value")) ?? 0) + n; await this.ctx.storage.put("value", value); return value; }
  object() { return { list: [1, new Map([["a", 1]])], at: new Date(0) }; }
  cursor() { return new Cursor(); }
  fail() { throw new TypeError("failed"); }
  call(f) { return f(1); }
}
export default { async fetch(request, env) { return Response.json(await env.COUNTER.getByName("a").add(1)); } };
`;

/** The tests of both runners, after what imports \`workers\` and the globals. */
const tests = `
const { DurableObject, env } = workers;
const stub = () => env.COUNTER.getByName("a");
describe("modern objects", () => {
  test("have RPC, whose results are of the realm of the test", async () => {
    expect(await stub().add(2)).toBe(2);
    expect(await stub().object()).toStrictEqual({ list: [1, new Map([["a", 1]])], at: new Date(0) });
    expect(await stub().cursor().next()).toBe(1);
    expect(await stub().call((x) => x + 1)).toBe(2);
    await expect(stub().fail()).rejects.toThrow(TypeError);
  });
  test("start each test from what is stored", async () => {
    expect(await stub().add(3)).toBe(3);
    expect(getMiniflareBindings().COUNTER.getByName("a").name).toBe("a");
  });
  test("have the base class that tests import", async () => {
    const seen = await runInDurableObject(stub(), (instance, state) => [instance instanceof DurableObject, state.id.name, instance.ctx === state]);
    expect(seen).toEqual([true, "a", true]);
    class Own extends DurableObject { where() { return this.ctx.id.toString(); } }
    const { id } = stub();
    expect(new Own(await getMiniflareDurableObjectState(id), env).where()).toBe(String(id));
    expect(() => new Own({}, env)).toThrow(TypeError);
  });
  test("reject unseen without a word", async () => {
    for (let i = 0; i < 100; i++) { stub().fail(); stub().nosuch.deeper(); stub().call(() => { throw new Error("callback"); }); }
    expect(await stub().add(1)).toBe(1);
  });
  test("can be disposed of", () => {
    expect(Object.getOwnPropertyNames(class { [Symbol.dispose]() {} }.prototype)).toEqual(["constructor"]);
  });
});
`;

const options = {
  modules: true,
  scriptPath: "worker.mjs",
  durableObjects: { COUNTER: "Counter" },
  compatibilityDate: "2026-04-25",
};

let installed;
before(async () => {
  installed = await installation(PACKAGES);
});

/** Runs a command in a project, and gives the counts of its JSON report. */
async function run(t, files, command) {
  const made = await project(installed, { "worker.mjs": worker, ...files });
  t.after(made.remove);
  const { code, output } = await runCommand(made.folder, command);
  assert.equal(code, 0, output);
  const report = JSON.parse(await readFile(path.join(made.folder, "report.json"), "utf8"));
  assert.deepEqual([report.numPassedTests, report.numFailedTests], [5, 0], output);
  assert.doesNotMatch(output, /unhandled/i);
}

test("runners: Jest with the preset runs tests of modern objects", (t) =>
  run(
    t,
    {
      "jest.config.js": `module.exports = { preset: "ferroflare", testEnvironmentOptions: ${JSON.stringify(options)} };`,
      "modern.test.js": `const workers = require("cloudflare:workers");\n${tests}`,
    },
    ["jest", "--json", "--outputFile=report.json"],
  ));

test("runners: Vitest with the plugin runs tests of modern objects", (t) =>
  run(
    t,
    {
      "vitest.config.mjs": `import ferroflare from "ferroflare/vitest";
        export default { plugins: [ferroflare(${JSON.stringify(options)})], test: { globals: true } };`,
      "modern.test.js": `import * as workers from "cloudflare:workers";\n${tests}`,
    },
    ["vitest", "run", "--reporter=json", "--outputFile=report.json"],
  ));
