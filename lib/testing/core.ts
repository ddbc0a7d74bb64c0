/** The Miniflare instance of a test environment: plugins and options as Miniflare 2's environments have them. */
import { CachePlugin } from "@miniflare/cache";
import type { MiniflareCoreContext, MiniflareCoreOptions } from "@miniflare/core";
import { type createFetchMock, MiniflareCore } from "@miniflare/core";
import { D1Plugin } from "@miniflare/d1";
import { HTMLRewriterPlugin } from "@miniflare/html-rewriter";
import { KVPlugin } from "@miniflare/kv";
import { QueueBroker, QueuesPlugin } from "@miniflare/queues";
import { R2Plugin } from "@miniflare/r2";
import { NoOpLog, type StorageFactory } from "@miniflare/shared";
import { SitesPlugin } from "@miniflare/sites";
import { WebSocketPlugin } from "@miniflare/web-sockets";
import { withConfigFiles } from "../config/choice";
import { DurableObjectsPlugin } from "../durable-objects/plugin";
import { BindingsPlugin } from "../miniflare/bindings-plugin";
import { TestCorePlugin } from "../miniflare/core-plugin";
import { checkOptionNames } from "../miniflare/known-options";
import { Remains } from "../miniflare/remains";
import { closeStores } from "../native/stores";
import { tellingBindings } from "../workers/early-bindings";

const PLUGINS = {
  CorePlugin: TestCorePlugin,
  KVPlugin,
  D1Plugin,
  R2Plugin,
  DurableObjectsPlugin,
  CachePlugin,
  SitesPlugin,
  QueuesPlugin,
  HTMLRewriterPlugin,
  WebSocketPlugin,
  BindingsPlugin,
};

/** Miniflare's core. An instance whose start has failed can be disposed of, too. */
export class TestCore extends MiniflareCore<typeof PLUGINS> {
  readonly #remains: Remains;
  readonly #storage: StorageFactory;

  constructor(context: MiniflareCoreContext, options: CoreOptions) {
    const remains = new Remains();
    super(remains.remember(tellingBindings(PLUGINS)), context, options);
    this.#remains = remains;
    this.#storage = context.storageFactory;
  }

  override async dispose(): Promise<void> {
    try {
      await this.#remains.disposeOf(this.getPlugins(), () => super.dispose());
    } finally {
      await closeStores(this.#storage);
    }
  }
}

export type CoreOptions = MiniflareCoreOptions<typeof PLUGINS>;
type CoreContext = Pick<
  MiniflareCoreContext,
  "scriptRunner" | "storageFactory" | "scriptRunForModuleExports"
>;
type FetchMock = ReturnType<typeof createFetchMock>;

/**
 * Only `durableObjectsPersist` is taken from the options of the environment, not from `wrangler.toml`: that names the
 * data of development. Everything else is kept in memory.
 */
export function createCore(
  context: CoreContext,
  options: CoreOptions,
  fetchMock: FetchMock,
): TestCore {
  const log = new NoOpLog();
  checkOptionNames(options, log);
  return new TestCore({ log, queueBroker: new QueueBroker(log), ...context }, {
    ...withConfigFiles({
      wranglerConfigPath: true,
      packagePath: true,
      envPathDefaultFallback: true,
      durableObjectsPersist: false,
      ...options,
    }),
    watch: false,
    kvPersist: false,
    d1Persist: false,
    r2Persist: false,
    cachePersist: false,
    globalAsyncIO: true,
    globalTimers: true,
    globalRandom: true,
    actualTime: true,
    fetchMock,
  } as CoreOptions);
}
