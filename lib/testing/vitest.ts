/** The Vitest environment behind `ferroflare/vitest`: a worker's global scope on that of Node.js. */
import type { Context } from "@miniflare/shared";
import { ScriptRunner } from "../miniflare/script-runner";
import { TestEnvironment, type TestEnvironmentOptions } from "./environment";
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

export async function setup(global: Context, options: EnvironmentOptions, describe: unknown) {
  const { main = false, ...ferroflare } = options.ferroflare ?? options;
  const environment = await (main
    ? TestEnvironment.create(
        new ImportedScript(new ScriptRunner()),
        ImportedScript.options(ferroflare),
      )
    : TestEnvironment.create(new ScriptRunner(), ferroflare));
  environment.enterRealm(global.Object);
  const restore = define(global, {
    // Node.js has one, workers have it only by a compatibility flag.
    navigator: undefined,
    ...environment.globals,
    global,
    self: global,
    [ISOLATION]: environment,
    setupMiniflareIsolatedStorage: () => describe,
  });
  return {
    async teardown(): Promise<void> {
      restore();
      await environment.dispose();
    },
  };
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
