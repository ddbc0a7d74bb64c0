// The globals of the environments `ferroflare/jest` and `ferroflare/vitest`, for TypeScript. The types of Workers
// themselves are those of @cloudflare/workers-types, where it is installed.
import type { MockAgent } from "undici";
import type { AnyId, AnyNamespace, AnyStub, EvictionOptions } from "./dist/testing/arguments";
import type {
  DurableObject,
  DurableObjectId,
  DurableObjectState,
  DurableObjectStorage,
} from "./index";

type Awaitable<T> = T | Promise<T>;

declare global {
  /** The bindings of the worker, as its handlers get them. */
  // biome-ignore lint/suspicious/noExplicitAny: what is bound is for the caller to know
  function getMiniflareBindings<Bindings = Record<string, any>>(): Bindings;

  /** The storage of an object, the same data as the object sees, without starting the object. */
  function getMiniflareDurableObjectStorage(id: AnyId): Promise<DurableObjectStorage>;

  /** A new state for an object, to construct its class with. */
  function getMiniflareDurableObjectState(id: AnyId): Promise<DurableObjectState>;

  /** The running object that stubs send requests to. It is constructed if it is not running. */
  function getMiniflareDurableObjectInstance<T = DurableObject>(id: AnyId): Promise<T>;

  /** Runs `closure` as a request to the object: behind its input gate, until its writes are durable. */
  function runWithMiniflareDurableObjectGates<T>(
    state: DurableObjectState,
    closure: () => Awaitable<T>,
  ): Promise<T>;

  /** The `MockAgent` that answers the worker's `fetch()`. */
  function getMiniflareFetchMock(): MockAgent;

  /** Waits for everything that was passed to `waitUntil()` of an event or context. */
  function getMiniflareWaitUntil<WaitUntil extends unknown[] = unknown[]>(
    event: object,
  ): Promise<WaitUntil>;

  /** Runs alarms now: all that are set, or those of some objects. */
  function flushMiniflareDurableObjectAlarms(ids?: AnyId[]): Promise<void>;

  /** Ids of the objects of a binding that are running. */
  function getMiniflareDurableObjectIds(namespace: string): Promise<DurableObjectId[]>;

  /** Ids of the objects of a namespace that hold data or an alarm, or are running. */
  function listDurableObjectIds(namespace: AnyNamespace): Promise<DurableObjectId[]>;

  /** Runs `callback` inside an object as if it were a request, and gives what it returns. */
  function runInDurableObject<O = DurableObject, R = unknown>(
    stub: AnyStub,
    callback: (instance: O, state: DurableObjectState) => Awaitable<R>,
  ): Promise<R>;

  /** Runs the alarm of an object now, and removes it; says whether one was set. */
  function runDurableObjectAlarm(stub: AnyStub): Promise<boolean>;

  /** Discards a running object once its requests have ended: the next event constructs it again, from its storage. */
  function evictDurableObject(stub: AnyStub, options?: EvictionOptions): Promise<void>;

  /** Discards all running objects. */
  function evictAllDurableObjects(options?: EvictionOptions): Promise<void>;

  /** Resets all running objects: what runs in them rejects. Their storage stays. */
  function abortAllDurableObjects(): Promise<void>;

  /** What handlers of module workers get as their third argument. */
  var ExecutionContext: new () => {
    passThroughOnException(): void;
    waitUntil(promise: Promise<unknown>): void;
  };
}
