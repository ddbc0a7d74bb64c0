/**
 * Runs test files on another Node.js: each file is a process, two at a time.
 *
 * The runner of old lines lacks options that `npm test` gives, so that the files are started here, and report in TAP.
 */
import { nodeProgram } from "./node-versions.mjs";
import { run } from "./process.mjs";
import { Failure } from "./program.mjs";
import { allTestFiles } from "./test-files.mjs";

const together = 2;
const minutesMax = 20;
/** Files that test the repository, its scripts or package managers: those do not depend on the Node.js that users have. */
const repositoryOnly = /^__test__\/(package\/(?!exports)|cli\/init)/;

/** The paths of the test files: all, those of the promises, or those whose path matches `filter`. */
export function testFiles({ promises = false, filter }) {
  const files = allTestFiles().filter(
    (name) =>
      !repositoryOnly.test(name) &&
      (!promises || name.startsWith("__test__/promises/")) &&
      (!filter || filter.test(name)),
  );
  if (files.length === 0) throw new Failure("No test file has such a name.");
  return files;
}

/** Resolves with how many tests passed and failed, and the failure of the run, if any. */
export async function testOn(version, files) {
  const program = await nodeProgram(version);
  const left = [...files];
  const totals = { passed: 0, failed: 0, problems: [] };
  const lane = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      await testFile(program, file, totals);
    }
  };
  await Promise.all(Array.from({ length: together }, lane));
  const { passed, failed, problems } = totals;
  return { passed, failed, failure: problems.length > 0 ? new Failure(problems.join("\n")) : null };
}

async function testFile(program, file, totals) {
  const args = ["--no-warnings", "--experimental-vm-modules", "--test-reporter=tap", file];
  let output = "";
  const keep = (chunk) => {
    output += chunk;
  };
  const failure = await run(program, args, {
    name: file,
    minutesMax,
    stdout: keep,
    stderr: keep,
    env: { NODE_TEST_CONTEXT: undefined },
  }).then(
    () => null,
    (error) => error,
  );
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(output)?.[1] ?? 0);
  totals.passed += count("pass");
  totals.failed += count("fail") + count("cancelled");
  const unrun = count("skipped") + count("todo");
  console.log(`${file}: ${count("pass")} passed, ${count("fail")} failed`);
  if (failure) totals.problems.push(`${failedTests(output)}${failure.message}`);
  else if (count("pass") === 0) totals.problems.push(`${file} ran no test.`);
  if (unrun > 0) totals.problems.push(`${file}: ${unrun} tests did not run.`);
}

/** What the report says of the tests that failed; all of it if it names none. */
function failedTests(output) {
  const parts = output.match(/^ *not ok [^\n]*\n *---\n[\s\S]*?^ *\.\.\.$/gm);
  return `${parts ? parts.join("\n") : output}\n`;
}
