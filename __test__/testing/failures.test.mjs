// What Jest and Vitest show when a worker fails or logs: its file and line, no frames of ours, no process that has not started.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { installation, project, runCommand } from "../support/runners.mjs";

const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";

const WORKER = `import { fail } from "./part.mjs";
export class Counter {
  constructor(state) { this.storage = state.storage; }
  async fetch(request) {
    console.log("said by the worker");
    if (request.url.endsWith("/fail")) fail();
    await this.storage.put("key".repeat(1000), 1);
  }
}
export default {};
`;
const PART = `export function fail() {
  null.value;
}
`;
const TESTS = `
const stub = () => { const { COUNTER } = getMiniflareBindings(); return COUNTER.get(COUNTER.idFromName("a")); };
test("throws", async () => { await stub().fetch("http://localhost/fail"); });
test("stores", async () => { await stub().fetch("http://localhost/"); });
`;
const options = { modules: true, scriptPath: "worker.mjs", durableObjects: { COUNTER: "Counter" } };
const settings = { testEnvironment: "ferroflare/jest", testEnvironmentOptions: options };
const vitestConfig = (more) => `import ferroflare from "ferroflare/vitest";
export default { plugins: [ferroflare(${JSON.stringify(options)})], test: { globals: true, ${more} } };`;
const RUNNERS = {
  Jest: {
    files: { "jest.config.json": JSON.stringify(settings), "a.test.js": TESTS },
    command: ["jest"],
  },
  Vitest: {
    files: { "vitest.config.mjs": vitestConfig(""), "a.test.mjs": TESTS },
    command: ["vitest", "run"],
  },
};

let installed;
before(async () => {
  installed = await installation({ jest: "30", vitest });
});

/** Runs the tests of a project, which fail; resolves with what the runner has written. */
async function run(t, { files, command }, changes = {}) {
  const all = { "worker.mjs": WORKER, "part.mjs": PART, ...files, ...changes };
  const made = await project(installed, all);
  t.after(made.remove);
  const { code, output } = await runCommand(made.folder, command);
  assert.equal(code, 1, output);
  return output;
}

/** No frame of this package or of Miniflare, and no process that ends or does not start. */
function assertOrdinary(output) {
  assert.doesNotMatch(output, /node_modules\S*(?:ferroflare|miniflare)\/(?:lib|dist)/, output);
  assert.doesNotMatch(output, /triggerUncaught|Unhandled|Failed to start/, output);
}

for (const [name, runner] of Object.entries(RUNNERS)) {
  test(`${name}: a failing test shows the line of the worker, and no frames of ours`, async (t) => {
    const output = await run(t, runner);
    assertOrdinary(output);
    assert.match(output, /2 ?\|\s+null\.value;\s+\|\s+\^/, output);
    assert.match(output, /worker\.mjs:6:40/);
    assert.match(output, /worker\.mjs:7:24/);
    assert.match(
      output,
      /7 ?\|\s+await this\.storage\.put\("key"\.repeat\(1000\), 1\);\s+\|\s+\^/,
      output,
    );
    assert.match(output, /a\.test\.m?js:3:\d+/);
  });

  test(`${name}: a worker that cannot run is a failure of the test file, with the place`, async (t) => {
    const cases = [
      [{ "part.mjs": "export const fail = ( => 1;\n" }, /part\.mjs:1:23/],
      [{ "worker.mjs": WORKER.replace("{ fail }", "{ fall }") }, /worker\.mjs:1:10/],
      [{ "worker.mjs": `null.x;\n${WORKER}` }, /worker\.mjs:1:6/],
      [{ "worker.mjs": WORKER.replace("Counter", "Countre") }, /Class "Counter"/],
    ];
    for (const [changes, place] of cases) {
      const output = await run(t, runner, changes);
      assertOrdinary(output);
      assert.match(output, place);
      if (/:/.test(place.source)) assert.match(output, /\n\s*(?:\|\s*)?\^/);
    }
  });
}

test("Vitest: what the worker logs has the header of its test, and obeys --silent", async (t) => {
  const { files, command } = RUNNERS.Vitest;
  const shown = await run(t, { files, command });
  assert.match(shown, /stdout \| a\.test\.mjs > throws\nsaid by the worker\n/);
  const silent = await run(t, { files, command: [...command, "--silent"] });
  assert.doesNotMatch(silent, /^said by the worker/m);
  const filter = 'onConsoleLog: (text) => !text.includes("said by")';
  const filtered = await run(t, {
    files: { ...files, "vitest.config.mjs": vitestConfig(filter) },
    command,
  });
  assert.doesNotMatch(filtered, /^said by the worker/m);
});

test("Vitest: a function of the project still chooses among the frames of others", async (t) => {
  const { files, command } = RUNNERS.Vitest;
  const chosen = 'onStackTrace: (error, { file }) => !file.endsWith("part.mjs")';
  const output = await run(t, {
    files: { ...files, "vitest.config.mjs": vitestConfig(chosen) },
    command,
  });
  assertOrdinary(output);
  assert.match(output, /worker\.mjs:6:40/);
  assert.doesNotMatch(output, /part\.mjs/);
});
