/** Keeps the objects of a plugin that are running, with their storages: constructs them, evicts them, discards them. */
import type { Context, StorageFactory } from "@miniflare/shared";
import type { Store } from "../native/addon";
import type { Answer } from "../native/answers";
import {
  kAlarmExists,
  kBroken,
  kConstruct,
  kInstance,
  kIsIdle,
  kLose,
  kOnBroken,
  kOnEnd,
  kReset,
  kRetire,
  kSockets,
} from "../shared/symbols";
import { closeDatabase } from "../storage/sql/of-storage";
import type { DurableObjectStorage } from "../storage/storage";
import { alarmBridge } from "./alarms";
import { isModern } from "./base";
import { type BoundClass, notBound } from "./classes";
import { evict, notRunning, type SocketsEnd } from "./eviction";
import { type SocketsHome, socketsHome } from "./hibernation/home";
import {
  addressOf,
  addressOfCacheKey,
  cacheKeyOf,
  DurableObjectId,
  type IdLike,
  keyOf,
  type ObjectAddress,
} from "./id";
import { ModernState } from "./modern-state";
import { withName } from "./names";
import { newState, newStorage } from "./new-state";
import { failedToConstruct } from "./object-rpc";
import { SqliteObjects } from "./sqlite-objects";
import type { DurableObjectState, StateOwner } from "./state";
import type { Worker } from "./worker";

const STORAGE_PREFIX = "durable-objects:storage:";
const STATE_PREFIX = "durable-objects:state:";

/** What the objects need of their plugin. */
interface Owner {
  worker: Worker;
  /** The most bytes of a value, if the option is given. */
  valueSizeGiven: number | undefined;
  /** Whether data is in a directory, which other processes may use. */
  isOnDisk: boolean;
  /** The most objects whose files are open at once. */
  openMax: number;
  store(factory: StorageFactory): Store;
  /** Constructs an object that does not run; waits for a reload in progress. */
  wake(id: IdLike): Promise<unknown>;
  /** Tells of an error that no caller waits for. */
  report(what: string, error: unknown): void;
}

export class RunningObjects {
  readonly #owner: Owner;
  /** The storages and states of the running objects, shared with the mounts; Miniflare clears it at each reload. */
  readonly #cache: Map<string, unknown>;
  /** The states that were constructed here and that have not ended, those of an earlier worker too. */
  readonly #living = new Set<DurableObjectState>();
  readonly #sockets: SocketsHome;
  readonly #databases: SqliteObjects;
  #classes = new Map<string, BoundClass>();
  #isSqlite: (name: string) => boolean = () => false;
  #bindings: Context = {};

