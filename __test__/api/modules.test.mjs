// Module workers without --experimental-vm-modules: every program shows what it shows with the flag, where Node.js links.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { linkPackage } from "../../scripts/lib/example.mjs";
import { packageRoot, VM_MODULES } from "../support/cli.mjs";
import { generatePrograms } from "./modules/generate.mjs";
import { allPrograms, differences } from "./modules/programs.mjs";

const RANDOM_GRAPHS = 400;

/** The programs that fail. */
const FAILING = [
  "an import that is missing",
  "a default that is missing",
  "a re-export that is missing",
  "an export of a text that is missing",
  "an import that is ambiguous",
  "a circular re-export",
  "a file that is missing",
  "a package",
  "a built-in module",
  "a rule of an unknown type",
  "a syntax error in the main script",
  "a syntax error in an import",
  "top-level await that rejects",
  "an error while evaluating",
  "a thrown value that is no error",
  "CommonJS that requires an ES module",
  "CommonJS that requires what no rule allows",
  "CommonJS that throws",
  "CommonJS that is broken",
  "a script without a file that imports",
  "a script without a file that is broken",
];
/** The programs that never end. */
const ENDLESS = ["top-level await that never ends", "dynamic import of itself, awaited"];

/** Runs a script of this folder in a Node.js of its own, to its end. */
async function run(script, { flags = [], args = [], input = "" } = {}) {
  const { NODE_OPTIONS, NODE_TEST_CONTEXT, ...env } = process.env;
  const file = path.join(packageRoot, script);
  const child = spawn(process.execPath, [...flags, file, ...args], { cwd: packageRoot, env });
  child.stdin.on("error", () => {}).end(input);
  const ended = once(child, "close");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await ended;
  return { code, stdout, stderr };
}

