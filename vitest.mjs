// What `import ferroflare from "ferroflare/vitest"` gives: a plugin for `vitest.config`.
import { fileURLToPath } from "node:url";

/** Path of the environment, for `test.environment`. */
export const environment = fileURLToPath(new URL("./vitest/environment.mjs", import.meta.url));

/** Path of the runner that isolates tests, for `test.runner`. */
export const runner = fileURLToPath(new URL("./vitest/runner.mjs", import.meta.url));

export default function ferroflare(options = {}) {
  return {
    name: "ferroflare",
    config({ test } = {}, { mode } = {}) {
      const environmentOptions = { ferroflare: options };
      // Benchmarks have a runner of another kind.
      const own = test?.runner !== undefined || mode === "benchmark";
      return { test: { environment, environmentOptions, ...(own ? {} : { runner }) } };
    },
  };
}