  constructor(cache: Map<string, unknown>, owner: Owner) {
    this.#cache = cache;
    this.#owner = owner;
    this.#sockets = socketsHome(cache);
    this.#databases = new SqliteObjects(cache, {
      isShared: owner.isOnDisk,
      isRunning: (key) => cache.has(STATE_PREFIX + key),
      isIdle: (key) => {
        const state = cache.get(STATE_PREFIX + key) as DurableObjectState | undefined;
        return state?.[kIsIdle] ?? false;
      },
      evict: (key) => this.#evict(STATE_PREFIX + key, "hibernate"),
      openMax: owner.openMax,
    });
  }

  /** Objects are constructed of these classes from now on; `isSqlite` says of which bindings they are SQLite-backed. */
  load(
    bindings: Context,
    classes: Map<string, BoundClass>,
    isSqlite: (name: string) => boolean,
  ): void {
    this.#bindings = bindings;
    this.#classes = classes;
    this.#isSqlite = isSqlite;
  }

  bindsModern(name: string): boolean {
    return isModern(this.#classes.get(name)?.Class);
  }

  storage(factory: StorageFactory, id: IdLike): DurableObjectStorage {
    const address = addressOf(id);
    const cacheKey = STORAGE_PREFIX + cacheKeyOf(address);
    const running = this.#cache.get(cacheKey);
    if (running !== undefined) return running as DurableObjectStorage;
    const objectStorage = this.#newStorage(factory, address);
    this.#cache.set(cacheKey, objectStorage);
    this.#databases.watch(objectStorage, cacheKeyOf(address));
    return objectStorage;
  }

  /** With `known`, the storage that code outside of the object has: the one of a running object. */
  #newStorage(
    factory: StorageFactory,
    address: ObjectAddress,
    known?: DurableObjectStorage,
  ): DurableObjectStorage {
    const store = this.#owner.store(factory);
    const bound = this.#classes.get(address.name);
    const isSqlite = this.#isSqlite(address.name);
    return newStorage({
      bound,
      isSqlite,
      valueSizeGiven: this.#owner.valueSizeGiven,
      handle: (valueBytes) => {
        const handle = store.object(address.name, address.id, valueBytes);
        if (bound !== undefined && !isSqlite) handle.expectKeys();
        return handle;
      },
      alarms: alarmBridge(store, address.name, keyOf(address)),
      worker: this.#owner.worker,
      known,
      opened: (storage) => this.#databases.opened(storage),
    });
  }

  /** The id of an object of a modern class that is not running, with the name that it was once used by. */
  named(factory: StorageFactory, id: IdLike): Answer<IdLike> {
    const address = addressOf(id);
    const isRunning = this.#cache.has(STATE_PREFIX + cacheKeyOf(address));
    if (isRunning || !this.bindsModern(address.name)) return id;
    return withName(this.#owner.store(factory), id);
  }

  /** The state of an object, which is constructed if it is not running: that of a SQLite-backed one when its database is open. */
  openObject(factory: StorageFactory, id: IdLike): Answer<DurableObjectState> {
    const address = addressOf(id);
    const key = cacheKeyOf(address);
    if (!this.#isSqlite(address.name)) return this.#object(factory, id);
    if (!this.#databases.mustOpen(key)) {
      const storage = (this.#cache.get(STATE_PREFIX + key) as DurableObjectState | undefined)
        ?.storage;
      const reopened = storage && this.#databases.reopen(storage, key);
      return reopened === undefined
        ? this.#object(factory, id)
        : reopened.then(() => this.#reopened(factory, id));
    }
    const make = () => this.#newStorage(factory, address, this.storage(factory, id));
    return this.#databases.open(key, make).then(() => this.#object(factory, id));
  }

  /** The state after its database was opened again. If that rests once more, the event opens it: here each could wait for the others. */
  #reopened(factory: StorageFactory, id: IdLike): Answer<DurableObjectState> {
    const hasEnded = this.#databases.mustOpen(cacheKeyOf(addressOf(id)));
    return hasEnded ? this.openObject(factory, id) : this.#object(factory, id);
  }

  #object(factory: StorageFactory, id: IdLike): DurableObjectState {
    const address = addressOf(id);
    const cacheKey = STATE_PREFIX + cacheKeyOf(address);
    const running = this.#cache.get(cacheKey);
    if (running !== undefined) return running as DurableObjectState;

    const bound = this.#classes.get(address.name);
    if (bound === undefined) throw notBound(address.name, this.#classes.keys());
    const known = this.storage(factory, id);
    // What a modern object has ends with the object; what others have got of it stays.
    const key = cacheKeyOf(address);
    const storage = this.#databases.take(key) ?? this.#ownStorage(factory, address, known);
    const state = this.#construct(id, bound, storage, known);
    const alarmExists = Boolean(state[kInstance]?.alarm);
    storage[kAlarmExists] = alarmExists;
    known[kAlarmExists] = alarmExists;
    this.#cache.set(cacheKey, state);
    this.#living.add(state);
    return state;
  }

  #ownStorage(
    factory: StorageFactory,
    address: ObjectAddress,
    known: DurableObjectStorage,
  ): DurableObjectStorage {
    return this.bindsModern(address.name) ? this.#newStorage(factory, address, known) : known;
  }

  #construct(
    id: IdLike,
    bound: BoundClass,
    storage: DurableObjectStorage,
    known: DurableObjectStorage,
  ): DurableObjectState {
    const key = keyOf(addressOf(id));
    const cacheKey = STATE_PREFIX + cacheKeyOf(addressOf(id));
    const owner: StateOwner = {
      drop: () => this.#drop(cacheKey, state),
      report: (reason) => constructed && this.#owner.report(`Durable Object ${key}`, reason),
    };
    const own = { worker: this.#owner.worker, bindings: this.#bindings };
    const sockets = () => this.#sockets.of(cacheKey, () => void this.#wake(key, id));
    const { state, env } = newState({ id, bound, storage, owner, sockets, own });
    let constructed = false;
    const onBroken = (error: unknown) => {
      state[kReset](error);
      known[kLose]();
    };
    storage[kOnBroken] = onBroken;
    known[kOnBroken] = onBroken;
    if (this.#isSqlite(addressOf(id).name)) {
      this.#databases.watch(storage, cacheKeyOf(addressOf(id)));
      state[kOnEnd](() => this.#databases.forget(storage));
    }
    try {
      state[kConstruct](() => new bound.Class(state, env));
      // A constructor that has called abort() and caught its error.
      if (state[kBroken] !== undefined && state instanceof ModernState) throw state[kBroken].reason;
    } catch (error) {
      state[kReset](error);
      if (state instanceof ModernState) failedToConstruct(error);
      throw error;
    }
    constructed = true;
    return state;
  }

  #drop(cacheKey: string, state: DurableObjectState): void {
    this.#living.delete(state);
    if (this.#cache.get(cacheKey) === state) this.#cache.delete(cacheKey);
  }

  /** Constructs an object that does not run, for what has happened to its sockets. */
  async #wake(key: string, id: IdLike): Promise<void> {
    try {
      await this.#owner.wake(id);
    } catch (error) {
      this.#owner.report(`Durable Object ${key}`, error);
    }
  }

  /** The ids of the objects of a binding that are running; they have no names. */
  idsOf(namespace: string): DurableObjectId[] {
    const ids: DurableObjectId[] = [];
    for (const cacheKey of this.#cache.keys()) {
      if (!cacheKey.startsWith(STATE_PREFIX)) continue;
      const { name, id } = addressOfCacheKey(cacheKey.slice(STATE_PREFIX.length));
      if (name === namespace) ids.push(new DurableObjectId(name, id));
    }
    return ids;
  }

  /** Evicts one object, or all: each ends when nothing runs in it. */
  async evict(id: IdLike | undefined, webSockets: SocketsEnd): Promise<void> {
    const evicted = id === undefined ? undefined : STATE_PREFIX + cacheKeyOf(addressOf(id));
    if (evicted !== undefined && !this.#cache.has(evicted)) throw notRunning();
    const keys = evicted === undefined ? [...this.#cache.keys()] : [evicted];
    const states = keys.filter((key) => key.startsWith(STATE_PREFIX));
    await Promise.all(states.map((key) => this.#evict(key, webSockets)));
  }

  async #evict(cacheKey: string, webSockets: SocketsEnd): Promise<void> {
    const state = this.#cache.get(cacheKey) as DurableObjectState;
    await evict(state, webSockets);
    this.#drop(cacheKey, state);
  }

  /** Discards every object at once. What still runs in them goes on without being heard. */
  discard(webSockets: SocketsEnd): void {
    for (const key of this.#cache.keys()) {
      if (key.startsWith(STATE_PREFIX)) this.#cache.delete(key);
    }
    if (webSockets === "close") this.#sockets.end("evicted");
    else this.#sockets.sleep();
    this.#forget("evicted");
  }

  /** Closes the sockets of all objects, whose instances are not reached any more: the worker is reloaded or disposed. */
  retire(): void {
    this.#sockets.end("reloaded");
    this.#forget("reloaded");
  }

  /** No other process is given an object any more. */
  dispose(): void {
    this.retire();
    this.#databases.stop();
  }

  #forget(how: "evicted" | "reloaded"): void {
    this.#databases.end();
    for (const state of this.#living) {
      state[kSockets].end(how);
      closeDatabase(state.storage);
      if (state instanceof ModernState) state[kRetire]();
    }
    this.#living.clear();
  }

  /** Begins or ends a savepoint of a test. Hibernating WebSockets that were accepted in an inner savepoint close. */
  enterSavepoint(savepoint: number): void {
    this.#sockets.enterSavepoint(savepoint);
  }

  /** Resets every object: all that runs in them ends with `reason`. */
  reset(reason: unknown): void {
    for (const state of [...this.#living]) state[kReset](reason);
    this.#sockets.end("reset");
  }
}
