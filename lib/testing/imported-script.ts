/**
 * Uses the module that the test runner has imported as the worker's script. Tests that import it too have the same
 * classes.
 */
import type { AdditionalModules, Context, ScriptRunner } from "@miniflare/shared";
import { kBeforeRun } from "../durable-objects/worker";
import { WORKERS_MODULE } from "../workers/module";

/** Stands for the script in the options of Miniflare. */
const CODE = "export default {}; // imported by the test runner";

type RunParameters = Parameters<ScriptRunner["run"]>;

/** What exists when the script would run. */
export interface Begun {
  scope: Context;
  workers: object;
}

export class ImportedScript implements ScriptRunner {
  readonly #runner: ScriptRunner;
  readonly #begun: Promise<Begun>;
  readonly #exports: Promise<Context>;
  #begin!: (begun: Begun) => void;
  #give!: (exports: Context) => void;

  /** `runner` runs the scripts of mounts. */
  constructor(runner: ScriptRunner) {
    this.#runner = runner;
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#exports = new Promise((resolve) => {
      this.#give = resolve;
    });
  }

  static options<Options extends object>(options: Options) {
    return { ...options, modules: true, scriptPath: undefined, script: CODE };
  }

  /** Settles when the script is to run; rejects as `ready` does, which waits for its end. */
  begun(ready: Promise<unknown>): Promise<Begun> {
    const failed = ready.then(() => this.#begun);
    failed.catch(() => {});
    return Promise.race([this.#begun, failed]);
  }

  /** The script has run, with these exports. */
  give(exports: Context): void {
    this.#give(exports);
  }

  async run(...args: RunParameters): ReturnType<ScriptRunner["run"]> {
    const [scope, { code }, , modules] = args;
    if (code !== CODE) return this.#runner.run(...args);
    const workers = moduleOf(modules);
    (workers[kBeforeRun] as (scope: Context, Class: unknown) => void)(scope, Object);
    this.#begin({ scope, workers });
    return { exports: await this.#exports };
  }
}

function moduleOf(modules: AdditionalModules | undefined): Context {
  return modules![WORKERS_MODULE]! as Context;
}
