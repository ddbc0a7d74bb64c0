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

interface VitestOptions {
  /** The entry of the worker, in the place of `scriptPath`: Vitest imports it, as test files do. */
  main?: string;
}

/** A plugin of Vite that has Vitest run tests in the global scope of a worker, each with its own storage. */
export default function ferroflare(options?: TestEnvironmentOptions & VitestOptions): {
  name: string;
  config(config?: object, env?: object): Promise<object>;
};

/** Options of Cloudflare's Vitest integration. */
interface CloudflareOptions {
  /** The entry of the worker. */
  main?: string;
  wrangler?: { configPath?: string; environment?: string };
  miniflare?: Record<string, unknown>;
}

type Given<T> = T | (() => T | Promise<T>);

/** The plugin with the options of `cloudflareTest()` of @cloudflare/vitest-pool-workers. Each file has its own storage. */
export function cloudflareTest(options?: Given<CloudflareOptions>): ReturnType<typeof ferroflare>;

/** `defineWorkersConfig()` of @cloudflare/vitest-pool-workers/config up to version 0.12. */
export function defineWorkersConfig<Config>(config: Config): Config;

/** The same for a project of a workspace. */
export function defineWorkersProject<Config>(config: Config): Config;
