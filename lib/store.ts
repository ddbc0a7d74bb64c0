/** Which native store is behind a Miniflare storage factory. */
import type { StorageFactory } from "@miniflare/shared";
import { DurableObjectError } from "./error";
import { limits, ObjectHandle, Store } from "./native";
import { completions } from "./tickets";

const memoryStores = new WeakMap<object, Store>();
const memoryObjects = new WeakMap<object, ObjectHandle>();

/**
 * The store with the data that `factory` stands for.
 *
 * In memory there is one for each underlying factory, so that a worker and those mounted in it see the
 * same data, and reloads keep it.
 */
export function storeFor(factory: StorageFactory, persist?: boolean | string): Store {
  if (persist === undefined || persist === false) {
    return memoryStoreOf(underlying(factory));
  }
  throw new DurableObjectError(
    "ERR_OPTION",
    `durableObjectsPersist: ${JSON.stringify(persist)} is not available in this version of ferroflare, which keeps Durable Objects in memory. Remove the option (or --do-persist).`,
  );
}

/** A native object for a `DurableObjectStorage` that is constructed by hand over any `inner` storage. */
export function objectFor(inner: object): ObjectHandle {
  if (inner instanceof ObjectHandle) return inner;
  let object = memoryObjects.get(inner);
  if (object === undefined) {
    object = Store.memory(completions).object("", "", limits.valueBytesDefault);
    memoryObjects.set(inner, object);
  }
  return object;
}

function memoryStoreOf(key: object): Store {
  let store = memoryStores.get(key);
  if (store === undefined) {
    store = Store.memory(completions);
    memoryStores.set(key, store);
  }
  return store;
}

/** Miniflare wraps the one factory of an instance once for each plugin. */
function underlying(factory: StorageFactory): object {
  const { inner } = factory as { inner?: unknown };
  return typeof inner === "object" && inner !== null ? inner : factory;
}
