/**
 * `npm test`: everything that must hold before a commit, step by step, with a summary.
 *
 * Options (after `npm test --`):
 *   --only rust|js|lint   these steps alone
 *   --filter PATTERN      JavaScript tests whose name matches, and the build they need
 *   --seed N|new          of the random tests; without it they are the same in every run, so that a commit passes or fails twice alike
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { cargo } from "./lib/cargo.mjs";
import { checkGenerated, readGenerated } from "./lib/generated.mjs";
import { runNodeTests } from "./lib/node-tests.mjs";
import { publishedVersions } from "./lib/node-versions.mjs";
import { root } from "./lib/paths.mjs";
import { runNode } from "./lib/process.mjs";
import { Failure, runMain } from "./lib/program.mjs";
import { countByPromise } from "./lib/promises.mjs";
import { runRustTests } from "./lib/rust-tests.mjs";
import { Steps } from "./lib/steps.mjs";
import { checkTypeScript } from "./lib/typescript.mjs";
import { testFiles, testOn } from "./lib/version-tests.mjs";
import { setup } from "./setup.mjs";

const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
const groups = ["rust", "js", "lint"];
/** `npm run explore` looks for what this seed does not show. */
const SEED = "20261126";

async function main() {
  const { only, filter, seed } = readOptions();
  chooseSeed(seed);
  const wants = (group) => !only || only === group;
  const steps = new Steps();

  if (!(await steps.step("setup", setup))) return steps.summarize();
  const built = wants("js") && (await buildSteps(steps, !filter));
  if (wants("lint")) await lintSteps(steps, !wants("js"));
  if (wants("rust")) await steps.step("cargo test", runRustTests);
  if (built) await javaScriptSteps(steps, filter);
  else if (wants("js")) steps.omit("node --test");
  return steps.summarize();
}

async function buildSteps(steps, checkFresh) {
  const before = readGenerated();
  const built = await steps.step("build", () => build());
  if (!checkFresh) return built;
  if (built) await steps.step("generated files", () => checkGenerated(before));
  else steps.omit("generated files");
  return built;
}

/** The build has checked the types, when there was one. */
async function lintSteps(steps, checkTypes) {
  const clippy = ["clippy", "--release", "--lib", "--tests", "--workspace", "--", "-D", "warnings"];
  await steps.step("cargo fmt", () =>
    cargo(["fmt", "--all", "--check"], { name: "cargo fmt", minutesMax: 5 }),
  );
  await steps.step("cargo clippy", () => cargo(clippy, { name: "cargo clippy", minutesMax: 60 }));
  if (checkTypes) await steps.step("tsc", checkTypeScript);
  await steps.step("biome", () =>
    runNode([biome, "check", "--error-on-warnings", "."], { name: "biome", minutesMax: 5 }),
  );
}

async function javaScriptSteps(steps, filter) {
  let tests = [];
  await steps.step("node --test", async () => {
    const run = await runNodeTests(filter);
    tests = run.tests;
    const count = (outcome) => tests.filter((test) => test.outcome === outcome).length;
    return { passed: count("passed"), failed: count("failed"), failure: run.failure };
  });
  if (filter) return;
  await steps.step("tests per promise", () => {
    const { text, missing } = countByPromise(tests);
    console.log(text);
    if (missing.length > 0) throw new Failure(`No test names ${missing.join(", ")}.`);
  });
  await steps.step("newest Node.js", testOnNewest);
}

/** The tests of the promises on the newest two lines of Node.js; `npm run test:matrix` runs all tests on all lines. */
async function testOnNewest() {
  const newest = (await publishedVersions()).slice(-2);
  const outcomes = [];
  for (const { version } of newest) {
    console.log(`Node.js ${version}`);
    outcomes.push(await testOn(version, testFiles({ promises: true })));
  }
  const total = (what) => outcomes.reduce((sum, outcome) => sum + outcome[what], 0);
  const failure = outcomes.find((outcome) => outcome.failure)?.failure;
  return { passed: total("passed"), failed: total("failed"), failure };
}

/** Tells every random test its seed; proptest has a name of its own for it. */
function chooseSeed(wanted) {
  const seed = wanted === "new" ? `${Date.now() % 2 ** 31}` : wanted;
  process.env.FERROFLARE_SEED = seed ?? process.env.FERROFLARE_SEED ?? SEED;
  process.env.PROPTEST_RNG_SEED ??= process.env.FERROFLARE_SEED;
  console.log(`Random tests: FERROFLARE_SEED=${process.env.FERROFLARE_SEED}\n`);
}

/** `--filter` alone means the JavaScript tests alone: the pattern says nothing about the other steps. */
function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string" },
        filter: { type: "string" },
        seed: { type: "string" },
      },
    });
    if (values.only !== undefined && !groups.includes(values.only)) {
      throw new Error(`--only ${values.only}: choose one of ${groups.join(", ")}.`);
    }
    if (values.filter !== undefined && (values.only ?? "js") !== "js") {
      throw new Error(
        `--filter chooses JavaScript tests: it does not go with --only ${values.only}.`,
      );
    }
    if (values.seed !== undefined && !/^(new|\d{1,15})$/.test(values.seed)) {
      throw new Error(`--seed ${values.seed}: give a whole number, or "new".`);
    }
    const only = values.filter === undefined ? values.only : "js";
    return { only, filter: values.filter, seed: values.seed };
  } catch (error) {
    throw new Failure(error.message);
  }
}

runMain(main);
