// What `import ferroflare from "ferroflare/vitest"` gives: a plugin for `vitest.config`.
import { fileURLToPath } from "node:url";
import testNames from "./dist/testing/names.js";
import workersNames from "./dist/workers/names.js";
import { definingConfig, isolationOf, optionsOf } from "./vitest/cloudflare.mjs";

/** The modules that the environment has put into the global scope: where each is, and what it exports. */
const MODULES = new Map([
  ["cloudflare:workers", [workersNames.WORKERS_GLOBAL, workersNames.WORKERS_EXPORTS]],
  ["cloudflare:test", [testNames.TEST_GLOBAL, testNames.TEST_EXPORTS]],
]);
/** Vite leaves an id that begins so to the plugin that has made it. */
const PREFIX = "\0ferroflare:";

/** Path of the environment, for `test.environment`. */
export const environment = fileURLToPath(new URL("./vitest/environment.mjs", import.meta.url));

/** Path of the runner that isolates tests, for `test.runner`. */
export const runner = fileURLToPath(new URL("./vitest/runner.mjs", import.meta.url));

export default function ferroflare(options = {}) {
  return {
    name: "ferroflare",
    enforce: "pre",
    resolveId: (id) => (MODULES.has(id) ? PREFIX + id : undefined),
    load: (id) => (id.startsWith(PREFIX) ? sourceOf(id.slice(PREFIX.length)) : undefined),
    async config({ test } = {}, { mode } = {}) {
      const environmentOptions = {
        ferroflare: typeof options === "function" ? await options() : options,
      };
      // Benchmarks have a runner of another kind.
      const own = test?.runner !== undefined || mode === "benchmark";
      return { test: { environment, environmentOptions, ...(own ? {} : { runner }) } };
    },
  };
}

/** The plugin with the options of `cloudflareTest()` of @cloudflare/vitest-pool-workers. */
export function cloudflareTest(options) {
  return ferroflare(() => optionsOf(options, () => "file"));
}

/** `defineWorkersConfig()` of @cloudflare/vitest-pool-workers/config up to version 0.12. */
export const defineWorkersConfig = definingConfig((options) =>
  ferroflare(() => optionsOf(options, isolationOf)),
);

export const defineWorkersProject = defineWorkersConfig;

function sourceOf(id) {
  const [place, names] = MODULES.get(id);
  return [
    `const found = globalThis[Symbol.for(${JSON.stringify(place)})];`,
    `if (!found) throw new Error("${id} exists only in the environment of ferroflare/vitest");`,
    `export const { ${names.join(", ")} } = found;`,
  ].join("\n");
}
