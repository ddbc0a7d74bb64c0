// The examples, as a user runs them: copied out of the repository, installed from the packed packages, started by npm.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { packageRoot, startCli } from "../support/cli.mjs";
import { install, makeProject, runIn } from "../support/projects.mjs";
import { redisServer } from "../support/redis.mjs";
import { startRegistry } from "../support/registry.mjs";

const examples = path.join(packageRoot, "examples");
const manifest = JSON.parse(readFileSync(path.join(packageRoot, "package.json"), "utf8"));
let registry;

before(async () => {
  registry = await startRegistry();
});
after(() => registry.close());

async function installed(t, example) {
  const directory = await makeProject(t, registry, { example });
  await install(directory, "npm");
  return directory;
}

/** The folders of the projects. */
function projects() {
  const entries = readdirSync(examples, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

test("examples: each has a test of its own here", () => {
  const text = readFileSync(fileURLToPath(import.meta.url), "utf8");
  const tested = [...text.matchAll(/^test\("examples: ([\w-]+) /gm)].map(([, name]) => name);
  for (const name of projects()) {
    assert.ok(tested.includes(name), name);
  }
});

test("examples: each names the version of this repository and runs by itself", () => {
  for (const name of projects()) {
    const text = readFileSync(path.join(examples, name, "package.json"), "utf8");
    const { scripts, private: unpublished } = JSON.parse(text);
    assert.equal(unpublished, true, name);
    assert.ok(scripts.start ?? scripts.test, name);
    const versions = [...text.matchAll(/"(?:npm:ferroflare@|ferroflare": ")([^"]+)"/g)];
    assert.deepEqual(
      versions.map(([, version]) => version),
      [manifest.version],
      name,
    );
  }
});

test("examples: outside-worker prints what the documentation of Miniflare 2 says", async (t) => {
  const { stdout } = await runIn(await installed(t, "outside-worker"), [
    "npm",
    "start",
    "--silent",
  ]);
  const core = stdout.match(/^Answered by ferroflare's native core .*$/m);
  assert.ok(core, stdout);
  assert.equal(stdout, `1\n1\n1\n2\n${core[0]}\n`);
});

test("examples: drop-in runs an unmodified miniflare on the native core", async (t) => {
  const { stdout } = await runIn(await installed(t, "drop-in"), ["npm", "start", "--silent"]);
  assert.equal(stdout, "1\n1\n1\n2\nAnswered by ferroflare\n");
});

test("examples: cli serves objects of its own and of a mounted script, and keeps their data", async (t) => {
  const directory = await installed(t, "cli");
  const command = path.join(directory, "node_modules", "ferroflare", "bin", "ferroflare.js");
  for (const expected of ["1", "2"]) {
    const running = await startCli(t, ["--no-update-check"], { command, cwd: directory });
    assert.equal(await running.text("/"), expected);
    assert.equal(await running.text("/greeting"), "hello from api");
    assert.equal((await running.end("SIGINT")).hung, false);
  }
});

/** Asserts that a runner says that both tests have passed. */
function assertPassed({ stdout, stderr }) {
  const [, passed] = /Tests:?\s+(\d+) passed/.exec(stripVTControlCharacters(stdout + stderr)) ?? [];
  assert.equal(passed, "2", stdout + stderr);
}

test("examples: jest gives each test storage of its own", async (t) => {
  assertPassed(await runIn(await installed(t, "jest"), ["npm", "test"]));
});

test("examples: vitest gives each test storage of its own", async (t) => {
  assertPassed(await runIn(await installed(t, "vitest"), ["npm", "test"]));
});

test("examples: redis is shared by two processes", async (t) => {
  const url = (await redisServer(t)).url();
  const directory = await installed(t, "redis");
  const { stdout } = await runIn(directory, ["npm", "start", "--silent", "--", url]);
  assert.equal(stdout, "Two processes have counted to 100\n");
});
