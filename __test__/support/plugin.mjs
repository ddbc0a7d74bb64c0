// Sets up Durable Objects without a script on disk: a plugin alone, or one in an unmodified MiniflareCore.
import { BindingsPlugin, CorePlugin, MiniflareCore } from "@miniflare/core";
import { QueueBroker } from "@miniflare/queues";
import { Compatibility, NoOpLog } from "@miniflare/shared";
import { MemoryStorage } from "@miniflare/storage-memory";
import { DurableObjectsPlugin } from "../../index.mjs";

/** The id of the name "test" of the binding "TEST". */
export const TEST_ID_HEX = "a856dbbd5109f5217920084de35ee0a24072ca790341ed4e94ee059335e587e5";

/** A storage factory of its own, so that a test sees no data of another. */
export function memoryFactory() {
  const storages = new Map();
  return {
    storage(namespace) {
      if (!storages.has(namespace)) storages.set(namespace, new MemoryStorage());
      return storages.get(namespace);
    },
  };
}

export function pluginContext(overrides) {
  return {
    log: new NoOpLog(),
    compat: new Compatibility(),
    rootPath: process.cwd(),
    queueBroker: {},
    queueEventDispatcher: async () => {},
    sharedCache: new Map(),
    ...overrides,
  };
}

/**
 * A plugin that serves `classes`, each under its own name, as after the first reload.
 * `reload(classes)` reloads it as Miniflare does.
 */
export async function servingPlugin(
  classes,
  { ctx = pluginContext(), options, env = {}, factory = memoryFactory() } = {},
) {
  const durableObjects = Object.fromEntries(Object.keys(classes).map((name) => [name, name]));
  const plugin = new DurableObjectsPlugin(ctx, { durableObjects, ...options });
  await plugin.setup(factory);
  const reload = async (next) => {
    await plugin.beforeReload();
    ctx.sharedCache.clear();
    plugin.reload(env, next, new Map());
  };
  await reload(classes);
  const namespace = (name) => plugin.getNamespace(factory, name);
  return { plugin, factory, ctx, reload, namespace };
}

/** The names that a worker sees on an object, own and inherited. */
export function visibleNames(object) {
  const names = new Set();
  for (let at = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete("constructor");
  return [...names].sort();
}

/** A promise and the functions that settle it. */
export function deferred() {
  const result = {};
  result.promise = new Promise((resolve, reject) => Object.assign(result, { resolve, reject }));
  return result;
}

/** Lets everything run that is ready to run. */
export async function idle() {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/**
 * An unmodified `MiniflareCore` whose "script" is the value of `worker.exports` at each reload; if `worker.error` is set
 * the script fails with it.
 */
export function coreMiniflare(
  worker,
  options,
  { plugins = {}, storageFactory = memoryFactory(), log = new NoOpLog() } = {},
) {
  const scriptRunner = {
    async run(_scope, { code }) {
      if (worker.error) throw worker.error;
      return { exports: code === "mount" ? worker.mount : worker.exports };
    },
  };
  return new MiniflareCore(
    { CorePlugin, BindingsPlugin, DurableObjectsPlugin, ...plugins },
    { log, storageFactory, scriptRunner, queueBroker: new QueueBroker(log) },
    { modules: true, script: "worker", ...options },
  );
}
