/** Which native store is behind a Miniflare storage factory. */
import type { StorageFactory } from "@miniflare/shared";
import { DurableObjectError } from "../shared/error";
import { isRedisUrl } from "../shared/redis-url";
import { limits, Store } from "./addon";
import { type Answer, answer, decodeTexts, decodeUtf8 } from "./answers";
import { type Savepoints, savepointsOf } from "./overlays";
import { scratch } from "./packing";
import { awaitCode, completions } from "./tickets";

/** How files are used. */
export interface StoreOptions {
  /** Whether a write is durable when the disk has it, or already when the operating system has it. */
  fsync: boolean;
  /** Most objects that are open at once. */
  openObjectsMax: number;
}

export const DEFAULT_STORE_OPTIONS: StoreOptions = {
  fsync: true,
  openObjectsMax: limits.openObjectsDefault,
};

/** The stores of one Miniflare instance, its mounts included, by place; "" is memory. */
interface Stores {
  byPlace: Map<string, OpenStore>;
  users: number;
  /** Whether the last user has left, so that a storage that is asked for now would never be closed. */
  closed: boolean;
  /** The savepoints of a factory whose `push()` and `pop()` take writes back. */
  savepoints: Savepoints | undefined;
}

/** A store, and how its place is used by now. */
interface OpenStore {
  store: Store;
  options: StoreOptions;
  /** Stores of the same place that only ask for more of it than `store` did. */
  more: Store[];
}

const storesOf = new WeakMap<object, Stores>();

/**
 * The store with the data that `factory` and `persist`, an absolute path, a URL or nothing for memory, stand for.
 *
 * There is one for each underlying factory and place, so that a worker and those mounted in it share it, and reloads
 * keep it. Of all the options it is asked for with, the safest durability and the largest limit count.
 *
 * # Errors
 * `ERR_STORAGE_CLOSED` if the last user of the factory has left.
 */
export function storeFor(
  factory: StorageFactory,
  persist?: boolean | string,
  options?: StoreOptions,
): Store {
  const place = typeof persist === "string" ? persist : "";
  const { byPlace, closed, savepoints } = storesFor(factory);
  if (closed) throw closedError();
  const known = byPlace.get(place);
  if (known !== undefined) {
    if (place !== "" && !isRedisUrl(place) && options !== undefined) ask(known, place, options);
    return known.store;
  }
  const wanted = options ?? DEFAULT_STORE_OPTIONS;
  const base = place === "" ? Store.memory(completions) : openStore(place, wanted);
  const store = savepoints ? savepoints.above(base) : base;
  byPlace.set(place, { store, options: wanted, more: [] });
  return store;
}

/** The error that the native core has for this, too. */
function closedError(): Error {
  return Object.assign(
    new Error("The storage of this object is closed: its Miniflare instance has been disposed."),
    { code: "ERR_STORAGE_CLOSED" },
  );
}

/** Makes an open place keep `wanted` as well. */
function ask(known: OpenStore, place: string, wanted: StoreOptions): void {
  const { fsync, openObjectsMax } = known.options;
  if ((fsync || !wanted.fsync) && openObjectsMax >= wanted.openObjectsMax) return;
  known.options = {
    fsync: fsync || wanted.fsync,
    openObjectsMax: Math.max(openObjectsMax, wanted.openObjectsMax),
  };
  known.more.push(openStore(place, known.options));
}

/** Opens a directory or a Redis; the caller has to close the store. */
export function openStore(
  place: string,
  { fsync, openObjectsMax }: StoreOptions = DEFAULT_STORE_OPTIONS,
): Store {
  if (isRedisUrl(place)) return Store.redis(completions, place);
  return Store.files(completions, place, fsync, openObjectsMax);
}

/** The ids of a binding's objects that may hold anything, in order. */
export async function objectIds(store: Store, name: string): Promise<string[]> {
  return answer(store.objectIds(name, scratch.bytes), decodeTexts, []);
}

/** Records the name that an object's id was made of; null removes the record. */
export async function recordName(
  store: Store,
  name: string,
  id: string,
  called: string | null,
): Promise<void> {
  await awaitCode(store.recordName(name, id, called));
}

/** The name that was recorded. */
export function recordedName(store: Store, name: string, id: string): Answer<string | undefined> {
  return answer(store.recordedName(name, id, scratch.bytes), decodeUtf8, undefined);
}

/** Counts one more plugin that uses the stores of a factory. */
export function useStores(factory: StorageFactory): void {
  const stores = storesFor(factory);
  stores.users++;
  stores.closed = false;
}

/** Counts one plugin less; the last one closes the stores, until another plugin uses the factory. */
export async function leaveStores(factory: StorageFactory): Promise<void> {
  const stores = storesFor(factory);
  if (--stores.users <= 0) await closeStores(factory);
}

/**
 * Closes the stores of a factory: what was written becomes durable, files are closed, connections end. Storages that
 * were handed out refuse. Data in memory stays with the factory, for the next user.
 */
export async function closeStores(factory: StorageFactory): Promise<void> {
  const stores = storesFor(factory);
  const { byPlace, savepoints } = stores;
  stores.closed = true;
  const memory = byPlace.get("");
  if (memory !== undefined) {
    const { store } = memory;
    memory.store = store.renew();
    savepoints?.replace(store, memory.store);
  }
  const lasting = [...byPlace].filter(([place]) => place !== "");
  for (const [place, { store }] of lasting) {
    byPlace.delete(place);
    savepoints?.forget(store);
  }
  const open = lasting.flatMap(([, { store, more }]) => [store, ...more]);
  await Promise.all(open.map((store) => awaitCode(store.close())));
}

function storesFor(factory: StorageFactory): Stores {
  const owner = underlying(factory);
  let stores = storesOf.get(owner);
  if (stores === undefined) {
    checkFactory(owner);
    stores = { byPlace: new Map(), users: 0, closed: false, savepoints: savepointsOf(owner) };
    storesOf.set(owner, stores);
  }
  return stores;
}

/**
 * Refuses a factory whose storages are not memory. The native core keeps the data instead, so the data would not be
 * where the factory puts it.
 */
function checkFactory(factory: Partial<StorageFactory>): void {
  if (typeof factory.storage !== "function") return;
  const storage: object = factory.storage("durableobjects:ferroflare", undefined);
  for (let at = storage; at; at = Object.getPrototypeOf(at)) {
    if (at.constructor?.name === "MemoryStorage") return;
  }
  throw new DurableObjectError(
    "ERR_STORAGE_FACTORY",
    `The storage factory of this Miniflare instance (${factory.constructor?.name ?? "Object"}) keeps data in a ${storage?.constructor?.name ?? typeof storage}, ` +
      "but ferroflare keeps Durable Object data itself. Give it a place with durableObjectsPersist, or pass a factory whose storages are a MemoryStorage of @miniflare/storage-memory.",
  );
}

/** Miniflare wraps the one factory of an instance once for each plugin. */
function underlying(factory: StorageFactory): object {
  const { inner } = factory as { inner?: unknown };
  return typeof inner === "object" && inner !== null ? inner : factory;
}
