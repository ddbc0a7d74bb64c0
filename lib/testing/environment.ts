/** What the Jest and Vitest environments have in common: a Miniflare instance, its globals, and levels of isolation. */
import type { Context, ScriptRunner } from "@miniflare/shared";
import type { DurableObjectsPlugin } from "../durable-objects/plugin";
import { kBeforeRun } from "../durable-objects/worker";
import { kEnterLevel, kForgetObjects, kWorkersModule } from "../shared/symbols";
import { WORKERS_GLOBAL } from "../workers/names";
import { cloudflareTest } from "./cloudflare-test";
import { type CoreOptions, createCore, type TestCore } from "./core";
import { ExecutionContext } from "./execution-context";
import { cloudflareHelpers, miniflareHelpers } from "./helpers";
import { TEST_GLOBAL } from "./names";
import { StackedStorageFactory } from "./stacked-storage";

/** Options of Miniflare, and those of the environment. */
export type TestEnvironmentOptions = CoreOptions & {
  /**
   * Whether the objects that are running are let go of when a test or a group of tests begins and ends, so that
   * each starts with objects constructed anew, from what is stored; true by default.
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
  readonly #plugin: DurableObjectsPlugin;
  readonly #reset: boolean;
  /** How many levels are kept: those within the last one are none of their own. */
  readonly #levelsMax: number;
  #level = 0;
  /** What the worker's global scope has, and the helpers. */
  readonly globals: Context;

  private constructor(
    core: TestCore,
    storage: StackedStorageFactory,
    plugin: DurableObjectsPlugin,
    globals: Context,
    { reset, levelsMax }: { reset: boolean; levelsMax: number },
  ) {
    this.#core = core;
    this.#storage = storage;
    this.#plugin = plugin;
    this.globals = globals;
    this.#reset = reset;
    this.#levelsMax = levelsMax;
  }

  /** `globals` replace those that Miniflare has, in worker scripts too. */
  static async create(
    scriptRunner: ScriptRunner,
    options: TestEnvironmentOptions = {},
    globals: Context = {},
  ): Promise<TestEnvironment> {
    const { resetDurableObjects: reset = true, isolation = "test", ...coreOptions } = options;
    if (typeof reset !== "boolean") {
      throw new TypeError(`resetDurableObjects must be true or false, not ${String(reset)}`);
    }
    if (isolation !== "test" && isolation !== "file") {
      throw new TypeError(`isolation must be "test" or "file", not ${String(isolation)}`);
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
      const test = await cloudflareTest(core, storageFactory, fetchMock);
      Object.assign(scope, { [Symbol.for(TEST_GLOBAL)]: test });
      const levelsMax = isolation === "file" ? 1 : Number.POSITIVE_INFINITY;
      return new TestEnvironment(core, storageFactory, plugin, scope, { reset, levelsMax });
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
    this.#level++;
    if (this.#level > this.#levelsMax) return;
    this.#storage.push();
    this.#enterLevel();
  }

  /** Ends it: everything is stored as it was before. */
  pop(): void {
    const isOwn = this.#level <= this.#levelsMax;
    this.#level = Math.max(this.#level - 1, 0);
    if (!isOwn) return;
    this.#storage.pop();
    this.#enterLevel();
  }

  #enterLevel(): void {
    this.#plugin[kEnterLevel](this.#level);
    if (this.#reset) this.#plugin[kForgetObjects](this.#level);
  }

  async dispose(): Promise<void> {
    await this.#core.dispose();
  }
}
