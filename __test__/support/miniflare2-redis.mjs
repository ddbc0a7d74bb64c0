// Miniflare 2 with its data in Redis: its own plugin and its own storage, of the newest version that the registry has.
import { BindingsPlugin, CorePlugin, MiniflareCore } from "@miniflare/core";
import { DurableObjectsPlugin } from "@miniflare/durable-objects";
import { QueueBroker } from "@miniflare/queues";
import { VMScriptRunner } from "@miniflare/runner-vm";
import { NoOpLog } from "@miniflare/shared";
import IORedis from "ioredis";
import { RedisStorage } from "miniflare2-storage-redis";

/** Opens it with these options; `dispose()` closes the connection too. */
export function openMiniflare2(url, options) {
  const connection = new IORedis(url);
  const log = new NoOpLog();
  const storageFactory = { storage: (namespace) => new RedisStorage(connection, namespace) };
  const context = {
    log,
    storageFactory,
    scriptRunner: new VMScriptRunner(),
    queueBroker: new QueueBroker(log),
  };
  const mf = new MiniflareCore({ CorePlugin, BindingsPlugin, DurableObjectsPlugin }, context, {
    modules: true,
    ...options,
    durableObjectsPersist: url,
  });
  const plugin = async () => (await mf.getPlugins()).DurableObjectsPlugin;
  return {
    async stub(binding, name) {
      const storage = mf.getPluginStorage("DurableObjectsPlugin");
      const namespace = (await plugin()).getNamespace(storage, binding);
      return namespace.get(namespace.idFromName(name));
    },
    async storageOf(binding, name) {
      const namespace = (await plugin()).getNamespace(
        mf.getPluginStorage("DurableObjectsPlugin"),
        binding,
      );
      return this.storage(namespace.idFromName(name));
    },
    async storage(id) {
      return (await plugin()).getStorage(mf.getPluginStorage("DurableObjectsPlugin"), id);
    },
    /** A namespace of KV in the same database. */
    kv: (namespace) => new RedisStorage(connection, namespace),
    async dispose() {
      await mf.dispose();
      connection.disconnect();
    },
  };
}
