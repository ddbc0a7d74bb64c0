// A run of a benchmark leaves results that `npm run draw` can read, in the shape of those in bench/results.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { summary } from "../../bench/results.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));

/** The quickest run of one row of each benchmark. */
const runs = {
  memory: ["--rounds", "1", "--only", "put of 128 pairs"],
  files: ["--quick", "--rounds", "1", "--only", "put, awaited outside"],
  redis: ["--quick", "--rounds", "1", "--keys", "10", "--only", "put, awaited"],
};

function run(t, name) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "ferroflare-results-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "below", "results.json");
  const program = ["--no-warnings", "--experimental-vm-modules", `bench/${name}.mjs`];
  const { status, stderr } = spawnSync(
    process.execPath,
    [...program, ...runs[name], "--json", file],
    { cwd: root, encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  return readJson(file);
}

for (const name of Object.keys(runs)) {
  test(`bench: a run in ${name} writes results in the shape of those that are drawn`, (t) => {
    const kept = readJson(path.join(root, "bench/results", `${name}.json`));
    const results = run(t, name);
    assert.deepEqual(Object.keys(results), Object.keys(kept));
    assert.match(results.date, /^\d{4}-\d\d-\d\d$/);
    assert.equal(results.node, process.version);
    assert.deepEqual(Object.keys(results.versions), Object.keys(kept.versions));
    for (const key of Object.keys(kept.sides)) assert.equal(results.sides[key], kept.sides[key]);
    assert.equal(results.rows.length, 1);
    const [row] = results.rows;
    const keptRow = kept.rows.find((candidate) => candidate.name === row.name);
    assert.deepEqual([row.unit, row.better], [keptRow?.unit, keptRow?.better]);
    assert.deepEqual(Object.keys(row.rates), Object.keys(results.sides));
    for (const rate of Object.values(row.rates)) {
      assert.deepEqual(Object.keys(rate), ["median", "low", "high"]);
      assert.ok(rate.median > 0);
    }
  });
}

test("bench: a rate has its median and the range of its rounds, with five digits", () => {
  assert.deepEqual(summary([30.1234567, 10, 20]), { median: 20, low: 10, high: 30.123 });
});
