/** Provides the storage of KV, cache, R2, D1 and queues in tests: in memory, in levels that can be taken back. */
import type { Storage, StorageFactory } from "@miniflare/shared";
import { MemoryStorage } from "@miniflare/storage-memory";

/** A map whose changes since each `push()` can be taken back; both cost what was changed, not what is there. */
class LeveledMap<K, V> extends Map<K, V> {
  /** For each level the entries that it has changed, as they were before. */
  readonly #levels: Map<K, { value: V } | undefined>[] = [];

  push(): void {
    this.#levels.push(new Map());
  }

  pop(): void {
    const changed = this.#levels.pop();
    if (changed === undefined) super.clear();
    for (const [key, before] of changed ?? []) {
      if (before === undefined) super.delete(key);
      else super.set(key, before.value);
    }
  }

  override set(key: K, value: V): this {
    this.#remember(key);
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.#remember(key);
    return super.delete(key);
  }

  override clear(): void {
    for (const key of this.keys()) this.#remember(key);
    super.clear();
  }

  #remember(key: K): void {
    const changed = this.#levels.at(-1);
    if (changed === undefined || changed.has(key)) return;
    changed.set(key, this.has(key) ? { value: this.get(key) as V } : undefined);
  }
}

class StackedStorage extends MemoryStorage {
  readonly #map: LeveledMap<string, never>;
  #depth: number;
  /** Levels of the SQLite database, which is opened when it is first asked for. */
  #savepoints = 0;

  constructor(depth: number) {
    const map = new LeveledMap<string, never>();
    super(map);
    this.#map = map;
    this.#depth = depth;
    for (let level = 0; level < depth; level++) map.push();
  }

  override async getSqliteDatabase(): ReturnType<MemoryStorage["getSqliteDatabase"]> {
    const database = await super.getSqliteDatabase();
    this.#save();
    return database;
  }

  /** Deletes everything; the end of the level brings back what was there before it. */
  clear(): void {
    this.#map.clear();
    const tables =
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    for (const { name } of (this.sqliteDB?.prepare(tables).all() ?? []) as { name: string }[]) {
      this.sqliteDB?.exec(`DROP TABLE "${name.replaceAll('"', '""')}"`);
    }
  }

  push(): void {
    this.#map.push();
    this.#depth++;
    if (this.sqliteDB) this.#save();
  }

  pop(): void {
    this.#map.pop();
    this.#depth = Math.max(this.#depth - 1, 0);
    if (this.#savepoints <= this.#depth) return;
    const name = `LEVEL_${this.#savepoints--}`;
    this.sqliteDB?.exec(`ROLLBACK TO ${name}`);
    this.sqliteDB?.exec(`RELEASE ${name}`);
  }

  #save(): void {
    while (this.#savepoints < this.#depth)
      this.sqliteDB?.exec(`SAVEPOINT LEVEL_${++this.#savepoints}`);
  }
}

/** Memory in levels. Durable Objects follow its `push()` and `pop()`: see `lib/native/stores.ts`. */
export class StackedStorageFactory implements StorageFactory {
  readonly #storages = new Map<string, StackedStorage>();
  #depth = 0;

  storage(namespace: string): Storage {
    let storage = this.#storages.get(namespace);
    if (storage === undefined) {
      storage = new StackedStorage(this.#depth);
      this.#storages.set(namespace, storage);
    }
    return storage;
  }

  /** Deletes what is in all storages. */
  clear(): void {
    for (const storage of this.#storages.values()) storage.clear();
  }

  push(): void {
    this.#depth++;
    for (const storage of this.#storages.values()) storage.push();
  }

  pop(): void {
    this.#depth = Math.max(this.#depth - 1, 0);
    for (const storage of this.#storages.values()) storage.pop();
  }
}
