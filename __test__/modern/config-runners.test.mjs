// Jest and Vitest in projects whose configuration file names the worker, which is TypeScript.
import assert from "node:assert/strict";
import path from "node:path";
import test, { before } from "node:test";
import { installation, project, runCommand } from "../support/runners.mjs";

const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";
const PACKAGES = {
  jest: "30",
  vitest,
  esbuild: "0.28",
};

const FILES = {
  "wrangler.jsonc": `{
    // the worker
    "main": "src/index.ts",
    "compatibility_date": "2026-04-01",
    "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }],
    "durable_objects": { "bindings": [{ "name": "ROOM", "class_name": "Room" }] },
    "vars": { "A": "top" },
    "env": {
      "test": {
        "vars": { "A": { "deep": 1 } },
        "durable_objects": { "bindings": [{ "name": "ROOM", "class_name": "Room" }] },
      },
    },
  }`,
  "src/index.ts": `import { Room } from "./room";
export { Room };
export default { fetch: async (request: Request, env: any): Promise<Response> =>
  Response.json(await env.ROOM.getByName("a").add(1)) };
`,
  "src/room.ts": `import { DurableObject } from "cloudflare:workers";

interface Env { A: unknown }

export class Room extends DurableObject<Env> {
  async add(n: number): Promise<number> {
    const value = ((await this.ctx.storage.get<number>("value")) ?? 0) + n;
    await this.ctx.storage.put("value", value);
    return value;
  }
  variable(): unknown { return this.env.A; }
  stack(): string { return new Error("here").stack!; }
  async fail(): Promise<never> {
    throw new RangeError("failed");
  }
}
`,
};

const TESTS = `
const stub = () => env.ROOM.getByName("a");
test("the worker of the configuration runs", async () => {
  expect(await stub().add(1)).toBe(1);
  expect(await stub().variable()).toEqual(EXPECTED);
});
test("each test has storage of its own", async () => {
  expect(await stub().add(1)).toBe(1);
});
test("stack traces name the lines of the sources", async () => {
  expect(await stub().stack()).toMatch(/src[\\\\/]room\\.ts:12:28/);
  const error = await stub().fail().catch((error) => error);
  expect(error).toBeInstanceOf(RangeError);
  expect(error.stack).toMatch(/src[\\\\/]room\\.ts:14:11/);
  expect(error.stack).toMatch(/worker\\.test\\.m?js:\\d+:/);
  expect(error.stack).not.toMatch(/bundle/);
});
`;

let installed;
before(async () => {
  installed = await installation(PACKAGES);
});

/** Runs tests of a project; resolves with the output. */
async function run(t, files, command, code = 0) {
  const made = await project(installed, { ...FILES, ...files });
  t.after(made.remove);
  const result = await runCommand(made.folder, command);
  assert.equal(result.code, code, result.output);
  return result.output;
}

const jestConfig = (options) =>
  `module.exports = { preset: "ferroflare", testEnvironmentOptions: ${JSON.stringify(options)} };`;
const vitestConfig = (options) =>
  `import ferroflare from "ferroflare/vitest";
   export default { plugins: [ferroflare(${JSON.stringify(options)})], test: { globals: true } };`;

const jestTests = (expected) => ({
  "worker.test.js": `const { env } = require("cloudflare:workers");\nconst EXPECTED = ${expected};${TESTS}`,
});
const vitestTests = (expected) => ({
  "worker.test.mjs": `import { env } from "cloudflare:workers";\nconst EXPECTED = ${expected};${TESTS}`,
});

test("runners: Jest takes the worker from wrangler.jsonc", async (t) => {
  const files = { "jest.config.js": jestConfig({}), ...jestTests('"top"') };
  assert.match(await run(t, files, ["jest"]), /Tests:\s+3 passed/);
});

test("runners: Vitest takes the worker from wrangler.jsonc", async (t) => {
  const files = { "vitest.config.mjs": vitestConfig({}), ...vitestTests('"top"') };
  assert.match(await run(t, files, ["vitest", "run"]), /Tests\s+3 passed/);
});

test("runners: an environment and a script of the options come before the file's", async (t) => {
  const options = { wranglerConfigEnv: "test", scriptPath: path.join("src", "index.ts") };
  const expected = "{ deep: 1 }";
  const jest = { "jest.config.js": jestConfig(options), ...jestTests(expected) };
  assert.match(await run(t, jest, ["jest"]), /Tests:\s+3 passed/);
  const vitest = { "vitest.config.mjs": vitestConfig(options), ...vitestTests(expected) };
  assert.match(await run(t, vitest, ["vitest", "run"]), /Tests\s+3 passed/);
});

test("runners: a worker that cannot be built fails its tests with file, line and caret", async (t) => {
  const broken = { "src/room.ts": "export class Room {\n  const a;\n}\n" };
  const place = /src\/room\.ts:2:9: Expected ";" but found "a"\n\n\s+const a;\n\s+\^/;
  const jest = { ...broken, "jest.config.js": jestConfig({}), ...jestTests("1") };
  assert.match(await run(t, jest, ["jest"], 1), place);
  const vitest = { ...broken, "vitest.config.mjs": vitestConfig({}), ...vitestTests("1") };
  assert.match(await run(t, vitest, ["vitest", "run"], 1), place);
});

test("runners: tests that need no worker run where it is missing, as in Miniflare 2's environments", async (t) => {
  const config = { "wrangler.jsonc": '{ "main": "dist/none.js", "vars": { "A": "a" } }' };
  const tests = 'test("variables", () => expect(getMiniflareBindings()).toEqual({ A: "a" }));';
  const jest = { ...config, "jest.config.js": jestConfig({}), "worker.test.js": tests };
  assert.match(await run(t, jest, ["jest"]), /Tests:\s+1 passed/);
  const vitest = { ...config, "vitest.config.mjs": vitestConfig({}), "worker.test.mjs": tests };
  assert.match(await run(t, vitest, ["vitest", "run"]), /Tests\s+1 passed/);
});
