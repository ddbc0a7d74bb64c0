/** What the Jest and Vitest environments have in common: a Miniflare instance, its globals, and savepoints. */
import { createFetchMock } from "@miniflare/core";
import type { Context, ScriptRunner } from "@miniflare/shared";
import type { DurableObjectsPlugin } from "../durable-objects/plugin";
import { kBeforeRun } from "../durable-objects/worker";
import { kEnterSavepoint, kForgetObjects, kWorkersModule } from "../shared/symbols";
import { WORKERS_GLOBAL } from "../workers/names";
import { cloudflareTest } from "./cloudflare-test";
import { type CoreOptions, createCore, type TestCore } from "./core";
import { ExecutionContext } from "./execution-context";
import { cloudflareHelpers, miniflareHelpers } from "./helpers";
import { ImportedScript } from "./imported-script";
import { TEST_GLOBAL } from "./names";
import { StackedStorageFactory } from "./stacked-storage";

const WORKERS_KEY = Symbol.for(WORKERS_GLOBAL) as unknown as string;

/** Options of Miniflare, and those of the environment. */
export type TestEnvironmentOptions = CoreOptions & {
  /**
   * Whether running objects are discarded when a test or a group of tests begins and ends; true by default. Each test
   * then starts with objects that are constructed again, from what is stored.
   */
  resetDurableObjects?: boolean;
  /**
   * Whether each test and each group starts with what was stored before it ("test", the default), or only each file
   * ("file").
   */
  isolation?: "test" | "file";
};

export class TestEnvironment {
  readonly #core: TestCore;
  readonly #storage: StackedStorageFactory;
  readonly #imported: ImportedScript | undefined;
  readonly #reset: boolean;
  /** How many nested savepoints are made. Tests and groups inside the innermost one share it. */
  readonly #savepointsMax: number;
  #savepoint = 0;
  /** What is known when the worker's script has run. */
  #plugin: DurableObjectsPlugin | undefined;
  #bindings: Context = {};
  /** What the worker's global scope has, and the helpers. */
  globals: Context = {};

  private constructor(scriptRunner: ScriptRunner, options: TestEnvironmentOptions) {
    const { resetDurableObjects = true, isolation = "test", ...coreOptions } = options;
    checkOptions(resetDurableObjects, isolation);
    this.#reset = resetDurableObjects;
    this.#savepointsMax = isolation === "file" ? 1 : Number.POSITIVE_INFINITY;
    this.#storage = new StackedStorageFactory();
    this.#imported = scriptRunner instanceof ImportedScript ? scriptRunner : undefined;
    const scriptRunForModuleExports = this.#imported === undefined;
    const context = { scriptRunner, storageFactory: this.#storage, scriptRunForModuleExports };
    this.#core = createCore(context, coreOptions, this.#fetchMock);
  }

  readonly #fetchMock = createFetchMock();

  /** `globals` replace those that Miniflare has, in worker scripts too. */
  static async create(
    scriptRunner: ScriptRunner,
    options: TestEnvironmentOptions = {},
    globals: Context = {},
  ): Promise<TestEnvironment> {
    const given = { ...options, globals: { ...options.globals, ExecutionContext, ...globals } };
    const environment = new TestEnvironment(scriptRunner, given);
    try {
      await environment.#setUp();
    } catch (error) {
      await environment.#core.dispose();
      throw error;
    }
    return environment;
  }

  async #setUp(): Promise<void> {
    const core = this.#core;
    const ready = core.getGlobalScope();
    // Where the script cannot run, what waits for it first has the error.
    ready.catch(() => {});
    const begun = await this.#imported?.begun(ready);
    if (begun === undefined) await this.#noteReady();
    const workers = begun?.workers ?? this.#plugin![kWorkersModule];
    const bindings = () => this.#bindings;
    this.globals = Object.assign(
      begun?.scope ?? (await ready),
      miniflareHelpers(core, this.#fetchMock, bindings),
      cloudflareHelpers(core),
      {
        [WORKERS_KEY]: workers,
        [Symbol.for(TEST_GLOBAL)]: cloudflareTest(core, this.#storage, this.#fetchMock, bindings),
      },
    );
  }

  async #noteReady(): Promise<void> {
    this.#plugin = (await this.#core.getPlugins()).DurableObjectsPlugin;
    this.#bindings = await this.#core.getBindings();
  }

  /** The test runner has imported the script. */
  async load(exports: Context): Promise<void> {
    this.#imported?.give(exports);
    await this.#noteReady();
  }

  /** Results of RPC are objects of the realm of the tests, by one of its constructors. */
  enterRealm(Class: unknown): void {
    const module = this.globals[WORKERS_KEY] as { [kBeforeRun]?: unknown };
    (module[kBeforeRun] as (scope: undefined, Class: unknown) => void)(undefined, Class);
  }

  /** Begins a test or a group of tests. */
  push(): void {
    this.#savepoint++;
    if (this.#savepoint > this.#savepointsMax) return;
    this.#storage.push();
    this.#enterSavepoint();
  }

  /** Ends it: everything is stored as it was before. */
  pop(): void {
    const isOwn = this.#savepoint <= this.#savepointsMax;
    this.#savepoint = Math.max(this.#savepoint - 1, 0);
    if (!isOwn) return;
    this.#storage.pop();
    this.#enterSavepoint();
  }

  #enterSavepoint(): void {
    this.#plugin?.[kEnterSavepoint](this.#savepoint);
    if (this.#reset) this.#plugin?.[kForgetObjects](this.#savepoint);
  }

  async dispose(): Promise<void> {
    this.#imported?.give({});
    // An error of a script that could not be loaded has been told.
    await this.#core.dispose();
  }
}

function checkOptions(resetDurableObjects: unknown, isolation: unknown): void {
  if (typeof resetDurableObjects !== "boolean") {
    throw new TypeError(
      `resetDurableObjects must be true or false, not ${String(resetDurableObjects)}`,
    );
  }
  if (isolation !== "test" && isolation !== "file") {
    throw new TypeError(`isolation must be "test" or "file", not ${String(isolation)}`);
  }
}
