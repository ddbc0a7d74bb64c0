/** Makes Durable Objects of a worker's classes: the plugin that Miniflare sets up, reloads and disposes. */
import assert from "node:assert";
import path from "node:path";
import type { Context, Mount, PluginContext, SetupResult, StorageFactory } from "@miniflare/shared";
import {
  Option,
  Plugin,
  RequestContext,
  resolveStoragePersist,
  usageModelExternalSubrequestLimit,
} from "@miniflare/shared";
import type { DeclaredClasses } from "../config/classes";
import type { Answer } from "../native/answers";
import { leaveStores, objectIds, type StoreOptions, storeFor, useStores } from "../native/stores";
import { settle } from "../native/tickets";
import { noteDataDirectory } from "../shared/data-directories";
import { PERSIST_DEFAULT } from "../shared/default-place";
import { received, warnOf } from "../shared/error";
import { isRedisUrl } from "../shared/redis-url";
import {
  kAbortObjects,
  kAlarm,
  kAlarmExists,
  kBroken,
  kConstruct,
  kDefaultService,
  kDeleteObjects,
  kEnterLevel,
  kEvict,
  kForgetObjects,
  kHandle,
  kInstance,
  kListIds,
  kOnBroken,
  kReloadFailed,
  kReset,
  kRetire,
  kRunAlarm,
  kSockets,
  kWorkersModule,
} from "../shared/symbols";
import { printable } from "../shared/thrown";
import type { DurableObjectStorage } from "../storage/storage";
import { note } from "../workers/early-bindings";
import type { WorkersModule } from "../workers/module";
import { AlarmStore, alarmBridge } from "./alarms";
import { isModern } from "./base";
import { type BoundClass, findClass, notBound } from "./classes";
import { gateD1 } from "./d1";
import { evict, notRunning, type SocketsEnd } from "./eviction";
import "./globals";
import "./hibernation/globals";
import { type SocketsHome, socketsHome } from "./hibernation/home";
import {
  addressOf,
  addressOfCacheKey,
  addressOfKey,
  cacheKeyOf,
  DurableObjectId,
  type IdLike,
  keyOf,
  type ObjectAddress,
} from "./id";
import type { AlarmInvocationInfo } from "./modern-alarms";
import { ModernState } from "./modern-state";
import { withName } from "./names";
import { DurableObjectNamespace } from "./namespace";
import { newState, storageOf } from "./new-state";
import { failedToConstruct } from "./object-rpc";
import {
  alarmsOption,
  type BoundObject,
  boundObjects,
  checkPersist,
  classesOption,
  type Durability,
  type DurableObjectsObjectsOptions,
  type DurableObjectsOptions,
  durabilityOption,
  maxOpenOption,
  maxValueSizeOption,
  objectsOption,
  persistOption,
  storeOptions,
  valueBytesMax,
} from "./options";
import { checkCreatable } from "./persist-check";
import { Reloads } from "./reload";
import type { DurableObject, DurableObjectState, StateOwner } from "./state";
import { Worker } from "./worker";

const STORAGE_PREFIX = "durable-objects:storage:";
/** The plugin of the worker that others are mounted in, by what all of them share: it is constructed first. */
const parents = new WeakMap<object, DurableObjectsPlugin>();
const STATE_PREFIX = "durable-objects:state:";
const ADDED_OPTIONS = [
  "durableObjectsMaxValueSize",
  "durableObjectsDurability",
  "durableObjectsMaxOpen",
  "durableObjectsClasses",
] as const;

