/** The helper functions of the test environments: Miniflare 2's, and those of today's `cloudflare:test`. */
import { kWaitUntil, waitUntilAll } from "@miniflare/core";
import type { Awaitable, Context } from "@miniflare/shared";
import type { IdLike } from "../durable-objects/id";
import { DurableObjectId, DurableObjectNamespace } from "../durable-objects/namespace";
import { eventContext } from "../durable-objects/request-context";
import type { DurableObject } from "../durable-objects/state";
import { DurableObjectState } from "../durable-objects/state";
import { DurableObjectStub } from "../durable-objects/stub";
import { received } from "../shared/error";
import { didYouMean } from "../shared/nearest";
import {
  _kRunWithGates,
  kAbortObjects,
  kEvict,
  kInstance,
  kListIds,
  kObjectName,
  kRunAlarm,
} from "../shared/symbols";
import type { DurableObjectStorage } from "../storage/storage";
import type { EvictionOptions } from "./arguments";
import type { TestCore } from "./core";

export type FetchMock = ReturnType<typeof import("@miniflare/core").createFetchMock>;

/** An event or context with promises to wait for. */
interface Extendable {
  readonly [kWaitUntil]: Promise<unknown>[];
}

/** Miniflare 2's helpers, by the names of its test environments. */
export function miniflareHelpers(core: TestCore, fetchMock: FetchMock, bindings: () => Context) {
  const factory = core.getPluginStorage("DurableObjectsPlugin");
  const plugin = async () => (await core.getPlugins()).DurableObjectsPlugin;
  return {
    getMiniflareBindings: (): Context => bindings(),

    getMiniflareDurableObjectStorage: async (id: IdLike): Promise<DurableObjectStorage> =>
      (await plugin()).openStorage(factory, id),

    /** A new state: the object of that id does not have it. */
    getMiniflareDurableObjectState: async (id: DurableObjectId): Promise<DurableObjectState> =>
      new DurableObjectState(id, await (await plugin()).openStorage(factory, id)),

    getMiniflareDurableObjectInstance: async (id: IdLike): Promise<DurableObject> =>
      (await plugin()).getInstance(factory, id),

    runWithMiniflareDurableObjectGates: async <T>(
      state: DurableObjectState,
      closure: () => Awaitable<T>,
    ): Promise<T> => {
      const helper = "runWithMiniflareDurableObjectGates";
      if (!(state instanceof DurableObjectState)) throw wrong(helper, "DurableObjectState", state);
      if (typeof closure !== "function") throw wrong(helper, "Function", closure, 2);
      return state[_kRunWithGates](closure);
    },

    getMiniflareFetchMock: (): FetchMock => fetchMock,

    getMiniflareWaitUntil: async (event: Extendable): Promise<unknown[]> => {
      const promises = Object(event)[kWaitUntil];
      if (Array.isArray(promises)) return waitUntilAll(promises);
      throw wrong("getMiniflareWaitUntil", "ExecutionContext", event);
    },

    flushMiniflareDurableObjectAlarms: async (ids?: IdLike[]): Promise<void> =>
      (await plugin()).flushAlarms(factory, ids),

    getMiniflareDurableObjectIds: async (namespace: string): Promise<DurableObjectId[]> => {
      if (typeof namespace !== "string") {
        throw wrong("getMiniflareDurableObjectIds", "string", namespace);
      }
      const { durableObjects } = await plugin();
      const ids = (await plugin()).getObjects(factory, namespace);
      if (ids.length === 0) checkBinding(namespace, Object.keys(durableObjects ?? {}));
      return ids;
    },
  };
}

/** The helpers of today's `cloudflare:test` for Durable Objects. */
export function cloudflareHelpers(core: TestCore) {
  const factory = core.getPluginStorage("DurableObjectsPlugin");
  const plugin = async () => (await core.getPlugins()).DurableObjectsPlugin;
  return {
    /** Ids of the objects of a namespace that hold data or an alarm, or are running. */
    async listDurableObjectIds(namespace: DurableObjectNamespace): Promise<DurableObjectId[]> {
      if (!(namespace instanceof DurableObjectNamespace)) {
        throw wrong("listDurableObjectIds", "DurableObjectNamespace", namespace);
      }
      const name = namespace[kObjectName];
      const ids = await (await plugin())[kListIds](factory, name);
      return ids.map((id) => new DurableObjectId(name, id));
    },

    /** Runs `callback` inside the object as if it were a request, and gives what it returns. */
    async runInDurableObject<O extends DurableObject, R>(
      stub: DurableObjectStub,
      callback: (instance: O, state: DurableObjectState) => Awaitable<R>,
    ): Promise<R> {
      checkStub("runInDurableObject", stub);
      if (typeof callback !== "function") {
        throw wrong("runInDurableObject", "Function", callback, 2);
      }
      const objects = await plugin();
      const state = await objects.getObject(factory, stub.id);
      const context = eventContext();
      return context.runWith(() =>
        state[_kRunWithGates](() => callback(state[kInstance] as O, state)),
      );
    },

    /** Runs the object's alarm now, and removes it; says whether one was set. */
    async runDurableObjectAlarm(stub: DurableObjectStub): Promise<boolean> {
      checkStub("runDurableObjectAlarm", stub);
      return (await plugin())[kRunAlarm](factory, stub.id);
    },

    /** Discards the running object once its requests have ended; its storage stays. */
    async evictDurableObject(stub: DurableObjectStub, options?: EvictionOptions): Promise<void> {
      checkStub("evictDurableObject", stub);
      const webSockets = webSocketsOf(options, "evictDurableObject", 2);
      await (await plugin())[kEvict](stub.id, webSockets);
    },

    /** Discards every running object. */
    async evictAllDurableObjects(options?: EvictionOptions): Promise<void> {
      const webSockets = webSocketsOf(options, "evictAllDurableObjects", 1);
      await (await plugin())[kEvict](undefined, webSockets);
    },

    /** Resets every running object: what runs in it rejects. Its storage stays. */
    async abortAllDurableObjects(): Promise<void> {
      (await plugin())[kAbortObjects](new Error("Application called abortAllDurableObjects()."));
    },
  };
}

function webSocketsOf(
  options: EvictionOptions | null | undefined,
  helper: string,
  position: number,
): EvictionOptions["webSockets"] {
  if (options === undefined || options === null) return "hibernate";
  if (typeof options !== "object") {
    throw wrong(helper, "EvictOptions", options, position);
  }
  const { webSockets = "hibernate" } = options;
  if (webSockets === "hibernate" || webSockets === "close") return webSockets;
  throw new TypeError('options.webSockets must be "hibernate" or "close".');
}

function checkStub(helper: string, stub: unknown): void {
  if (!(stub instanceof DurableObjectStub)) throw wrong(helper, "DurableObjectStub", stub);
}

function wrong(helper: string, type: string, value: unknown, position = 1): TypeError {
  return new TypeError(
    `Failed to execute '${helper}': parameter ${position} is not of type '${type}'. (received ${received(value)})`,
  );
}

/** A binding of the worker, whose objects need not run. */
function checkBinding(name: string, bound: string[]): void {
  if (bound.includes(name)) return;
  const list = bound.map((one) => `"${one}"`).join(", ");
  const known = bound.length > 0 ? `The worker binds ${list}.` : "The worker binds none.";
  throw new TypeError(
    `No Durable Object is bound to "${name}".${didYouMean(name, bound)} ${known}`,
  );
}
