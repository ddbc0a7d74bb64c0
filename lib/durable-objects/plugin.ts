/** Makes Durable Objects of a worker's classes: the plugin that Miniflare sets up, reloads and disposes. */
import assert from "node:assert";
import path from "node:path";
import type { Context, Mount, PluginContext, SetupResult, StorageFactory } from "@miniflare/shared";
import { Option, Plugin, resolveStoragePersist } from "@miniflare/shared";
import type { DeclaredClasses } from "../config/classes";
import type { Store } from "../native/addon";
import { leaveStores, objectIds, type StoreOptions, storeFor, useStores } from "../native/stores";
import { awaitCode } from "../native/tickets";
import { noteDataDirectory } from "../shared/data-directories";
import { PERSIST_DEFAULT } from "../shared/default-place";
import { received, warnOf } from "../shared/error";
import { survive } from "../shared/first-start";
import { isRedisUrl } from "../shared/redis-url";
import {
  kAbortObjects,
  kAlarm,
  kDefaultService,
  kDeleteObjects,
  kEnterSavepoint,
  kEvict,
  kForgetObjects,
  kHandle,
  kInstance,
  kIsSqlite,
  kListIds,
  kReloadFailed,
  kRunAlarm,
  kWorkersModule,
} from "../shared/symbols";
import { printable } from "../shared/thrown";
import { opened } from "../storage/sql/of-storage";
import type { DurableObjectStorage } from "../storage/storage";
import { note } from "../workers/early-bindings";
import type { WorkersModule } from "../workers/module";
import { AlarmStore, alarmBridge } from "./alarms";
import { type BoundClass, findClass } from "./classes";
import { gateD1 } from "./d1";
import type { SocketsEnd } from "./eviction";
import "./globals";
import "./hibernation/globals";
import { addressOf, addressOfKey, DurableObjectId, type IdLike, keyOf } from "./id";
import { missingClasses } from "./migrated";
import { type AlarmInvocationInfo, END_OF_TIME_MS } from "./modern-alarms";
import { DurableObjectNamespace } from "./namespace";
import {
  alarmsOption,
  type BoundObject,
  boundObjects,
  checkAlarms,
  checkPersist,
  checkSqliteNames,
  classesOption,
  type Durability,
  type DurableObjectsObjectsOptions,
  type DurableObjectsOptions,
  durabilityOption,
  maxOpenOption,
  maxValueSizeOption,
  objectsOption,
  persistOption,
  sqliteOption,
  storeOptions,
  valueBytesMax,
} from "./options";
import { checkCreatable } from "./persist-check";
import { Reloads } from "./reload";
import { eventContext } from "./request-context";
import { RunningObjects } from "./running";
import {
  checkNotInRedis,
  isSqliteBinding,
  noteSqliteClasses,
  type SqliteClasses,
  sqliteClasses,
} from "./sqlite";
import type { DurableObject, DurableObjectState } from "./state";
import { Worker } from "./worker";