export class DurableObjectsPlugin
  extends Plugin<DurableObjectsOptions>
  implements DurableObjectsOptions
{
  @Option(objectsOption)
  durableObjects?: DurableObjectsObjectsOptions;

  @Option(persistOption)
  durableObjectsPersist?: boolean | string;

  @Option(alarmsOption)
  durableObjectsAlarms?: boolean;

  @Option(maxValueSizeOption)
  durableObjectsMaxValueSize?: number;

  @Option(durabilityOption)
  durableObjectsDurability?: Durability;

  @Option(maxOpenOption)
  durableObjectsMaxOpen?: number;

  @Option(classesOption)
  durableObjectsClasses?: DeclaredClasses;

  readonly #objects: BoundObject[];
  readonly #persist: boolean | string | undefined;
  readonly #storeOptions: StoreOptions;
  /** The storages and states of the running objects, shared with the mounts; Miniflare clears it at each reload. */
  readonly #running: Map<string, unknown>;
  /** The states that this plugin has constructed and that have not ended, those of an earlier worker too. */
  readonly #living = new Set<DurableObjectState>();
  readonly #sockets: SocketsHome;
  readonly #reloads: Reloads<DurableObjectsPlugin>;
  readonly #alarms: AlarmStore;
  #factory: StorageFactory | undefined;
  readonly #worker: Worker;
  #classes = new Map<string, BoundClass>();
  #bindings: Context = {};

  constructor(ctx: PluginContext, options?: DurableObjectsOptions) {
    super(ctx);
    this.assignOptions(options);
    this.#objects = boundObjects(this.durableObjects);
    this.#running = ctx.sharedCache;
    if (!parents.has(this.#running)) parents.set(this.#running, this);
    this.#sockets = socketsHome(this.#running);
    const persist = checkPersist(this.durableObjectsPersist);
    this.#persist =
      persist === true ? this.#defaultPersist() : resolveStoragePersist(ctx.rootPath, persist);
    this.#noteData();
    this.#storeOptions = storeOptions(this.durableObjectsDurability, this.durableObjectsMaxOpen);
    valueBytesMax(this.durableObjectsMaxValueSize);
    this.#reloads = new Reloads<DurableObjectsPlugin>(this, ctx.sharedCache);
    this.#worker = new Worker(ctx, (name) => this.#namespace(this.#factory!, name, false));
    this.#alarms = new AlarmStore(
      this.#objects.map(({ name }) => name),
      (what, error) => this.#report(what, error),
      { isModern: (name) => this.#bindsModern(name) },
    );
  }

  /** Options that Miniflare 2 lacks leave no trace where they are not set, so that plugins and options compare as there. */
  protected override assignOptions(options?: DurableObjectsOptions): void {
    super.assignOptions(options);
    for (const key of ADDED_OPTIONS) if (this[key] === undefined) delete this[key];
  }

  #isDirectory(): boolean {
    return typeof this.#persist === "string" && !isRedisUrl(this.#persist);
  }

  /** Mounts use their parent's root path. */
  #defaultPersist(): string {
    const { rootPath } = parents.get(this.#running)?.ctx ?? this.ctx;
    return path.resolve(rootPath, PERSIST_DEFAULT);
  }

  /** Notes where data is kept: below a root that holds sources too, in the directories of the bindings. */
  #noteData(): void {
    const root = this.#persist;
    if (typeof root !== "string" || isRedisUrl(root)) return;
    const names = this.#objects.map(({ name }) => name).filter((name) => /^[\w-]+$/.test(name));
    for (const name of ["", ".ferroflare", ...names]) noteDataDirectory(path.join(root, name));
  }

  getStorage(storage: StorageFactory, id: IdLike): DurableObjectStorage {
    const address = addressOf(id);
    const cacheKey = STORAGE_PREFIX + cacheKeyOf(address);
    const running = this.#running.get(cacheKey);
    if (running !== undefined) return running as DurableObjectStorage;
    const objectStorage = this.#newStorage(storage, address);
    this.#running.set(cacheKey, objectStorage);
    return objectStorage;
  }

  #newStorage(storage: StorageFactory, address: ObjectAddress): DurableObjectStorage {
    const store = storeFor(storage, this.#persist, this.#storeOptions);
    const { Storage, valueBytes } = storageOf(
      this.#classes.get(address.name)?.Class,
      this.durableObjectsMaxValueSize,
    );
    const handle = store.object(address.name, address.id, valueBytes);
    const objectStorage = new Storage(handle, alarmBridge(store, address.name, keyOf(address)));
    return objectStorage;
  }

  /** Returns the state of an object, constructing the object if it is not running; waits for a reload in progress. */
  async getObject(storage: StorageFactory, id: IdLike): Promise<DurableObjectState> {
    assert(this.#reloads.begun, "beforeReload() must be called before getObject()");
    const plugin = await this.#reloads.serving();
    const named = plugin.#named(storage, id);
    return plugin.#object(storage, named instanceof Promise ? await named : named);
  }

  /** The id of an object of a modern class that is not running, with the name that it was once used by. */
  #named(storage: StorageFactory, id: IdLike): Answer<IdLike> {
    const address = addressOf(id);
    const isRunning = this.#running.has(STATE_PREFIX + cacheKeyOf(address));
    if (isRunning || !this.#bindsModern(address.name)) return id;
    return withName(storeFor(storage, this.#persist, this.#storeOptions), id);
  }

  #bindsModern(name: string): boolean {
    return isModern(this.#classes.get(name)?.Class);
  }

  async getInstance(storage: StorageFactory, id: IdLike): Promise<DurableObject> {
    const state = await this.getObject(storage, id);
    return state[kInstance]!;
  }

  getNamespace(storage: StorageFactory, objectName: string): DurableObjectNamespace {
    return this.#namespace(storage, objectName, true);
  }

  #namespace(storage: StorageFactory, name: string, outside: boolean): DurableObjectNamespace {
    const side = this.#worker.namespaceSide(name, outside);
    return new DurableObjectNamespace(name, (id) => this.getObject(storage, id), this.ctx, side);
  }

  /** Returns the ids of the objects of a binding that are running; they have no names. */
  getObjects(_storage: StorageFactory, namespace: string): DurableObjectId[] {
    const ids: DurableObjectId[] = [];
    for (const cacheKey of this.#running.keys()) {
      if (!cacheKey.startsWith(STATE_PREFIX)) continue;
      const { name, id } = addressOfCacheKey(cacheKey.slice(STATE_PREFIX.length));
      if (name === namespace) ids.push(new DurableObjectId(name, id));
    }
    return ids;
  }

  /** Fires scheduled alarms now: all of this worker's bindings, or those of `ids`. */
  async flushAlarms(_storage: StorageFactory, ids?: IdLike[]): Promise<void> {
    if (ids !== undefined && !Array.isArray(ids)) {
      throw new TypeError(`Alarms are flushed for an array of IDs: received ${received(ids)}.`);
    }
    const plugin = this.#reloads.begun ? await this.#reloads.serving() : this;
    return plugin.#alarms.flushAlarms(ids?.map((id) => keyOf(addressOf(id))));
  }

  async [kListIds](storage: StorageFactory, name: string): Promise<string[]> {
    const store = storeFor(storage, this.#persist, this.#storeOptions);
    const stored = await objectIds(store, name);
    const running = this.getObjects(storage, name).map(String);
    return [...new Set([...stored, ...running])].sort();
  }

  async [kEvict](id?: IdLike, webSockets: SocketsEnd = "hibernate"): Promise<void> {
    const evicted = id === undefined ? undefined : STATE_PREFIX + cacheKeyOf(addressOf(id));
    if (evicted !== undefined && !this.#running.has(evicted)) throw notRunning();
    const keys = evicted === undefined ? [...this.#running.keys()] : [evicted];
    const states = keys.filter((key) => key.startsWith(STATE_PREFIX));
    await Promise.all(states.map((key) => this.#evict(key, webSockets)));
  }

  [kForgetObjects](level?: number): void {
    for (const key of this.#running.keys()) {
      if (key.startsWith(STATE_PREFIX)) this.#running.delete(key);
    }
    if (level === undefined) this.#sockets.end("evicted");
    else this.#sockets.sleep();
    this.#forget("evicted");
  }

  [kEnterLevel](level: number): void {
    this.#sockets.enterLevel(level);
  }

  [kAbortObjects](reason: unknown): void {
    for (const state of [...this.#living]) state[kReset](reason);
    this.#sockets.end("reset");
  }

  async [kDeleteObjects](storage: StorageFactory): Promise<void> {
    for (const { name } of this.#objects) {
      for (const id of await this[kListIds](storage, name)) {
        const stored = this.getStorage(storage, new DurableObjectId(name, id));
        await stored.deleteAll();
        await stored.deleteAlarm();
      }
    }
  }

  get [kDefaultService](): object | undefined {
    return this.#worker.defaultService;
  }

  /** Closes the sockets of all objects, whose instances are not reached any more. */
  #forget(how: "evicted" | "reloaded"): void {
    if (how === "reloaded") this.#sockets.end(how);
    for (const state of this.#living) {
      state[kSockets].end(how);
      if (state instanceof ModernState) state[kRetire]();
    }
    this.#living.clear();
  }

  async [kRunAlarm](storage: StorageFactory, id: IdLike): Promise<boolean> {
    const plugin = await this.#reloads.serving();
    const address = addressOf(id);
    const handle = plugin.getStorage(storage, id)[kHandle];
    if (plugin.#bindsModern(address.name)) {
      return plugin.#alarms.runNow(keyOf(address), handle, (...alarm) =>
        plugin.#fireAlarm(...alarm),
      );
    }
    if ((await settle(handle.takeAlarm(Number.MAX_SAFE_INTEGER))) !== 1) return false;
    const store = storeFor(storage, this.#persist, this.#storeOptions);
    await alarmBridge(store, address.name).deleteAlarm();
    await plugin.#fireAlarm(keyOf(address));
    return true;
  }

  /** The module `cloudflare:workers` of this worker. */
  get [kWorkersModule](): WorkersModule {
    return this.#worker.module;
  }

  override async setup(storageFactory: StorageFactory): Promise<SetupResult> {
    const bindings: Context = {};
    for (const { name } of this.#objects) {
      bindings[name] = this.#namespace(storageFactory, name, false);
    }
    note(this.ctx.compat, "DurableObjectsPlugin", bindings);
    gateD1();
    if (this.#factory === undefined) useStores(storageFactory);
    this.#factory = storageFactory;
    if (this.#objects.length > 0 && this.#isDirectory()) checkCreatable(this.#persist as string);
    const store = storeFor(storageFactory, this.#persist, this.#storeOptions);
    // A server that cannot be reached is an error at the start, not at the first use.
    await settle(store.refreshAlarms(this.#objects.map(({ name }) => name)));
    if (this.durableObjectsAlarms !== false) {
      await this.#alarms.setupStore(storageFactory, this.#persist);
    }
    const additionalModules = this.#worker.additionalModules();
    return { bindings, requiresModuleExports: this.#objects.length > 0, additionalModules };
  }

  override async beforeReload(): Promise<void> {
    this.#alarms.pause();
    this.#worker.unload();
    this.#reloads.begin();
  }

  override reload(bindings: Context, moduleExports: Context, mounts: Map<string, Mount>): void {
    try {
      this.#classes = new Map(
        this.#objects.map((object) => [object.name, findClass(object, moduleExports, mounts)]),
      );
      assert(this.#reloads.begun, "beforeReload() must be called before reload()");
    } catch (error) {
      this[kReloadFailed](error);
      throw error;
    }
    this.#bindings = bindings;
    this.#worker.load(bindings, moduleExports, this.#classes);
    this.#forget("reloaded");
    this.#reloads.serve();
    this.#alarms.resume((...alarm) => this.#fireAlarm(...alarm));
  }

  /** Lets requests that wait for the reload fail with its error, until the next reload begins. */
  [kReloadFailed](error: unknown): void {
    if (this.#reloads.begun) this.#reloads.fail(error);
  }

  override async dispose(): Promise<void> {
    this.#alarms.dispose();
    this.#forget("reloaded");
    if (parents.get(this.#running) === this) parents.delete(this.#running);
    const factory = this.#factory;
    const retired = this.#reloads.retire();
    if (factory) {
      const closing = this.#bequeath(factory, retired);
      closing.catch((error) => this.#report("Closing the stored Durable Objects", error));
    }
  }

  /** An heir goes on using the stores, so that storages handed out before go on working; without one they are closed. */
  async #bequeath(
    factory: StorageFactory,
    retired: Promise<Reloads<DurableObjectsPlugin> | undefined>,
  ) {
    const heir = (await retired)?.plugin;
    if (heir !== undefined && heir.#factory === undefined) heir.#factory = factory;
    else await leaveStores(factory);
  }

  #object(storage: StorageFactory, id: IdLike): DurableObjectState {
    const address = addressOf(id);
    const key = keyOf(address);
    const cacheKey = STATE_PREFIX + cacheKeyOf(address);
    const running = this.#running.get(cacheKey);
    if (running !== undefined) return running as DurableObjectState;

    const bound = this.#classes.get(address.name);
    if (bound === undefined) throw notBound(address.name, this.#classes.keys());
    const known = this.getStorage(storage, id);
    // What a modern object has ends with the object; what others have got of it stays.
    const objectStorage = isModern(bound.Class) ? this.#newStorage(storage, address) : known;
    const owner: StateOwner = {
      drop: () => {
        this.#living.delete(state);
        if (this.#running.get(cacheKey) === state) this.#running.delete(cacheKey);
      },
      report: (reason) => constructed && this.#report(`Durable Object ${key}`, reason),
    };
    const own = { worker: this.#worker, bindings: this.#bindings };
    const wake = () => void this.#wake(key, id);
    const sockets = () => this.#sockets.of(cacheKey, wake);
    const { state, env } = newState({ id, bound, storage: objectStorage, owner, sockets, own });
    let constructed = false;
    const onBroken = (error: unknown) => state[kReset](error);
    objectStorage[kOnBroken] = onBroken;
    known[kOnBroken] = onBroken;
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
    const alarmExists = Boolean(state[kInstance]?.alarm);
    objectStorage[kAlarmExists] = alarmExists;
    known[kAlarmExists] = alarmExists;
    this.#running.set(cacheKey, state);
    this.#living.add(state);
    return state;
  }

  async #evict(cacheKey: string, webSockets: SocketsEnd): Promise<void> {
    const state = this.#running.get(cacheKey) as DurableObjectState;
    await evict(state, webSockets);
    this.#living.delete(state);
    if (this.#running.get(cacheKey) === state) this.#running.delete(cacheKey);
  }

  /** Constructs an object that does not run, for what has happened to its sockets. */
  async #wake(key: string, id: IdLike): Promise<void> {
    try {
      await this.getObject(this.#factory!, id);
    } catch (error) {
      this.#report(`Durable Object ${key}`, error);
    }
  }

  async #fireAlarm(key: string, info?: AlarmInvocationInfo): Promise<void> {
    const { name, id } = addressOfKey(key);
    const state = await this.getObject(this.#factory!, new DurableObjectId(name, id));
    const context = new RequestContext({
      requestDepth: 1,
      pipelineDepth: 1,
      durableObject: true,
      externalSubrequestLimit: usageModelExternalSubrequestLimit(this.ctx.usageModel),
    });
    await context.runWith(() => state[kAlarm](info));
  }

  /** Logs an error that no caller waits for, or warns of it where the log throws errors. */
  #report(what: string, error: unknown): void {
    try {
      this.ctx.log.error(printable(error));
    } catch {
      warnOf(what, error);
    }
  }
}
