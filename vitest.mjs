// What `import ferroflare from "ferroflare/vitest"` gives: a plugin for `vitest.config`.
import path from "node:path";
import { fileURLToPath } from "node:url";
import frames from "./dist/shared/frames.js";
import coverage from "./dist/testing/coverage.js";
import testNames from "./dist/testing/names.js";
import workersNames from "./dist/workers/names.js";
import { definingConfig, isolationOf, optionsOf } from "./vitest/cloudflare.mjs";
import { addFiles, toldBy } from "./vitest/worker-files.mjs";

/** The modules that the environment has put into the global scope: where each is, and what it exports. */
const MODULES = new Map([
  ["cloudflare:workers", [workersNames.WORKERS_GLOBAL, workersNames.WORKERS_EXPORTS]],
  ["cloudflare:test", [testNames.TEST_GLOBAL, testNames.TEST_EXPORTS]],
]);
/** Vite leaves an id that begins so to the plugin that has made it. */
const PREFIX = "\0ferroflare:";
/** What the setup file of `main` imports. */
const MAIN = "ferroflare:main";

const pathOf = (name) => fileURLToPath(new URL(`./vitest/${name}.mjs`, import.meta.url));

/** Path of the environment, for `test.environment`. */
export const environment = pathOf("environment");

/** Path of the runner that isolates tests, for `test.runner`. */
export const runner = pathOf("runner");

const setupFile = pathOf("setup");
const mainSetupFile = pathOf("main");
/** They import what only Vite knows. */
const TRANSFORMED = /[\\/]vitest[\\/](?:setup|main)\.mjs$/;

export default function ferroflare(options = {}) {
  return plugin(() => options);
}

/** The plugin with the options of `cloudflareTest()` of @cloudflare/vitest-pool-workers. */
export function cloudflareTest(options) {
  return plugin((root) => optionsOf(options, root, () => "file"));
}

/** `defineWorkersConfig()` of @cloudflare/vitest-pool-workers/config up to version 0.12. */
export const defineWorkersConfig = definingConfig((options) =>
  plugin((root) => optionsOf(options, root, isolationOf)),
);

export const defineWorkersProject = defineWorkersConfig;

function plugin(optionsIn) {
  let main;
  let server;
  return {
    name: "ferroflare",
    enforce: "pre",
    configureServer(made) {
      server = made;
    },
    resolveId(id) {
      if (id === MAIN) return this.resolve(main);
      return MODULES.has(id) || toldBy(id) ? PREFIX + id : undefined;
    },
    async load(id) {
      if (!id.startsWith(PREFIX)) return undefined;
      const name = id.slice(PREFIX.length);
      const told = toldBy(name);
      if (told === undefined) return sourceOf(name);
      if (told.measured && main === undefined && told.files.length > 0) warnOfCoverage(server);
      await addFiles(told.files, setupFile, server, this.environment);
      return "";
    },
    async config(config = {}, { mode } = {}) {
      const root = path.resolve(config.root ?? ".");
      const { main: given, ...options } = await optionsIn(root);
      const environmentOptions = { ferroflare: { ...options, main: given !== undefined } };
      // Benchmarks have a runner of another kind.
      const own = config.test?.runner !== undefined || mode === "benchmark";
      const test = { environment, environmentOptions, ...(own ? {} : { runner }) };
      if (given !== undefined) main = path.resolve(root, given);
      addSetup(config, test, main === undefined ? [setupFile] : [setupFile, mainSetupFile]);
      test.onStackTrace = hidingFrames(config.test.onStackTrace);
      return { test };
    },
  };
}

/** Lets Vitest run setup files before those of the project, and transform them. */
function addSetup(config, test, files) {
  config.test ??= {};
  config.test.setupFiles = [...files, ...[config.test.setupFiles ?? []].flat()];
  if (config.test.server?.deps?.inline !== true) test.server = { deps: { inline: [TRANSFORMED] } };
}

/** Vitest measures what it imports. */
function warnOfCoverage({ config }) {
  config.logger.warnOnce(coverage.VITEST_COVERAGE_ADVICE);
}

/** Frames of Miniflare and of this package are not shown; the project's own function says of others. */
function hidingFrames(others) {
  return (error, frame) => (frames.isOwnFrame(frame.file) ? false : others?.(error, frame));
}

function sourceOf(id) {
  const [place, names] = MODULES.get(id);
  return [
    `const found = globalThis[Symbol.for(${JSON.stringify(place)})];`,
    `if (!found) throw new Error("${id} exists only in the environment of ferroflare/vitest");`,
    `export const { ${names.join(", ")} } = found;`,
  ].join("\n");
}
