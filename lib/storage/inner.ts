/** The native object of a `DurableObjectStorage` that a program constructs over a storage of Miniflare 2. */
import { limits, ObjectHandle, Store } from "../native/addon";
import { packSized, packString, scratch } from "../native/packing";
import { PLAIN } from "../native/scope";
import { completions } from "../native/tickets";
import { ALARM_KEY } from "../shared/alarm-key";
import { DurableObjectError, received } from "../shared/error";

/** An entry of a `MemoryStorage`. */
interface Stored {
  value: Uint8Array;
  /** In seconds. */
  expiration?: number;
  metadata?: { scheduledTime?: number };
}

/** What is used of a `MemoryStorage` of `@miniflare/storage-memory`, in any copy of that package. */
interface Memory {
  map: Map<string, Stored>;
  clock?: () => number;
}

const objects = new WeakMap<object, ObjectHandle>();

/**
 * `inner` itself if it is a native object. Any other storage stands for a native object in memory, which takes over what a
 * `MemoryStorage` holds when it is first seen, and the alarm.
 *
 * # Errors
 * `ERR_STORAGE_FACTORY` for a storage whose entries cannot be read at once; a `RangeError` for an entry over the limits.
 */
export function objectFor(inner: object): ObjectHandle {
  if (inner instanceof ObjectHandle) return inner;
  const known = objects.get(inner);
  if (known !== undefined) return known;
  const store = Store.memory(completions);
  if (isMemory(inner)) takeOver(inner, store.object("", "", limits.valueBytesCeiling));
  else if (isStorage(inner)) throw unreadable(inner);
  const object = store.object("", "", limits.valueBytesDefault);
  objects.set(inner, object);
  return object;
}

function isMemory(inner: object): inner is Memory {
  return typeof (inner as Partial<Memory>).map?.entries === "function";
}

function isStorage(inner: object): boolean {
  const { get, put, list } = inner as Record<string, unknown>;
  return [get, put, list].every((method) => typeof method === "function");
}

function unreadable(inner: object): DurableObjectError {
  return new DurableObjectError(
    "ERR_STORAGE_FACTORY",
    `A DurableObjectStorage cannot be constructed over ${received(inner)}: its entries cannot be taken over at once. ` +
      "Construct it over a MemoryStorage of @miniflare/storage-memory, or use getDurableObjectStorage() with durableObjectsPersist.",
  );
}

/** Memory answers at once, so that nothing here has to be waited for. */
function takeOver({ map, clock = Date.now }: Memory, object: ObjectHandle): void {
  const seconds = Math.floor(clock() / 1000);
  const live = [...map].filter(([, { expiration = Infinity }]) => expiration > seconds);
  const entries = live.filter(([key]) => key !== ALARM_KEY);
  try {
    for (let start = 0; start < entries.length; start += limits.keysMax) {
      put(object, entries.slice(start, start + limits.keysMax));
    }
  } finally {
    scratch.trim();
  }
  const alarm = live.find(([key]) => key === ALARM_KEY)?.[1].metadata?.scheduledTime;
  if (alarm !== undefined && alarm > 0) object.setAlarm(alarm, PLAIN);
}

function put(object: ObjectHandle, entries: [string, Stored][]): void {
  scratch.reset();
  for (const [key, { value }] of entries) {
    packString(key);
    packSized(() => {
      scratch.writeBytes(value);
      return value.length;
    });
  }
  object.putMany(entries.length, scratch.bytes, scratch.length, PLAIN);
}
