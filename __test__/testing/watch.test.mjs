// Jest and Vitest that watch: a change of the worker, or of what it imports, runs the tests again.
import { test } from "node:test";
import { installation, project } from "../support/runners.mjs";
import { watchWith } from "../support/watching.mjs";

const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";

const WORKER = `
import { step } from "./part.mjs";
export class Counter {
  constructor(state) { this.storage = state.storage; }
  async fetch() {
    const n = ((await this.storage.get("n")) ?? 0) + step();
    await this.storage.put("n", n);
    return new Response(n);
  }
}
export default { fetch: (request, env) => env.COUNTER.get(env.COUNTER.idFromName("a")).fetch(request) };
`;
const part = (step) => `export const step = () => ${step};\n`;
const TEST = `
test("counts", async () => {
  const { COUNTER } = getMiniflareBindings();
  const response = await COUNTER.get(COUNTER.idFromName("a")).fetch("http://localhost/");
  expect(await response.text()).toBe("1");
});
`;
const options = {
  modules: true,
  scriptPath: "src/worker.mjs",
  durableObjects: { COUNTER: "Counter" },
};

async function open(t, packages, files) {
  const installed = await installation(packages, { reference: false });
  const made = await project(installed, {
    "src/worker.mjs": WORKER,
    "src/part.mjs": part(1),
    ...files,
  });
  t.after(made.remove);
  return made.folder;
}

/** The tests pass, fail when a module of the worker has changed, and pass again; a syntax error is told and survived. */
async function follows(watched, { passed, failed }) {
  await watched.shows(passed);
  await watched.change("src/part.mjs", part(5));
  await watched.shows(failed);
  await watched.change("src/part.mjs", "export const step = ( => 1;\n");
  await watched.shows(/part\.mjs:1/, /Time:|Duration/);
  await watched.change("src/part.mjs", part(1));
  await watched.shows(passed);
  await watched.change("src/worker.mjs", WORKER.replace("step();", "step() + 1;"));
  await watched.shows(failed);
}

const vitestConfig = (given) => `
import ferroflare from "ferroflare/vitest";
export default { plugins: [ferroflare(${JSON.stringify(given)})], test: { globals: true } };
`;
const VITEST = {
  passed: /Tests\s+1 passed[\s\S]*Duration/,
  failed: /Tests\s+1 failed[\s\S]*Duration/,
};

test("watch: Vitest runs tests again when the worker changes, or what it imports", async (t) => {
  const files = { "vitest.config.mjs": vitestConfig(options), "test/a.test.mjs": TEST };
  const folder = await open(t, { vitest }, files);
  await follows(watchWith(t, folder, ["vitest", "--watch"]), VITEST);
});

test("watch: Vitest runs tests again when the entry that it imports changes, or the configuration file", async (t) => {
  const config = (name) => `{
    "main": "src/worker.mjs",
    "vars": { "NAME": "${name}" },
    "durable_objects": { "bindings": [{ "name": "COUNTER", "class_name": "Counter" }] }
  }`;
  const files = {
    "vitest.config.mjs": vitestConfig({ main: "src/worker.mjs" }),
    "wrangler.jsonc": config("a"),
    "test/a.test.mjs": `${TEST}\ntest("name", () => expect(getMiniflareBindings().NAME).toBe("a"));\n`,
  };
  const folder = await open(t, { vitest }, files);
  const watched = watchWith(t, folder, ["vitest", "--watch"]);
  await watched.shows(/Tests\s+2 passed[\s\S]*Duration/);
  await watched.change("src/part.mjs", part(5));
  await watched.shows(/Tests\s+1 failed[\s\S]*Duration/);
  await watched.change("src/part.mjs", part(1));
  await watched.shows(/Tests\s+2 passed[\s\S]*Duration/);
  await watched.change("wrangler.jsonc", config("b"));
  await watched.shows(/Tests\s+1 failed[\s\S]*Duration/);
});

test("watch: Jest with --watchAll runs tests again when the worker changes, or what it imports", async (t) => {
  const settings = { testEnvironment: "ferroflare/jest", testEnvironmentOptions: options };
  const files = { "jest.config.json": JSON.stringify(settings), "test/a.test.js": TEST };
  const folder = await open(t, { jest: "30" }, files);
  const watched = watchWith(t, folder, ["jest", "--watchAll"]);
  await follows(watched, {
    passed: /Tests:\s+1 passed[\s\S]*Time:/,
    failed: /Tests:\s+1 failed[\s\S]*Time:/,
  });
});