async function show(script, flags, input) {
  const { code, stdout, stderr } = await run(script, { flags, input });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Resolves with what programs show where Node.js links, and where we do. */
function showBoth(script, input) {
  return Promise.all([show(script, ["--no-warnings", VM_MODULES], input), show(script, [], input)]);
}

describe("modules: linked without a flag as Node.js links them with it", () => {
  const programs = allPrograms();
  const shown = showBoth("__test__/api/modules/run.mjs", JSON.stringify(programs));
  for (const { name } of programs) {
    test(`modules: ${name}`, async () => {
      const [theirs, ours] = await shown;
      assert.deepEqual(ours[name], theirs[name]);
    });
  }

  test("modules: programs fail only where they should, and the others show what they export", async () => {
    const [, ours] = await shown;
    const those = (chosen) => programs.map(({ name }) => name).filter((name) => chosen(ours[name]));
    assert.deepEqual(
      those(({ failed }) => failed !== undefined),
      FAILING,
    );
    assert.deepEqual(
      those(({ stalled }) => stalled),
      ENDLESS,
    );
    assert.equal(
      those(({ exports }) => exports !== undefined).length,
      programs.length - FAILING.length - ENDLESS.length,
    );
    assert.deepEqual(ours["live bindings"].lines.slice(0, 2), [
      "number 0 | number 0",
      "number 1 | number 1",
    ]);
  });
});

test(`modules: ${RANDOM_GRAPHS} random graphs show the same with the flag and without`, async () => {
  const programs = generatePrograms(1, RANDOM_GRAPHS);
  const [theirs, ours] = await showBoth("__test__/api/modules/run.mjs", JSON.stringify(programs));
  const working = programs.filter(({ name }) => ours[name].exports !== undefined);
  assert.ok(working.length > RANDOM_GRAPHS / 2, `${working.length} of them run to their end`);
  for (const { name, files } of programs) {
    assert.deepEqual(ours[name], theirs[name], `${name}\n${JSON.stringify(files, null, 1)}`);
  }
});

describe("modules: differences", () => {
  const shown = showBoth("__test__/api/modules/run.mjs", JSON.stringify(differences));
  const nodeMajor = Number.parseInt(process.versions.node, 10);

  async function checkDifference(name) {
    const { lines, failed, fixedInNode } = differences.find((one) => one.name === name);
    const [theirs, ours] = await shown;
    if (nodeMajor >= (fixedInNode ?? Infinity)) {
      assert.deepEqual(ours[name], theirs[name]);
      return;
    }
    assert.notDeepEqual(ours[name], theirs[name]);
    assert.deepEqual(ours[name].lines, lines);
    assert.deepEqual(ours[name].failed?.places, failed);
    assert.equal(ours[name].unhandled, undefined);
  }

  test("modules: an assignment to a namespace is refused in other words", () =>
    checkDifference("assignment to a namespace"));
  test("modules: columns move right after the call of an import that changes", () =>
    checkDifference("columns after the call of an import that changes"));
  test("modules: an import of a module that has failed before gives its error", () =>
    checkDifference("an import of a module that has failed before"));
  test("modules: syntax that acorn does not know is an error that says how to do without it", () =>
    checkDifference("syntax that acorn does not know"));
  test("modules: nesting that is too deep for acorn is such an error too", () =>
    checkDifference("nesting that is too deep for acorn"));
  test("modules: several imports that are awaited together come in their order", () =>
    checkDifference("several imports that are awaited together"));
  test("modules: a name that nested stars make ambiguous is not in the namespace", () =>
    checkDifference("a name that nested stars make ambiguous"));
  test("modules: wasm that is broken is one error and no unhandled rejection", () =>
    checkDifference("wasm that is broken"));
});

describe("modules: the Miniflare class without the flag", () => {
  const shown = showBoth("__test__/api/modules/miniflare.mjs");
  const expected = {
    modulesRules: '["hello you","text","<p>",4,42,{"old":{"default":"text"}}]',
    "wrangler.toml": "# Title",
    mounts: ["10", "20"],
    reload: ["1", "2", "3", "103"],
    watch: ["before", "after"],
    "two instances": ["1", "2", "1", "3"],
    "a site's manifest": '{"page.txt":"$__MINIFLARE_SITES__$/page.txt"}',
    "stack traces": [
      "Error: from helper",
      `    at helper (${path.join("ROOT", "stack", "helper.mjs")}:2:9)`,
      `    at Object.fetch (${path.join("ROOT", "stack", "worker.mjs")}:5:11)`,
    ],
    "source maps": [
      "Error: mapped",
      `    at mapped (${path.join("ROOT", "mapped", "original.ts")}:3:5)`,
    ],
    "an import that no rule allows": {
      name: "VMScriptRunnerError [ERR_MODULE_RULE]",
      code: "ERR_MODULE_RULE",
      message:
        'Unable to resolve "rule.mjs" dependency "some-package": no matching module rules.\n' +
        "If it is an npm package, install it beside esbuild, which then builds it into the worker: npm install --save-dev some-package esbuild",
    },
    "a script given as text": ["undefinedundefined", ["default", "named"]],
    "a service worker": "service true",
  };
  for (const [name, value] of Object.entries(expected)) {
    test(`modules: Miniflare: ${name}`, async () => {
      const [theirs, ours] = await shown;
      assert.deepEqual(ours[name], value);
      assert.deepEqual(theirs[name], value);
    });
  }
});

/** What Node.js 18 says about itself. */
const ED25519_WARNING = /^\(node:\d+\) ExperimentalWarning: The Ed25519.*\n\(Use `node .*\n/;

test("S12: Miniflare's documented example runs by plain node, and prints nothing else", async () => {
  linkPackage("outside-worker");
  const [plain, flagged] = await Promise.all([
    run("examples/outside-worker/index.mjs"),
    run("examples/outside-worker/index.mjs", { flags: ["--no-warnings", VM_MODULES] }),
  ]);
  assert.deepEqual([plain.code, plain.stderr.replace(ED25519_WARNING, "")], [0, ""]);
  assert.match(plain.stdout, /^1$/m);
  assert.equal(plain.stdout, flagged.stdout);
});

/** Files of tests that use the `Miniflare` class in their own process; the ones that only start others would show nothing. */
const SUITE = ["memory", "objects", "outside", "scripts", "transactions", "validation"]
  .map((name) => `promises/${name}`)
  .concat("alarms/memory")
  .concat(["gates", "miniflare", "namespace", "plugin", "reload"].map((name) => `api/${name}`));

test("modules: the tests of the Miniflare class pass by plain node", async () => {
  const files = SUITE.map((name) => `__test__/${name}.test.mjs`);
  const flags = ["--no-warnings", "--test", "--test-reporter=tap", "--test-concurrency=1"];
  const { code, stdout } = await run(files[0], { flags, args: files.slice(1) });
  const failures = stdout.split("\n").filter((line) => /^\s*not ok/.test(line));
  assert.deepEqual([code, failures], [0, []], stdout);
  assert.ok(Number(/^# pass (\d+)$/m.exec(stdout)?.[1]) > SUITE.length);
});