/** The plugin of the worker that others are mounted in, by what all of them share: it is constructed first. */
const parents = new WeakMap<object, DurableObjectsPlugin>();
const ADDED_OPTIONS = [
  "durableObjectsMaxValueSize",
  "durableObjectsDurability",
  "durableObjectsMaxOpen",
  "durableObjectsClasses",
  "durableObjectsSqlite",
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

  @Option(sqliteOption)
  durableObjectsSqlite?: string[];

  readonly #objects: BoundObject[];
  readonly #sqlite: SqliteClasses;
  readonly #persist: boolean | string | undefined;
  readonly #storeOptions: StoreOptions;
  readonly #running: RunningObjects;
  readonly #reloads: Reloads<DurableObjectsPlugin>;
  readonly #alarms: AlarmStore;
  #factory: StorageFactory | undefined;
  readonly #worker: Worker;
  /** Says nothing of mounts before the scripts have run. */
  #isSqlite: (name: string) => boolean;

  constructor(ctx: PluginContext, options?: DurableObjectsOptions) {
    super(ctx);
    this.assignOptions(options);
    this.#objects = boundObjects(this.durableObjects);
    this.#sqlite = sqliteClasses({
      objects: this.#objects,
      declared: this.durableObjectsClasses,
      names: checkSqliteNames(this.durableObjectsSqlite),
    });
    if (!parents.has(ctx.sharedCache)) parents.set(ctx.sharedCache, this);
    checkAlarms(this.durableObjectsAlarms);
    const persist = checkPersist(this.durableObjectsPersist);
    this.#persist =
      persist === true ? this.#defaultPersist() : resolveStoragePersist(ctx.rootPath, persist);
    this.#noteData();
    this.#storeOptions = storeOptions(this.durableObjectsDurability, this.durableObjectsMaxOpen);
    valueBytesMax(this.durableObjectsMaxValueSize);
    this.#reloads = new Reloads<DurableObjectsPlugin>(this, ctx.sharedCache);
    this.#isSqlite = (name) =>
      this.#objects.some((one) => one.name === name && this.#declares(one));
    this.#worker = new Worker(ctx, (name) => this.#namespace(this.#factory!, name, false));
    this.#running = new RunningObjects(ctx.sharedCache, {
      worker: this.#worker,
      valueSizeGiven: this.durableObjectsMaxValueSize,
      openMax: this.#storeOptions.openObjectsMax,
      isOnDisk: typeof this.#persist === "string" && !isRedisUrl(this.#persist),
      store: (factory) => this.#store(factory),
      wake: (id) => this.getObject(this.#factory!, id),
      report: (what, error) => this.#report(what, error),
    });
    this.#alarms = new AlarmStore(
      this.#objects.map(({ name }) => name),
      (what, error) => this.#report(what, error),
      { isModern: (name) => this.#running.bindsModern(name) },
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
    const { rootPath } = parents.get(this.ctx.sharedCache)?.ctx ?? this.ctx;
    return path.resolve(rootPath, PERSIST_DEFAULT);
  }

  /** Notes where data is kept: below a root that holds sources too, in the directories of the bindings. */
  #noteData(): void {
    const root = this.#persist;
    if (typeof root !== "string" || isRedisUrl(root)) return;
    const names = this.#objects.map(({ name }) => name).filter((name) => /^[\w-]+$/.test(name));
    for (const name of ["", ".ferroflare", ...names]) noteDataDirectory(path.join(root, name));
  }

  #store(factory: StorageFactory): Store {
    return storeFor(factory, this.#persist, this.#storeOptions);
  }

  getStorage(storage: StorageFactory, id: IdLike): DurableObjectStorage {
    return this.#running.storage(storage, id);
  }

  /** Returns the storage of an object, whose database is open if it is SQLite-backed. */
  openStorage(storage: StorageFactory, id: IdLike): Promise<DurableObjectStorage> {
    return opened(this.getStorage(storage, id));
  }

  /** Returns the state of an object, constructing the object if it is not running; waits for a reload in progress. */
  async getObject(storage: StorageFactory, id: IdLike): Promise<DurableObjectState> {
    assert(this.#reloads.begun, "beforeReload() must be called before getObject()");
    const plugin = await this.#reloads.serving();
    const named = plugin.#running.named(storage, id);
    return plugin.#running.openObject(storage, named instanceof Promise ? await named : named);
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
    return this.#running.idsOf(namespace);
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
    const store = this.#store(storage);
    const stored = await objectIds(store, name);
    const running = this.getObjects(storage, name).map(String);
    return [...new Set([...stored, ...running])].sort();
  }

  [kEvict](id?: IdLike, webSockets: SocketsEnd = "hibernate"): Promise<void> {
    return this.#running.evict(id, webSockets);
  }

  [kForgetObjects](savepoint?: number): void {
    this.#running.discard(savepoint === undefined ? "close" : "hibernate");
  }

  [kEnterSavepoint](savepoint: number): void {
    this.#running.enterSavepoint(savepoint);
  }

  [kAbortObjects](reason: unknown): void {
    this.#running.reset(reason);
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

  async [kRunAlarm](storage: StorageFactory, id: IdLike): Promise<boolean> {
    const plugin = await this.#reloads.serving();
    const address = addressOf(id);
    const handle = plugin.getStorage(storage, id)[kHandle];
    if (plugin.#running.bindsModern(address.name)) {
      return plugin.#alarms.runNow(keyOf(address), handle, (...alarm) =>
        plugin.#fireAlarm(...alarm),
      );
    }
    if ((await awaitCode(handle.takeAlarm(END_OF_TIME_MS))) !== 1) return false;
    const store = this.#store(storage);
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
    for (const object of this.#objects) {
      const isOwn = object.scriptName === undefined;
      if (isOwn && this.#sqlite.get(object.className)) checkNotInRedis(this.#persist, object);
    }
    if (this.#objects.length > 0 && this.#isDirectory()) checkCreatable(this.#persist as string);
    const store = this.#store(storageFactory);
    // A server that cannot be reached is an error at the start, not at the first use.
    await awaitCode(store.refreshAlarms(this.#objects.map(({ name }) => name)));
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
    let classes: Map<string, BoundClass>;
    noteSqliteClasses(moduleExports, this.#sqlite);
    try {
      classes = new Map(
        this.#objects.map((object) => [object.name, findClass(object, moduleExports, mounts)]),
      );
      assert(this.#reloads.begun, "beforeReload() must be called before reload()");
    } catch (error) {
      this[kReloadFailed](error);
      if (survive(error)) return;
      throw error;
    }
    for (const text of missingClasses(this.ctx.compat, moduleExports)) this.ctx.log.warn(text);
    this.#isSqlite = this.#sqliteOf(classes);
    this.#running.load(bindings, classes, this.#isSqlite);
    this.#worker.load(bindings, moduleExports, classes);
    this.#running.retire();
    this.#reloads.serve();
    this.#alarms.resume((...alarm) => this.#fireAlarm(...alarm));
  }

  #declares({ className, scriptName, useSQLite }: BoundObject): boolean {
    return scriptName === undefined ? !!this.#sqlite.get(className) : !!useSQLite;
  }

  [kIsSqlite](name: string): boolean {
    return this.#isSqlite(name);
  }

  /** Says of each binding whether its objects are SQLite-backed. */
  #sqliteOf(classes: Map<string, BoundClass>): (name: string) => boolean {
    const known = new Map<string, boolean>();
    return (name) => {
      let isSqlite = known.get(name);
      if (isSqlite !== undefined) return isSqlite;
      const object = this.#objects.find((one) => one.name === name);
      const bound = classes.get(name);
      if (object === undefined || bound === undefined) return false;
      isSqlite = isSqliteBinding(object, bound);
      if (isSqlite) checkNotInRedis(this.#persist, object);
      known.set(name, isSqlite);
      return isSqlite;
    };
  }

  /** Lets requests that wait for the reload fail with its error, until the next reload begins. */
  [kReloadFailed](error: unknown): void {
    if (this.#reloads.begun) this.#reloads.fail(error);
  }

  override async dispose(): Promise<void> {
    this.#alarms.dispose();
    this.#running.dispose();
    const { sharedCache } = this.ctx;
    if (parents.get(sharedCache) === this) parents.delete(sharedCache);
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

  async #fireAlarm(key: string, info?: AlarmInvocationInfo): Promise<void> {
    const { name, id } = addressOfKey(key);
    const state = await this.getObject(this.#factory!, new DurableObjectId(name, id));
    const context = eventContext(this.ctx.usageModel);
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
