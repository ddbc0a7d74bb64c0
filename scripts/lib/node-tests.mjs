/** Runs every test file with Node.js's own runner: a process for each file, two at a time. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runNode } from "./process.mjs";
import { Failure } from "./program.mjs";
import { allTestFiles } from "./test-files.mjs";

const fileMillisMax = 20 * 60_000;

/**
 * Resolves with the tests that ran (lines of the reporter) and the failure of the run, if any. `filter` is a pattern for test
 * names: without it, a file that holds no test and a test that is skipped are failures too.
 */
export async function runNodeTests(filter) {
  const files = allTestFiles();
  const scratch = mkdtempSync(join(tmpdir(), "ferroflare-tests-"));
  const report = join(scratch, "report.jsonl");
  try {
    const failure = await runNode(runnerArguments(files, report, filter), {
      name: "node --test",
      minutesMax: 60,
    }).then(
      () => null,
      (error) => error,
    );
    const lines = existsSync(report) ? readLines(report) : [];
    const tests = lines.filter(
      (test) => hasRun(test) && (!isFile(test) || test.outcome === "failed"),
    );
    return { tests, failure: failure ?? (filter ? unmatched(filter, tests) : omissions(lines)) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readLines(report) {
  const lines = readFileSync(report, "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

function runnerArguments(files, report, filter) {
  return [
    "--no-warnings",
    "--experimental-vm-modules",
    "--test",
    "--test-concurrency=2",
    `--test-timeout=${fileMillisMax}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=./scripts/lib/reporter.mjs",
    `--test-reporter-destination=${report}`,
    ...(filter ? [`--test-name-pattern=${filter}`] : []),
    ...files,
  ];
}

function unmatched(filter, tests) {
  return tests.length > 0 ? null : new Failure(`No test has a name that matches ${filter}.`);
}

function omissions(lines) {
  const problems = lines.flatMap((test) => {
    if (isFile(test) && test.outcome !== "failed") return [`${test.path[0]} holds no test`];
    if (!hasRun(test)) return [`${test.path.join(" > ")} is ${test.outcome}`];
    return [];
  });
  return problems.length > 0 ? new Failure(problems.join("\n")) : null;
}

function hasRun({ outcome }) {
  return outcome === "passed" || outcome === "failed";
}

/** The runner reports a file as a test of its own when it fails to load or holds no test. */
function isFile({ path }) {
  return path.length === 1 && path[0].endsWith(".test.mjs");
}
