/** The `Miniflare` class: `MiniflareCore` with the options and methods of `miniflare@2`, on the native Durable Objects. */
import type http from "node:http";
import type https from "node:https";
import type { CacheStorage } from "@miniflare/cache";
import { MiniflareCore } from "@miniflare/core";
import { createServer, DEFAULT_PORT } from "@miniflare/http-server";
import type { KVNamespace } from "@miniflare/kv";
import { QueueBroker } from "@miniflare/queues";
import type { R2Bucket } from "@miniflare/r2";
import type { CronScheduler } from "@miniflare/scheduler";
import { startScheduler } from "@miniflare/scheduler";
import { NoOpLog } from "@miniflare/shared";
import sourceMapSupport from "source-map-support";
import { withConfigFiles } from "../config/choice";
import type { DurableObjectId, DurableObjectNamespace } from "../durable-objects/namespace";
import { closeStores } from "../native/stores";
import { printable } from "../shared/thrown";
import type { DurableObjectStorage } from "../storage/storage";
import { tellingBindings } from "../workers/early-bindings";
import { followConfigFiles } from "./configured";
import { type DispatchFetch, dispatchAnyRequest } from "./dispatch";
import { checkOptionNames } from "./known-options";
import { listen } from "./listen";
import type { MiniflareOptions } from "./options";
import type { Plugins } from "./plugins";
import { PLUGINS } from "./plugins";
import { Remains } from "./remains";
import { startREPL } from "./repl";
import { ScriptRunner } from "./script-runner";
import { VariedStorageFactory } from "./storage-factory";
import { installWatcher } from "./watch/watcher";

export type ServerOptions = http.ServerOptions & https.ServerOptions;

/** An instance whose `dispatchFetch()` rejects with what the server can show, whatever the worker has thrown. */
function withPrintableErrors(mf: Miniflare): Miniflare {
  const dispatchFetch: Miniflare["dispatchFetch"] = async (...request) => {
    try {
      return await mf.dispatchFetch(...request);
    } catch (thrown) {
      throw printable(thrown);
    }
  };
  return new Proxy(mf, {
    get(target, key) {
      if (key === "dispatchFetch") return dispatchFetch;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

export class Miniflare extends MiniflareCore<Plugins> {
  declare dispatchFetch: DispatchFetch;
  readonly #remains: Remains;
  readonly #storageFactory: VariedStorageFactory;

  constructor(options?: MiniflareOptions) {
    if (options?.sourceMap) sourceMapSupport.install({ emptyCacheBetweenOperations: true });
    const log = options?.log ?? new NoOpLog();
    const storageFactory = new VariedStorageFactory();
    installWatcher();
    if (options) checkOptionNames(options, log);
    const chosen = options && withConfigFiles(options, log);
    const remains = new Remains();
    const leave = remains.enter();
    super(
      remains.remember(tellingBindings(PLUGINS)),
      {
        log,
        storageFactory,
        queueBroker: new QueueBroker(log),
        scriptRunner: new ScriptRunner(),
        scriptRequired: options?.scriptRequired ?? true,
      },
      chosen,
    );
    leave();
    this.#remains = remains;
    this.#storageFactory = storageFactory;
    followConfigFiles(this, options ?? {}, chosen?.wranglerConfigPath);
    dispatchAnyRequest(this);
  }

  /**
   * Stops alarms, watchers and mounts, makes everything that was written durable, and closes databases and connections;
   * servers and schedulers belong to the caller.
   * An instance whose start has failed is closed too: the error of the start goes to the callers that have used the instance.
   */
  override async dispose(): Promise<void> {
    try {
      await this.#remains.disposeOf(this.getPlugins(), () => super.dispose());
    } finally {
      await closeStores(this.#storageFactory);
      await this.#storageFactory.dispose();
    }
  }

  async getKVNamespace(namespace: string): Promise<KVNamespace> {
    const { KVPlugin } = await this.getPlugins();
    return KVPlugin.getNamespace(this.getPluginStorage("KVPlugin"), namespace);
  }

  async getR2Bucket(bucket: string): Promise<R2Bucket> {
    const { R2Plugin } = await this.getPlugins();
    return R2Plugin.getBucket(this.getPluginStorage("R2Plugin"), bucket);
  }

  async getCaches(): Promise<CacheStorage> {
    const { CachePlugin } = await this.getPlugins();
    return CachePlugin.getCaches();
  }

  async getDurableObjectNamespace(objectName: string): Promise<DurableObjectNamespace> {
    const { DurableObjectsPlugin } = await this.getPlugins();
    const storage = this.getPluginStorage("DurableObjectsPlugin");
    return DurableObjectsPlugin.getNamespace(storage, objectName);
  }

  /** Returns the storage of an object, the same data as the object sees, without starting the object. */
  async getDurableObjectStorage(id: DurableObjectId): Promise<DurableObjectStorage> {
    const { DurableObjectsPlugin } = await this.getPlugins();
    const storage = this.getPluginStorage("DurableObjectsPlugin");
    return DurableObjectsPlugin.openStorage(storage, id);
  }

  createServer(options?: ServerOptions): Promise<http.Server | https.Server> {
    return createServer(withPrintableErrors(this), options);
  }

  /** Resolves once the server accepts requests; rejects if it cannot listen on the host and port of the options. */
  async startServer(options?: ServerOptions): Promise<http.Server | https.Server> {
    const server = await this.createServer(options);
    const { HTTPPlugin } = await this.getPlugins();
    return listen(server, HTTPPlugin, this.log);
  }

  startScheduler(): Promise<CronScheduler<Plugins>> {
    return startScheduler(this);
  }

  startREPL(): Promise<void> {
    return startREPL(this);
  }

  /** Returns the URL to show in a browser, or `undefined` if the `open` option is not set. */
  async getOpenURL(): Promise<string | undefined> {
    const { HTTPPlugin } = await this.getPlugins();
    const { open, httpsEnabled, host = "localhost", port = DEFAULT_PORT } = HTTPPlugin;
    if (!open) return undefined;
    if (typeof open === "string") return open;
    return `${httpsEnabled ? "https" : "http"}://${host}:${port}/`;
  }
}
