/** The Vitest environment behind `ferroflare/vitest`: a worker's global scope on that of Node.js. */
import path from "node:path";
import type { Context } from "@miniflare/shared";
import { findConfig } from "../config/files";
import { ScriptRunner } from "../miniflare/script-runner";
import type { CoreOptions } from "./core";
import { TestEnvironment, type TestEnvironmentOptions } from "./environment";
import { STACK_FRAMES, startFailure } from "./failure";
import { ImportedScript } from "./imported-script";

/** Where the runner finds what begins and ends the savepoints. */
const ISOLATION = Symbol.for("ferroflare.isolation");

/** Whether Vitest imports the script of the worker itself. */
interface VitestOptions extends TestEnvironmentOptions {
  main?: boolean;
}

/** Options stand under this name, or alone as for `vitest-environment-miniflare`. */
interface EnvironmentOptions extends VitestOptions {
  ferroflare?: VitestOptions;
}

/** What the runner and the setup files of Vitest find in the global scope. */
interface Isolation {
  /** The files that the worker is made of. */
  readonly files: string[];
  /** Why the worker cannot run. */
  readonly failure?: { error: unknown };
}

export async function setup(global: Context, options: EnvironmentOptions, describe: unknown) {
  const { main = false, ...ferroflare } = options.ferroflare ?? options;
  const scripts = new ScriptRunner(undefined, STACK_FRAMES);
  const config = configFile(ferroflare);
  let environment: TestEnvironment;
  try {
    environment = await TestEnvironment.create(
      main ? new ImportedScript(scripts) : scripts,
      main ? ImportedScript.options(ferroflare) : ferroflare,
      main ? {} : { console: consoleOf(global) },
    );
  } catch (error) {
    // Vitest takes an environment that cannot be set up for a worker process that has not started.
    const failure = { error: startFailure(error, true) };
    const isolation: Isolation = { files: [...config, ...scripts.files], failure };
    return { teardown: define(global, { [ISOLATION]: isolation }) };
  }
  environment.enterRealm(global.Object);
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = Math.max(stackTraceLimit, STACK_FRAMES);
  const { console: _, ...globals } = environment.globals;
  const restore = define(global, {
    // Node.js has one, workers have it only by a compatibility flag.
    navigator: undefined,
    ...globals,
    global,
    self: global,
    [ISOLATION]: Object.assign(environment, { files: [...config, ...scripts.files] }),
    setupMiniflareIsolatedStorage: () => describe,
  });
  return {
    async teardown(): Promise<void> {
      restore();
      Error.stackTraceLimit = stackTraceLimit;
      await environment.dispose();
    },
  };
}

function configFile({ rootPath = ".", wranglerConfigPath: given = true }: CoreOptions): string[] {
  if (given === true) return [findConfig(path.resolve(rootPath))?.file ?? []].flat();
  return given ? [path.resolve(rootPath, given)] : [];
}

/** The console of the tests, as it is when it is used: Vitest may put its own there later. */
function consoleOf(global: Context): object {
  return new Proxy(global.console as object, {
    get: (_target, key) => Reflect.get(global.console as object, key),
  });
}

/** Defines globals, some of which Node.js has as accessors; returns a function that restores the old ones. */
function define(global: Context, values: Context): () => void {
  const old = new Map<PropertyKey, PropertyDescriptor | undefined>();
  for (const key of Reflect.ownKeys(values)) {
    const before = Reflect.getOwnPropertyDescriptor(global, key);
    const value = values[key as string];
    const enumerable = before?.enumerable ?? true;
    const given = { value, writable: true, configurable: true, enumerable };
    if (Reflect.defineProperty(global, key, given)) old.set(key, before);
  }
  return () => {
    for (const [key, before] of old) {
      if (before === undefined) Reflect.deleteProperty(global, key);
      else Reflect.defineProperty(global, key, before);
    }
  };
}
