/** What the Jest and Vitest environments have in common: a Miniflare instance, its globals, and levels of isolation. */
import type { Context, ScriptRunner } from "@miniflare/shared";
import type { DurableObjectsPlugin } from "../durable-objects/plugin";
import { kBeforeRun } from "../durable-objects/worker";
import { kForgetObjects, kWorkersModule } from "../shared/symbols";
import { WORKERS_GLOBAL } from "../workers/names";
import { type CoreOptions, createCore, type TestCore } from "./core";
import { ExecutionContext } from "./execution-context";
import { cloudflareHelpers, miniflareHelpers } from "./helpers";
import { StackedStorageFactory } from "./stacked-storage";

/** Options of Miniflare, and those of the environment. */
export type TestEnvironmentOptions = CoreOptions & {
  /**
   * Whether the objects that are running are discarded when a test or a group of tests begins and ends, so that
   * each starts with objects constructed again, from what is stored; true by default.
   */
  resetDurableObjects?: boolean;
};

export class TestEnvironment {
  readonly #core: TestCore;
  readonly #storage: StackedStorageFactory;
  readonly #plugin: DurableObjectsPlugin;
  readonly #reset: boolean;
  /** What the worker's global scope has, and the helpers. */
  readonly globals: Context;

  private constructor(
    core: TestCore,
    storage: StackedStorageFactory,
    plugin: DurableObjectsPlugin,
    globals: Context,
    reset: boolean,
  ) {
    this.#core = core;
    this.#storage = storage;
    this.#plugin = plugin;
    this.globals = globals;
    this.#reset = reset;
  }

  /** `globals` replace those that Miniflare has, in worker scripts too. */
  static async create(
    scriptRunner: ScriptRunner,
    options: TestEnvironmentOptions = {},
    globals: Context = {},
  ): Promise<TestEnvironment> {
    const { resetDurableObjects = true, ...coreOptions } = options;
    if (typeof resetDurableObjects !== "boolean") {
      throw new TypeError(
        `resetDurableObjects must be true or false, not ${String(resetDurableObjects)}`,
      );
    }
    const storageFactory = new StackedStorageFactory();
    const { core, fetchMock } = createCore({ scriptRunner, storageFactory }, coreOptions, {
      ExecutionContext,
      ...globals,
    });
    try {
      const scope = await core.getGlobalScope();
      const { DurableObjectsPlugin: plugin } = await core.getPlugins();
      Object.assign(scope, await miniflareHelpers(core, fetchMock), cloudflareHelpers(core));
      Object.assign(scope, { [Symbol.for(WORKERS_GLOBAL)]: plugin[kWorkersModule] });
      return new TestEnvironment(core, storageFactory, plugin, scope, resetDurableObjects);
    } catch (error) {
      await core.dispose().catch(() => {});
      throw error;
    }
  }

  /** Results of RPC are objects of the realm of the tests, by one of its constructors. */
  enterRealm(Class: unknown): void {
    const module = this.#plugin[kWorkersModule] as { [kBeforeRun]?: unknown };
    (module[kBeforeRun] as (scope: undefined, Class: unknown) => void)(undefined, Class);
  }

  /** Begins a test or a group of tests. */
  push(): void {
    this.#storage.push();
    if (this.#reset) this.#plugin[kForgetObjects]();
  }

  /** Ends it: everything is stored as it was before. */
  pop(): void {
    this.#storage.pop();
    if (this.#reset) this.#plugin[kForgetObjects]();
  }

  async dispose(): Promise<void> {
    await this.#core.dispose();
  }
}
