/**
 * Runs the suites of `__test__/fixtures/runners` on our environments in every supported version of Jest and Vitest. The
 * suite about realms runs also on the environment of the runner. The ordinary tests have the newest of both.
 *
 * Options:
 *   --only RUNNER@VERSION   one version, such as jest@27
 */
import { parseArgs } from "node:util";
import { Failure, runMain } from "../../scripts/lib/program.mjs";
import { Steps } from "../../scripts/lib/steps.mjs";
import { runJest, runVitest, VM_MODULES } from "../support/runner-suites.mjs";
import { installation } from "../support/runners.mjs";

const SUITES = ["helpers", "isolation", "own", "timers", "retries", "realms"];
const REALM_TESTS = 9;
/** Tests in these suites. */
const TESTS = 18 + 14 + 3 + 2 + REALM_TESTS;

const jest = { run: runJest, environment: "ferroflare/jest" };
const vitest = { run: runVitest, environment: "ferroflare/vitest" };
const versions = {
  "jest@27": { ...jest, packages: { jest: "27" } },
  "jest@28": { ...jest, packages: { jest: "28" } },
  "jest@29": { ...jest, packages: { jest: "29" } },
  "jest@30": { ...jest, packages: { jest: "30" } },
  "vitest@1": { ...vitest, packages: { vitest: "1" } },
  "vitest@2": { ...vitest, packages: { vitest: "2" } },
  "vitest@3": { ...vitest, packages: { vitest: "3" } },
  "vitest@4": { ...vitest, packages: { vitest: "4" }, nodeMin: 20 },
};

/** With the flag of Node.js for `vm` modules and without it. */
async function runSuites({ run, environment, packages }) {
  const installed = await installation(packages, { reference: false });
  // Fake timers are a global of CommonJS in Jest.
  const own = { environment, suites: SUITES, extension: "js" };
  const sum = { passed: 0, failed: 0 };
  for (const options of [
    { ...own, nodeOptions: "", least: TESTS },
    { ...own, nodeOptions: VM_MODULES, least: TESTS },
    { ...own, environment: "node", suites: ["realms"], nodeOptions: "", least: REALM_TESTS },
  ]) {
    const { code, output, tests } = await run(installed, options);
    const count = (outcome) => tests.filter(([, status]) => status === outcome).length;
    sum.passed += count("passed");
    sum.failed += count("failed");
    if (count("failed") > 0 || code !== 0) return { ...sum, failure: new Failure(output) };
    if (count("passed") < options.least) {
      throw new Failure(`only ${count("passed")} of ${options.least} tests ran:\n${output}`);
    }
  }
  return sum;
}

async function main() {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const { only } = values;
  if (only !== undefined && !(only in versions)) {
    throw new Failure(`--only ${only}: choose one of ${Object.keys(versions).join(", ")}.`);
  }
  const steps = new Steps();
  const node = Number.parseInt(process.versions.node, 10);
  for (const [name, version] of Object.entries(versions)) {
    if (only !== undefined && only !== name) continue;
    if (node < (version.nodeMin ?? 0)) steps.omit(`${name} (needs Node.js ${version.nodeMin})`);
    else await steps.step(name, () => runSuites(version));
  }
  return steps.summarize();
}

runMain(main);
