// S10: dispose() lets the process end by itself; in memory mode it ends even if dispose() was forgotten.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import {
  fixtures,
  isListening,
  packageRoot,
  runModule,
  startCli,
  temporaryDirectory,
} from "../support/cli.mjs";

const HOUR_MS = 60 * 60 * 1000;

/** A program that uses an object and then prints what it did; `ended` is printed only if the event loop runs empty. */
function program(use, end) {
  return `
  import { Miniflare } from "ferroflare";
  process.on("beforeExit", () => console.log("ended by itself"));
  const options = {
    modules: true,
    script: \`
    export class Test {
      constructor(state) {
        this.storage = state.storage;
      }
      async fetch() {
        await this.storage.put("key", "value");
        return new Response(await this.storage.get("key"));
      }
      async alarm() {
        console.log("alarm");
      }
    }
    export default {
      fetch(request, env) {
        return env.TEST.get(env.TEST.idFromName("a")).fetch(request);
      }
    }\`,
    durableObjects: { TEST: "Test" },
  };
  const mf = new Miniflare(options);
  const response = await mf.dispatchFetch("http://localhost:8787/");
  console.log(await response.text());
  const namespace = await mf.getDurableObjectNamespace("TEST");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
  ${use}
  ${end}`;
}

async function assertEnds(source, printed) {
  const result = await runModule(source);
  assert.equal(result.stderr, "");
  assert.deepEqual(result.stdout.trim().split("\n"), [...printed, "ended by itself"]);
  assert.deepEqual(
    { code: result.code, signal: result.signal, hung: result.hung },
    { code: 0, signal: null, hung: false },
  );
}

const dispose = "await mf.dispose();";
const farAlarm = `await storage.setAlarm(Date.now() + ${HOUR_MS});`;

test("S10: the process ends by itself after dispose()", () =>
  assertEnds(program("", dispose), ["value"]));

test("S10: the process ends by itself when dispose() was forgotten", () =>
  assertEnds(program("", ""), ["value"]));

test("S10: the process ends by itself after dispose() with an alarm pending in an hour", () =>
  assertEnds(program(farAlarm, dispose), ["value"]));

test("S10: the process ends by itself without dispose() with an alarm pending in an hour", () =>
  assertEnds(program(farAlarm, ""), ["value"]));

test("S10: dispose() drops an alarm that is about to fire", () =>
  assertEnds(program("await storage.setAlarm(Date.now() + 20_000);", dispose), ["value"]));

test("S10: the process ends by itself after a reload and dispose()", () =>
  assertEnds(
    program("await mf.reload(); await mf.setOptions({ script: options.script });", dispose),
    ["value"],
  ));

test("S10: the process ends by itself with storage and transactions in use after dispose()", () =>
  assertEnds(
    program(
      `const result = await storage.transaction(async (txn) => {
        await txn.put("key", "changed");
        return txn.get("key");
      });
      console.log(result);`,
      `${dispose} console.log(await storage.get("key").catch(({ code }) => code));`,
    ),
    ["value", "changed", "ERR_STORAGE_CLOSED"],
  ));

test("S10: the process ends by itself after dispose() of many instances", () =>
  assertEnds(
    program(
      `const more = Array.from({ length: 8 }, () => new Miniflare(options));
      await Promise.all(more.map((other) => other.dispatchFetch("http://localhost:8787/")));
      await Promise.all(more.map((other) => other.dispose()));`,
      dispose,
    ),
    ["value"],
  ));

test("S10: dispose() may be called twice", () =>
  assertEnds(program("", `${dispose} ${dispose}`), ["value"]));

for (const signal of ["SIGINT", "SIGTERM"]) {
  test(`S10: the command ends at ${signal} and leaves nothing that listens`, async (t) => {
    const cli = await startCli(t, ["worker.mjs", "--do", "OBJECT1=Object1"], {
      cwd: path.join(fixtures, "objects"),
    });
    assert.equal(await cli.text("/1"), "Object1 1");
    const result = await cli.end(signal);
    assert.deepEqual(
      { code: result.code, signal: result.signal, hung: result.hung },
      { code: null, signal, hung: false },
    );
    assert.equal(await isListening(cli.port), false);
  });
}

/** A program that has a worker, a watched mount and stored data, fails, and closes all. */
const failing = (directory, use) => `
  import { createRequire } from "node:module";
  import { mkdir, writeFile } from "node:fs/promises";
  import { Miniflare } from "ferroflare";
  process.on("beforeExit", () => console.log("ended by itself"));
  process.chdir(${JSON.stringify(directory)});
  const { TestEnvironment } = createRequire(import.meta.url)(${JSON.stringify(path.join(packageRoot, "dist", "testing", "environment.js"))});
  const { ScriptRunner } = createRequire(import.meta.url)(${JSON.stringify(path.join(packageRoot, "dist", "miniflare", "script-runner.js"))});
  await mkdir("api", { recursive: true });
  await writeFile("api/worker.mjs", "export class Room {}; export default {};");
  const mount = { rootPath: "./api", scriptPath: "worker.mjs", modules: true, durableObjects: { ROOM: "Room" } };
  const options = {
    modules: true, watch: true, mounts: { api: mount }, durableObjectsPersist: "./data",
    script: "export class Room { fetch() { return new Response('a'); } }; export default {};",
    durableObjects: { ROOM: "Room" },
  };
  const fails = (promise) => promise.then(() => console.log("no error"), ({ code, name }) => console.log(code ?? name));
  ${use}`;

for (const [what, use, printed] of [
  [
    "whose start failed",
    `
    for (const wrong of [
      { durableObjects: { ROOM: "Missing" } }, { script: "a b" }, { scriptPath: "./none.mjs", script: undefined },
      { durableObjects: { ROOM: { className: "Room", scriptName: "none" } } },
    ]) {
      const mf = new Miniflare({ ...options, ...wrong });
      await fails(mf.getPlugins());
      await mf.dispose();
      await mf.dispose();
    }
    await new Miniflare({ ...options, script: "a b" }).dispose();`,
    ["ERR_CLASS_NOT_FOUND", "SyntaxError", "ENOENT", "ERR_SCRIPT_NOT_FOUND"],
  ],
  [
    "whose options were refused, or which could not reload",
    `
    for (const wrong of [
      { durableObjects: { ROOM: "Missing" } }, { script: "a b" }, { durableObjectsPersist: "postgres://a" },
      { mounts: { api: mount, more: { ...mount, script: "a b" } } },
    ]) {
      const mf = new Miniflare(options);
      await mf.getPlugins();
      await fails(mf.setOptions(wrong));
      await fails(mf.reload());
      await mf.dispose();
    }`,
    [
      ...["ERR_CLASS_NOT_FOUND", "ERR_CLASS_NOT_FOUND", "SyntaxError", "SyntaxError"],
      ...["ERR_OPTION", "ERR_OPTION", "ERR_MOUNT", "ERR_MOUNT"],
    ],
  ],
  [
    "of a test runner whose start failed",
    `
    const test = { ...options, wranglerConfigPath: false, packagePath: false };
    for (const wrong of [{ durableObjects: { ROOM: "Missing" } }, { script: "a b" }]) {
      await fails(TestEnvironment.create(new ScriptRunner(), { ...test, ...wrong }));
    }
    const environment = await TestEnvironment.create(new ScriptRunner(), test);
    await environment.dispose();`,
    ["ERR_CLASS_NOT_FOUND", "SyntaxError"],
  ],
]) {
  test(`S10: dispose() resolves and lets the process end, of an instance ${what}`, async (t) => {
    await assertEnds(failing(await temporaryDirectory(t), use), printed);
  });
}
