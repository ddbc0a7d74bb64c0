// The types of `ferroflare/vitest`: name it in `types` of tsconfig.json for the globals.
import "./globals";
import type { TestEnvironmentOptions } from "./dist/testing/environment";

export type { TestEnvironmentOptions };

// @ts-ignore: only projects with Vitest have its types
type Describe = typeof import("vitest").describe;

declare global {
  /** Gives Vitest's own `describe`, for tests that were written for `vitest-environment-miniflare`: nothing needs setting up. */
  function setupMiniflareIsolatedStorage(): Describe;
}

/** Path of the environment, for `test.environment`. */
export const environment: string;

/** Path of the runner that isolates tests, for `test.runner`. */
export const runner: string;

/** A plugin of Vite that has Vitest run tests in the global scope of a worker, each with its own storage. */
export default function ferroflare(options?: TestEnvironmentOptions): {
  name: string;
  config(config?: object, env?: object): object;
};
