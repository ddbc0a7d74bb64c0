// The environments of Jest and Vitest, run as a user runs them: Miniflare 2's on our core, and our own.
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import test, { before } from "node:test";
import { Miniflare } from "ferroflare";
import { RedisServer } from "../support/redis.mjs";
import { runJest, runVitest, VM_MODULES } from "../support/runner-suites.mjs";
import { installation } from "../support/runners.mjs";

/** The newest Vitest needs Node.js 20. */
const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";
const NEWEST = {
  jest: "30",
  vitest,
  "@vitest/coverage-v8": vitest,
  "@vitest/coverage-istanbul": vitest,
};
/** The line of a coverage report about the fixture, whose one function has run. */
const COVERED = /code\.js\s*\|[^|]+\|[^|]+\|\s+100 \|/;

const runners = {
  Jest: { run: runJest, own: "ferroflare/jest" },
  Vitest: { run: runVitest, own: "ferroflare/vitest" },
};

let plain;
let overridden;
before(async () => {
  plain = await installation(NEWEST);
  overridden = await installation(NEWEST, { override: true });
});

/** Fails with everything the runner wrote unless all tests have passed, and at least `least`. */
function allPassed({ code, output, tests }, least) {
  const failed = tests.filter(([, status]) => status === "failed");
  const shown = `${failed.map((entry) => entry.join("\n  ")).join("\n")}\n${output}`;
  assert.equal(failed.length, 0, shown);
  assert.equal(code, 0, shown);
  assert.ok(tests.length >= least, shown);
  return tests;
}

for (const [name, { run, own }] of Object.entries(runners)) {
  const nodeOptions = VM_MODULES;

  test(`${name}: tests pass and fail alike on Miniflare 2's environment, on it with our core, and on ours`, async () => {
    const suites = ["helpers", "isolation", "broken"];
    const reference = await run(plain, { environment: "miniflare", suites, nodeOptions });
    const failed = reference.tests.filter(([, status]) => status === "failed");
    assert.deepEqual([reference.tests.length, failed.length], [23, 4], reference.output);
    assert.ok(
      failed.every(([title]) => title.startsWith("broken ")),
      reference.output,
    );
    for (const [installed, environment] of [
      [overridden, "miniflare"],
      [plain, own],
    ]) {
      const results = await run(installed, { environment, suites, nodeOptions });
      assert.deepEqual(results.tests, reference.tests, results.output);
      assert.equal(results.code, reference.code);
    }
  });

  test(`${name}: objects are reset, listed, evicted and entered, without a setup function or a flag`, async () => {
    const suites = ["own", "isolation"];
    // Jest has tests in modules only with the flag.
    const results = await run(plain, { environment: own, suites, extension: "js" });
    allPassed(results, 22);
  });

  test(`${name}: with resetDurableObjects off, instances outlive tests as on Miniflare 2's environment`, async () => {
    const options = { resetDurableObjects: false };
    const results = await run(plain, { environment: own, suites: ["own"], options, nodeOptions });
    const failed = results.tests
      .filter(([, status]) => status === "failed")
      .map(([title]) => title);
    assert.ok(failed.some((title) => title.endsWith("second test: objects are constructed again")));
    assert.ok(!failed.some((title) => /alarm that|runInDurable|argument/.test(title)), `${failed}`);
  });

  test(`${name}: tests above stored data see them, and leave them as they were`, async () => {
    const place = await mkdtemp(path.join(os.tmpdir(), "ferroflare-runners-"));
    try {
      await testAbove(place, { run, own });
      assert.equal((await readdir(path.join(place, "COUNTER"))).length, 1);
    } finally {
      await rm(place, { recursive: true });
    }
  });

  test(`${name}: tests above data in Redis see them, and leave them as they were`, async () => {
    const server = await RedisServer.start();
    try {
      await testAbove(server.url(), { run, own });
    } finally {
      await server.close();
    }
  });
}

async function testAbove(place, { run, own }) {
  const entries = { count: 41, word: "stored" };
  await store(place, entries);
  const suites = { one: "persist", two: "persist", three: "persist" };
  const options = { durableObjectsPersist: place };
  allPassed(await run(plain, { environment: own, suites, options, extension: "js" }), 6);
  assert.deepEqual(await stored(place), entries);
}

test("Jest: retries, fake timers of both kinds, and coverage by V8 and Istanbul", async () => {
  const suites = ["timers", "retries"];
  const options = {
    environment: runners.Jest.own,
    suites,
    extension: "js",
    nodeOptions: VM_MODULES,
  };
  for (const provider of ["v8", "babel"]) {
    const args = ["--coverage", `--coverageProvider=${provider}`];
    const results = await runJest(plain, { ...options, args });
    allPassed(results, 5);
    assert.match(results.output, COVERED);
  }
  const config = { fakeTimers: { legacyFakeTimers: true } };
  allPassed(await runJest(plain, { ...options, config }), 5);
});

test("Vitest: retries and fake timers in threads and forks, and coverage by V8 and Istanbul", async () => {
  for (const [pool, provider] of [
    ["threads", "v8"],
    ["forks", "istanbul"],
  ]) {
    const args = ["--coverage", `--coverage.provider=${provider}`, "--coverage.include=code.js"];
    const options = {
      environment: runners.Vitest.own,
      suites: ["timers", "retries"],
      test: { pool },
    };
    const results = await runVitest(plain, { ...options, nodeOptions: VM_MODULES, args });
    allPassed(results, 5);
    assert.match(results.output, COVERED);
    assert.doesNotMatch(results.output, /deprecated/i);
  }
});

async function store(place, entries) {
  await withStorage(place, (storage) => storage.put(entries));
}

async function stored(place) {
  return withStorage(place, async (storage) => Object.fromEntries(await storage.list()));
}

async function withStorage(place, use) {
  const mf = new Miniflare({
    script: "addEventListener('fetch', () => {});",
    durableObjectsPersist: place,
  });
  try {
    const { DurableObjectsPlugin } = await mf.getPlugins();
    const namespace = DurableObjectsPlugin.getNamespace(
      mf.getPluginStorage("DurableObjectsPlugin"),
      "COUNTER",
    );
    return await use(await mf.getDurableObjectStorage(namespace.idFromName("stored")));
  } finally {
    await mf.dispose();
  }
}

/** The tests of the suite about realms. */
const REALM_TESTS = 9;

test("Jest: errors of the core belong to the realm of the test, in Jest's own environment and in ours", async () => {
  for (const environment of ["node", runners.Jest.own]) {
    for (const extension of ["js", "mjs"]) {
      const nodeOptions = extension === "mjs" ? VM_MODULES : "";
      const options = { environment, suites: ["realms"], extension, nodeOptions };
      allPassed(await runJest(plain, options), REALM_TESTS);
    }
  }
});

test("Vitest: errors of the core belong to the realm of the test, in threads, forks and vmThreads, and in our environment", async () => {
  for (const [pool, environment] of [
    ["threads", "node"],
    ["forks", "node"],
    ["vmThreads", "node"],
    ["forks", runners.Vitest.own],
  ]) {
    const options = { environment, suites: ["realms"], test: { pool } };
    allPassed(await runVitest(plain, options), REALM_TESTS);
  }
});
