// Runs test files of `__test__/fixtures/runners` in Jest or Vitest, on one environment, and reads what became of each test.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { project, runCommand } from "./runners.mjs";

const fixtures = fileURLToPath(new URL("../fixtures/runners/", import.meta.url));
const REPORT = "report.json";
/** Code of a project, of which tests cover one branch. */
const HALF = "function half(all) {\n  if (all) return 1;\n  return 2;\n}\n";

/** Miniflare 2's runner needs it to run modules at all. */
export const VM_MODULES = "--experimental-vm-modules --no-warnings";

const workerOptions = {
  scriptPath: "worker.mjs",
  modules: true,
  durableObjects: { COUNTER: "Counter" },
  kvNamespaces: ["KV"],
  bindings: { TEXT: "text" },
  compatibilityFlags: ["global_navigator"],
  wranglerConfigPath: false,
  packagePath: false,
};

function fixture(name) {
  return readFile(path.join(fixtures, name), "utf8");
}

/**
 * A project that runs `suites` (names of fixtures, by the name of the test file if that differs) in Jest. `environment` is
 * "miniflare" or "ferroflare/jest"; `extension` decides between modules and CommonJS.
 */
export function jestProject(
  installed,
  { environment, suites, options = {}, config = {}, extension = "mjs", args = [] },
) {
  const settings = {
    testEnvironment: environment,
    testEnvironmentOptions: { ...workerOptions, ...options },
    testMatch: ["**/*.test.*"],
    transform: {},
    ...config,
  };
  return open(installed, suites, extension, {
    files: {
      "code.js": `${HALF}exports.half = half;\n`,
      "jest.config.json": JSON.stringify(settings),
    },
    command: ["jest", "--config", "jest.config.json", ...args],
    report: ["--json", `--outputFile=${REPORT}`],
  });
}

/** The same in Vitest; `environment` is "miniflare" or "ferroflare/vitest". */
export function vitestProject(
  installed,
  { environment, suites, options = {}, test = {}, args = [] },
) {
  const environmentOptions = { ...workerOptions, ...options };
  const ours = environment === "ferroflare/vitest";
  const settings = { globals: true, ...test, ...(ours ? {} : { environment, environmentOptions }) };
  const plugins = ours ? `[ferroflare(${JSON.stringify(environmentOptions)})]` : "[]";
  const imports = ours ? 'import ferroflare from "ferroflare/vitest";\n' : "";
  const text = `${imports}export default { plugins: ${plugins}, test: ${JSON.stringify(settings)} };\n`;
  return open(installed, suites, "mjs", {
    files: { "code.js": `export ${HALF}`, "vitest.config.mjs": text },
    command: ["vitest", "run", ...args],
    report: ["--reporter=json", `--outputFile=${REPORT}`],
  });
}

/** Runs the suites of a project; resolves with the exit code, what was written, and what became of each test. */
export const runJest = (installed, options) => run(jestProject(installed, options), options);
export const runVitest = (installed, options) => run(vitestProject(installed, options), options);

async function open(installed, suites, extension, { files, command, report }) {
  const sources = { "worker.mjs": await fixture("worker.mjs"), ...files };
  const list = Array.isArray(suites) ? suites.map((name) => [name, name]) : Object.entries(suites);
  for (const [name, from] of list) {
    sources[`${name}.test.${extension}`] = await fixture(`${from}.test.mjs`);
  }
  return { ...(await project(installed, sources)), command, report };
}

async function run(opening, { nodeOptions }) {
  const { folder, remove, command, report } = await opening;
  try {
    const { code, output } = await runCommand(folder, [...command, ...report], { nodeOptions });
    const written = await readFile(path.join(folder, REPORT), "utf8").catch(() => undefined);
    if (written === undefined) throw new Error(`${command.join(" ")} wrote no report:\n${output}`);
    return { code, output, tests: testsOf(JSON.parse(written)) };
  } finally {
    await remove();
  }
}

/** Every test by its full name: whether it passed, and the first line of why not. */
function testsOf({ testResults }) {
  const tests = testResults.flatMap(({ name, assertionResults, message }) =>
    assertionResults.length > 0
      ? assertionResults.map((test) => [test.fullName, test.status, reason(test)])
      : [[path.basename(name), "failed", message]],
  );
  return tests.sort(([a], [b]) => (a < b ? -1 : 1));
}

function reason({ failureMessages = [] }) {
  const [first] = failureMessages.join("\n").split("\n");
  return first.replace(pathToFileURL("").href, "");
}
