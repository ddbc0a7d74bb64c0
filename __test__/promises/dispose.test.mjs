// S10: dispose() lets the process end by itself; in memory mode it ends even if dispose() was forgotten.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fixtures, isListening, runModule, startCli } from "../support/cli.mjs";

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
