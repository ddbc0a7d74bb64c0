// What `import ferroflare from "ferroflare/vitest"` gives: a plugin for `vitest.config`.
import { fileURLToPath } from "node:url";
import names from "./dist/workers/names.js";

const WORKERS = "cloudflare:workers";
/** Vite leaves an id that begins so to the plugin that has made it. */
const WORKERS_ID = `\0ferroflare:${WORKERS}`;

/** Path of the environment, for `test.environment`. */
export const environment = fileURLToPath(new URL("./vitest/environment.mjs", import.meta.url));

/** Path of the runner that isolates tests, for `test.runner`. */
export const runner = fileURLToPath(new URL("./vitest/runner.mjs", import.meta.url));

export default function ferroflare(options = {}) {
  return {
    name: "ferroflare",
    enforce: "pre",
    resolveId: (id) => (id === WORKERS ? WORKERS_ID : undefined),
    load: (id) => (id === WORKERS_ID ? workersSource() : undefined),
    config({ test } = {}, { mode } = {}) {
      const environmentOptions = { ferroflare: options };
      // Benchmarks have a runner of another kind.
      const own = test?.runner !== undefined || mode === "benchmark";
      return { test: { environment, environmentOptions, ...(own ? {} : { runner }) } };
    },
  };
}

/** The module of the worker that the environment has put into the global scope. */
function workersSource() {
  const { WORKERS_EXPORTS, WORKERS_GLOBAL } = names;
  return [
    `const workers = globalThis[Symbol.for(${JSON.stringify(WORKERS_GLOBAL)})];`,
    `if (!workers) throw new Error("cloudflare:workers exists only in the environment of ferroflare/vitest");`,
    `export const { ${WORKERS_EXPORTS.join(", ")} } = workers;`,
  ].join("\n");
}
