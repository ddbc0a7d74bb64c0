/** Provides the storage of KV, cache, R2, D1 and queues in tests: in memory, with savepoints that undo writes. */
import type { Storage, StorageFactory } from "@miniflare/shared";
import { MemoryStorage } from "@miniflare/storage-memory";

/** A map whose `pop()` undoes the changes since the `push()` before it. Both cost what was changed, not what is stored. */
class SavepointMap<K, V> extends Map<K, V> {
  /** For each savepoint the entries that were changed in it, as they were before. */
  readonly #savepoints: Map<K, { value: V } | undefined>[] = [];

  push(): void {
    this.#savepoints.push(new Map());
  }

  pop(): void {
    const changed = this.#savepoints.pop();
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
    const changed = this.#savepoints.at(-1);
    if (changed === undefined || changed.has(key)) return;
    changed.set(key, this.has(key) ? { value: this.get(key) as V } : undefined);
  }
}

class StackedStorage extends MemoryStorage {
  readonly #map: SavepointMap<string, never>;
  #depth: number;
  /** Savepoints of the SQLite database, which is opened when it is first asked for. */
  #savepoints = 0;

  constructor(depth: number) {
    const map = new SavepointMap<string, never>();
    super(map);
    this.#map = map;
    this.#depth = depth;
    for (let savepoint = 0; savepoint < depth; savepoint++) map.push();
  }

  override async getSqliteDatabase(): ReturnType<MemoryStorage["getSqliteDatabase"]> {
    const database = await super.getSqliteDatabase();
    this.#save();
    return database;
  }

  /** Deletes everything. The end of the savepoint brings back what was stored before it. */
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
    const name = `TEST_${this.#savepoints--}`;
    this.sqliteDB?.exec(`ROLLBACK TO ${name}`);
    this.sqliteDB?.exec(`RELEASE ${name}`);
  }

  #save(): void {
    while (this.#savepoints < this.#depth)
      this.sqliteDB?.exec(`SAVEPOINT TEST_${++this.#savepoints}`);
  }
}

/** Memory with savepoints. Durable Objects follow its `push()` and `pop()`: see `lib/native/stores.ts`. */
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
