// The examples, as a user runs them: copied out of the repository, installed from the packed packages, started by npm.
import assert from "node:assert/strict";
import { on } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { WebSocket } from "ws";
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

/** Asserts that a runner says that all tests have passed. */
function assertPassed({ stdout, stderr }, count = 2) {
  const [, passed] = /Tests:?\s+(\d+) passed/.exec(stripVTControlCharacters(stdout + stderr)) ?? [];
  assert.equal(passed, String(count), stdout + stderr);
}

test("examples: jest gives each test storage of its own", async (t) => {
  assertPassed(await runIn(await installed(t, "jest"), ["npm", "test"]));
});

test("examples: vitest gives each test storage of its own", async (t) => {
  assertPassed(await runIn(await installed(t, "vitest"), ["npm", "test"]));
});

/** Opens a socket of the chat, and says something in it when it is open; gives what has come until that is heard. */
async function chat(port, user, text) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/lobby/socket?user=${user}`);
  const heard = [];
  for await (const [data] of on(socket, "message")) {
    const { message, ...event } = JSON.parse(String(data));
    heard.push(message ? `${message.from}: ${message.text}` : event);
    if (event.joined === user) socket.send(text);
    if (message?.text === text) break;
  }
  socket.close();
  return heard;
}

test("examples: modern is a chat in TypeScript, by the command without an option, in Jest and in Vitest", async (t) => {
  const cwd = await installed(t, "modern");
  const command = path.join(cwd, "node_modules", "ferroflare", "bin", "ferroflare.js");
  const running = await startCli(t, [], { command, cwd });
  assert.match(await running.text("/"), /<title>Chat<\/title>/);
  await running.text("/lobby", { method: "POST", body: "before" });
  assert.deepEqual(await chat(running.port, "ann", "hello"), [{ joined: "ann" }, "ann: hello"]);
  const history = JSON.parse(await running.text("/lobby"));
  assert.deepEqual(
    history.map(({ from, text }) => `${from}: ${text}`),
    ["post: before", "ann: hello"],
  );
  const { hung, stdout } = await running.end("SIGINT");
  assert.equal(hung, false);
  assert.doesNotMatch(stdout, /mf:(wrn|err)/);
  for (const runner of ["jest", "vitest"]) {
    assertPassed(await runIn(cwd, ["npm", "run", `test:${runner}`]), 5);
  }
});

test("examples: sqlite has tables by Drizzle and by workers-qb, by the command, in Jest and in Vitest", async (t) => {
  const cwd = await installed(t, "sqlite");
  const command = path.join(cwd, "node_modules", "ferroflare", "bin", "ferroflare.js");
  const body = JSON.stringify({ title: "Solaris", author: "Lem", year: 1961 });
  const catalogue = [{ name: "Lem", books: [{ title: "Solaris", year: 1961, tags: [] }] }];
  const running = await startCli(t, [], { command, cwd });
  assert.equal(await running.text("/", { method: "POST", body }), "[1]");
  assert.deepEqual(JSON.parse(await running.text("/")), catalogue);
  const { hung, stdout } = await running.end("SIGINT");
  assert.equal(hung, false);
  assert.doesNotMatch(stdout, /mf:(wrn|err)/);
  for (const runner of ["jest", "vitest"]) {
    assertPassed(await runIn(cwd, ["npm", "run", `test:${runner}`]), 6);
  }
});

test("examples: redis is shared by two processes", async (t) => {
  const url = (await redisServer(t)).url();
  const directory = await installed(t, "redis");
  const { stdout } = await runIn(directory, ["npm", "start", "--silent", "--", url]);
  assert.equal(stdout, "Two processes have counted to 100\n");
});
