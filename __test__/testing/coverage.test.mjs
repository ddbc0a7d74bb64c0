// Coverage of a worker: right by the way of the guide, and a warning that says what to do elsewhere.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { VM_MODULES } from "../support/runner-suites.mjs";
import { installation, project, runCommand } from "../support/runners.mjs";

const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";
const WORKER = `import { half } from "./part.mjs";
export class Counter {
  fetch(request) {
    if (request.url.endsWith("/never")) {
      return new Response("never");
    }
    return new Response(half(true));
  }
}
export default {};
`;
const PART = `export function half(all) {
  if (all) return 1;
  return 2;
}
`;
const TEST = `
test("uses the worker", async () => {
  const { COUNTER } = getMiniflareBindings();
  const response = await COUNTER.get(COUNTER.idFromName("a")).fetch("http://localhost/");
  expect(await response.text()).toBe("1");
});
`;
const durableObjects = { COUNTER: "Counter" };
const script = { modules: true, scriptPath: "src/worker.mjs", durableObjects };

let installed;
before(async () => {
  installed = await installation({
    jest: "30",
    vitest,
    "@vitest/coverage-v8": vitest,
    "@vitest/coverage-istanbul": vitest,
  });
});

async function run(t, files, command, options) {
  const all = { "src/worker.mjs": WORKER, "src/part.mjs": PART, ...files };
  const made = await project(installed, all);
  t.after(made.remove);
  const { code, output } = await runCommand(made.folder, command, options);
  assert.equal(code, 0, output);
  return output;
}

/** The lines that a report names as uncovered, by file. */
function uncovered(output) {
  const rows = [...output.matchAll(/^ *(\w+\.mjs) *\|(?:[^|]*\|){4} *([\d,-]*)/gm)];
  return Object.fromEntries(rows.map(([, file, lines]) => [file, lines]));
}

const WARNING = /the coverage of the worker is wrong or missing\. It needs (.*)\. See/g;
const warnings = (output) => [...output.matchAll(WARNING)].map(([, needs]) => needs);

function vitestRun(t, options, provider) {
  const config = `import ferroflare from "ferroflare/vitest";
export default { plugins: [ferroflare(${JSON.stringify(options)})], test: { globals: true } };`;
  const files = { "vitest.config.mjs": config, "a.test.mjs": TEST, "b.test.mjs": TEST };
  return run(t, files, ["vitest", "run", "--coverage", `--coverage.provider=${provider}`]);
}

for (const provider of ["v8", "istanbul"]) {
  test(`coverage: Vitest measures a worker that it imports: ${provider}`, async (t) => {
    const output = await vitestRun(t, { main: "src/worker.mjs", durableObjects }, provider);
    assert.deepEqual(uncovered(output), { "part.mjs": "3", "worker.mjs": "5" }, output);
    assert.deepEqual(warnings(output), []);
  });
}

test("coverage: Vitest warns once where it does not import the worker", async (t) => {
  const output = await vitestRun(t, script, "istanbul");
  assert.equal(warnings(output).length, 1, output);
  assert.match(warnings(output)[0], /the option "main" in the place of "scriptPath"/);
});

function jestRun(t, config, nodeOptions = "") {
  const settings = {
    testEnvironment: "ferroflare/jest",
    testEnvironmentOptions: script,
    ...config,
  };
  const files = {
    "jest.config.json": JSON.stringify(settings),
    "a.test.js": TEST,
    "b.test.js": TEST,
  };
  return run(t, files, ["jest", "--coverage"], { nodeOptions });
}

test("coverage: Jest measures a worker as the guide says", async (t) => {
  const config = { coverageProvider: "v8", collectCoverageFrom: ["src/**/*.mjs"] };
  const output = await jestRun(t, config, VM_MODULES);
  assert.deepEqual(uncovered(output), { "part.mjs": "3", "worker.mjs": "5-6" }, output);
  assert.deepEqual(warnings(output), []);
});

test("coverage: Jest warns once of all that is missing", async (t) => {
  assert.deepEqual(warnings(await jestRun(t, {})), [
    'coverageProvider: "v8", and collectCoverageFrom with the files of the worker, and NODE_OPTIONS=--experimental-vm-modules',
  ]);
});
