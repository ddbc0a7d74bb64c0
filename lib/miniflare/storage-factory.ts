/**
 * Provides the storage of KV, cache, R2, D1 and sites: in memory, in files or in Redis.
 *
 * Durable Objects are not in it: their data belongs to the native core.
 */
import { createRequire } from "node:module";
import path from "node:path";
import type { Storage, StorageFactory } from "@miniflare/shared";
import { sanitisePath } from "@miniflare/shared";
import type { FileStorage } from "@miniflare/storage-file";
import type { MemoryStorage } from "@miniflare/storage-memory";
import { noteDataDirectory } from "../shared/data-directories";
import { isRedisUrl, shownUrl } from "../shared/redis-url";

/** What this module needs of an `ioredis` connection; that package is optional, so its types are not referred to. */
export interface RedisConnection {
  disconnect(): void;
}

type RedisStorageClass = new (connection: RedisConnection, namespace: string) => Storage;
type RedisConnectionClass = new (url: string) => RedisConnection;

const REDIS_PACKAGES = "@miniflare/storage-redis@2.14.4 ioredis@4";

/** Loads an optional package from beside this one, or else from the user's own project. */
function requireOptional(name: string, url: string): unknown {
  const places = [require, createRequire(path.resolve("package.json"))];
  for (const requireFrom of places) {
    let file: string;
    try {
      file = requireFrom.resolve(name);
    } catch {
      continue;
    }
    return requireFrom(file);
  }
  throw new Error(
    `Cannot store data in ${shownUrl(url)}: the package "${name}" is not installed. ` +
      `Install it with: npm install -D ${REDIS_PACKAGES}`,
  );
}

export class VariedStorageFactory implements StorageFactory {
  readonly #memoryStorages: Map<string, MemoryStorage>;
  readonly #redisConnections: Map<string, RedisConnection>;

  constructor(
    memoryStorages: Map<string, MemoryStorage> = new Map(),
    redisConnections: Map<string, RedisConnection> = new Map(),
  ) {
    this.#memoryStorages = memoryStorages;
    this.#redisConnections = redisConnections;
  }

  /**
   * Returns the storage of a namespace. In memory the same namespace is always the same storage, which is how data
   * survives a reload.
   *
   * # Errors An `Error` that names the package to install if `persist` is a Redis URL and Redis support is not
   * installed. A `TypeError` if `persist` is a boolean: `PluginStorageFactory` has to turn it into a path first.
   */
  storage(namespace: string, persist?: boolean | string): Storage {
    if (typeof persist === "boolean") {
      throw new TypeError(
        `The place of "${namespace}" must be a path, a Redis URL or undefined, not ${persist}.`,
      );
    }
    if (persist === undefined) return this.#memory(namespace);
    if (isRedisUrl(persist)) return this.#redis(namespace, persist);
    const { FileStorage: File } = require("@miniflare/storage-file") as {
      FileStorage: typeof FileStorage;
    };
    const directory = path.join(persist, sanitisePath(namespace));
    noteDataDirectory(persist);
    noteDataDirectory(directory);
    return new File(directory);
  }

  #memory(namespace: string): MemoryStorage {
    let storage = this.#memoryStorages.get(namespace);
    if (storage === undefined) {
      const { MemoryStorage: Memory } = require("@miniflare/storage-memory") as {
        MemoryStorage: typeof MemoryStorage;
      };
      storage = new Memory();
      this.#memoryStorages.set(namespace, storage);
    }
    return storage;
  }

  #redis(namespace: string, url: string): Storage {
    const { RedisStorage } = requireOptional("@miniflare/storage-redis", url) as {
      RedisStorage: RedisStorageClass;
    };
    let connection = this.#redisConnections.get(url);
    if (connection === undefined) {
      const IORedis = requireOptional("ioredis", url) as RedisConnectionClass;
      connection = new IORedis(url);
      this.#redisConnections.set(url, connection);
    }
    return new RedisStorage(connection, namespace);
  }

  /** Closes the database connections, so that the process can end. Data in memory stays. */
  async dispose(): Promise<void> {
    for (const connection of this.#redisConnections.values()) connection.disconnect();
    this.#redisConnections.clear();
  }
}
