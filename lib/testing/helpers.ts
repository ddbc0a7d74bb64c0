/** The helper functions of the test environments: Miniflare 2's, and those of today's `cloudflare:test`. */
import { kWaitUntil, waitUntilAll } from "@miniflare/core";
import type { Awaitable, Context } from "@miniflare/shared";
import { RequestContext, usageModelExternalSubrequestLimit } from "@miniflare/shared";
import type { IdLike } from "../durable-objects/id";
import { DurableObjectId, DurableObjectNamespace } from "../durable-objects/namespace";
import type { DurableObject } from "../durable-objects/state";
import { DurableObjectState } from "../durable-objects/state";
import { DurableObjectStub } from "../durable-objects/stub";
import { received } from "../shared/error";
import {
  _kRunWithGates,
  kEvict,
  kInstance,
  kListIds,
  kObjectName,
  kRunAlarm,
} from "../shared/symbols";
import type { DurableObjectStorage } from "../storage/storage";
import type { TestCore } from "./core";

type FetchMock = ReturnType<typeof import("@miniflare/core").createFetchMock>;

/** An event or context with promises to wait for. */
interface Extendable {
  readonly [kWaitUntil]: Promise<unknown>[];
}

/** Miniflare 2's helpers, by the names of its test environments. */
export async function miniflareHelpers(core: TestCore, fetchMock: FetchMock) {
  const bindings = await core.getBindings();
  const factory = core.getPluginStorage("DurableObjectsPlugin");
  const plugin = async () => (await core.getPlugins()).DurableObjectsPlugin;
  return {
    getMiniflareBindings: (): Context => bindings,

    getMiniflareDurableObjectStorage: async (id: IdLike): Promise<DurableObjectStorage> =>
      (await plugin()).getStorage(factory, id),

    /** A new state: the object of that id does not have it. */
    getMiniflareDurableObjectState: async (id: DurableObjectId): Promise<DurableObjectState> =>
      new DurableObjectState(id, (await plugin()).getStorage(factory, id)),

    getMiniflareDurableObjectInstance: async (id: IdLike): Promise<DurableObject> =>
      (await plugin()).getInstance(factory, id),

    runWithMiniflareDurableObjectGates: <T>(
      state: DurableObjectState,
      closure: () => Awaitable<T>,
    ): Promise<T> => state[_kRunWithGates](closure),

    getMiniflareFetchMock: (): FetchMock => fetchMock,

    getMiniflareWaitUntil: (event: Extendable): Promise<unknown[]> =>
      waitUntilAll(event[kWaitUntil]),

    flushMiniflareDurableObjectAlarms: async (ids?: IdLike[]): Promise<void> =>
      (await plugin()).flushAlarms(factory, ids),

    getMiniflareDurableObjectIds: async (namespace: string): Promise<DurableObjectId[]> =>
      (await plugin()).getObjects(factory, namespace),
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

    /** Runs `callback` inside of the object as if it were a request, and gives what it returns. */
    async runInDurableObject<O extends DurableObject, R>(
      stub: DurableObjectStub,
      callback: (instance: O, state: DurableObjectState) => Awaitable<R>,
    ): Promise<R> {
      checkStub("runInDurableObject", stub);
      if (typeof callback !== "function") {
        throw new TypeError(
          `Failed to execute 'runInDurableObject': parameter 2 is not of type 'Function'. (received ${received(callback)})`,
        );
      }
      const objects = await plugin();
      const state = await objects.getObject(factory, stub.id);
      const context = new RequestContext({
        requestDepth: 1,
        pipelineDepth: 1,
        durableObject: true,
        externalSubrequestLimit: usageModelExternalSubrequestLimit(),
      });
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
    async evictDurableObject(stub: DurableObjectStub): Promise<void> {
      checkStub("evictDurableObject", stub);
      await (await plugin())[kEvict](stub.id);
    },

    /** Discards every running object. */
    async evictAllDurableObjects(): Promise<void> {
      await (await plugin())[kEvict]();
    },
  };
}

function checkStub(helper: string, stub: unknown): void {
  if (!(stub instanceof DurableObjectStub)) throw wrong(helper, "DurableObjectStub", stub);
}

function wrong(helper: string, type: string, value: unknown): TypeError {
  return new TypeError(
    `Failed to execute '${helper}': parameter 1 is not of type '${type}'. (received ${received(value)})`,
  );
}
