/** Opens the databases of SQLite-backed objects before their construction, and gives them up when another process waits. */
import { clearInterval, setInterval } from "../shared/real-timers";
import { kIsOfObject, kRelease, kReopen, kWanted } from "../shared/symbols";
import { closeDatabase, isOvertaken, opened } from "../storage/sql/of-storage";
import { SqliteStorage } from "../storage/sql/sqlite-storage";
import type { DurableObjectStorage } from "../storage/storage";
import { OpenDatabases } from "./open-databases";

/** How often to look whether another process waits for an object. */
const LOOK_MS = 100;

/** What the running objects do for their databases. */
interface Owner {
  /** Whether other processes may wait for the objects. */
  isShared: boolean;
  isRunning(key: string): boolean;
  /** Whether nothing runs in a running object. */
  isIdle(key: string): boolean;
  /** Ends a running object when it is idle. */
  evict(key: string): Promise<void>;
  /** The most databases that are open at once, as long as instances are idle. */
  openMax: number;
}

/** What a plugin shares with its heir and its mounts. */
interface Lineage {
  /** The storages of code outside objects. */
  outside: Set<SqliteStorage>;
  open: OpenDatabases;
}

const lineages = new WeakMap<object, Lineage>();

function lineageOf(key: object): Lineage {
  const known = lineages.get(key) ?? { outside: new Set(), open: new OpenDatabases() };
  lineages.set(key, known);
  return known;
}

export class SqliteObjects {
  readonly #owner: Owner;
  readonly #opening = new Map<string, Promise<void>>();
  /** Storages that are open for objects which are about to be constructed, by the key of the object. */
  readonly #opened = new Map<string, DurableObjectStorage>();
  /** The storages of the running instances, with the keys of their objects. */
  readonly #instances = new Map<SqliteStorage, string>();
  readonly #outside: Set<SqliteStorage>;
  readonly #open: OpenDatabases;
  readonly #leaving = new Set<string>();
  #lookout: NodeJS.Timeout | undefined;

  constructor(lineage: object, owner: Owner) {
    this.#owner = owner;
    const { outside, open } = lineageOf(lineage);
    this.#outside = outside;
    this.#open = open;
    this.#lookIfNeeded();
  }

  /** Whether an object that is not running has no open database yet. */
  mustOpen(key: string): boolean {
    return !this.#opened.has(key) && !this.#owner.isRunning(key);
  }

  /** Opens the database of a running object again that rests. If another process has had the object, the object ends. */
  reopen(storage: DurableObjectStorage, key: string): Promise<void> | undefined {
    return storage[kReopen]()?.catch(async (reason: unknown) => {
      if (!isOvertaken(storage)) throw reason;
      await this.#owner.evict(key);
    });
  }

  /** The database of a storage has been opened. */
  opened(storage: SqliteStorage): void {
    this.#open.add(storage);
    this.#makeRoom(1);
  }

  /** Opens the database of an object, once for all that wait for it. */
  async open(key: string, make: () => DurableObjectStorage): Promise<void> {
    while (this.mustOpen(key)) {
      const opening = this.#opening.get(key) ?? this.#openFor(key, make());
      this.#opening.set(key, opening);
      await opening;
    }
  }

  /** The storage that was opened for an object, which the object takes over. */
  take(key: string): DurableObjectStorage | undefined {
    const storage = this.#opened.get(key);
    this.#opened.delete(key);
    return storage;
  }

  /** Looks from now on whether other processes wait for the object of a storage. */
  watch(storage: DurableObjectStorage, key: string): void {
    if (!this.#owner.isShared || !(storage instanceof SqliteStorage)) return;
    if (storage[kIsOfObject]) this.#instances.set(storage, key);
    else this.#outside.add(storage);
    this.#lookIfNeeded();
  }

  /** The storage of an instance that has ended. */
  forget(storage: DurableObjectStorage): void {
    closeDatabase(storage);
    this.#instances.delete(storage as SqliteStorage);
    this.#open.delete(storage as SqliteStorage);
    this.#lookIfNeeded();
  }

  /** The instances have ended: closes what was opened for others. Code outside goes on with its storages. */
  end(): void {
    for (const storage of this.#opened.values()) closeDatabase(storage);
    this.#opened.clear();
    this.#instances.clear();
    this.#lookIfNeeded();
  }

  /** Looks no more: an heir does, or the store is about to be closed. */
  stop(): void {
    clearInterval(this.#lookout);
    this.#lookout = undefined;
  }

  async #openFor(key: string, storage: DurableObjectStorage): Promise<void> {
    try {
      this.#makeRoom(0);
      this.#opened.set(key, await opened(storage));
    } finally {
      this.#opening.delete(key);
    }
  }

  /** Lets idle databases rest, so that as many are open as may be, and `more`. */
  #makeRoom(more: number): void {
    if (!this.#owner.isShared) return;
    this.#open.makeRoom(this.#owner.openMax - this.#opening.size + more, (storage) => {
      const key = this.#instances.get(storage);
      return key === undefined ? this.#outside.has(storage) : this.#owner.isIdle(key);
    });
  }

  #lookIfNeeded(): void {
    const { size } = this.#instances;
    if (!this.#owner.isShared || size + this.#outside.size === 0) this.stop();
    else this.#lookout ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    // Code outside objects opens the database again when it needs it.
    for (const storage of this.#outside) if (storage[kWanted]()) storage[kRelease]();
    for (const [storage, key] of this.#instances) {
      if (storage[kWanted]() && !this.#leaving.has(key)) void this.#leave(key);
    }
  }

  async #leave(key: string): Promise<void> {
    this.#leaving.add(key);
    try {
      if (this.#owner.isRunning(key)) await this.#owner.evict(key);
    } catch {
      // It is busy: the process that waits is told in time.
    } finally {
      this.#leaving.delete(key);
    }
  }
}
