// The types of `cloudflare:test`: name `ferroflare/cloudflare-test` in `types` of tsconfig.json. The types of Workers
// themselves are those of @cloudflare/workers-types, where it is installed.

declare module "cloudflare:test" {
  import type { MockAgent } from "undici";

  type Awaitable<T> = T | Promise<T>;
  type Handled = import("ferroflare").DurableObjectState;

  type AnyId = import("./dist/testing/arguments").AnyId;
  type AnyStub = import("./dist/testing/arguments").AnyStub;
  type AnyNamespace = import("./dist/testing/arguments").AnyNamespace;

  // biome-ignore lint/suspicious/noExplicitAny: handlers of workers take contexts of several types
  type AnyContext = any;

  /** The bindings of the worker: declare their types by extending this interface. */
  export interface ProvidedEnv {}

  /** The bindings of the worker, as its handlers get them. */
  // biome-ignore lint/suspicious/noExplicitAny: what is bound is for the caller to know
  export const env: ProvidedEnv & Record<string, any>;

  /** The worker itself: requests and scheduled events, and members of a `WorkerEntrypoint`. */
  export const SELF: {
    fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
    scheduled(options?: { scheduledTime?: Date | number; cron?: string }): Promise<{
      outcome: string;
      noRetry: boolean;
    }>;
    // biome-ignore lint/suspicious/noExplicitAny: the members of any class
    [member: string]: any;
  };

  /** The `MockAgent` that answers the worker's `fetch()`. */
  export const fetchMock: MockAgent;

  /** Runs `callback` inside an object as if it were a request, and gives what it returns. */
  export function runInDurableObject<O = unknown, R = unknown>(
    stub: AnyStub,
    callback: (instance: O, state: Handled) => Awaitable<R>,
  ): Promise<R>;

  /** Runs the alarm of an object now, and removes it; says whether one was set. */
  export function runDurableObjectAlarm(stub: AnyStub): Promise<boolean>;

  /** Ids of the objects of a namespace that hold data or an alarm, or are running. */
  export function listDurableObjectIds(namespace: AnyNamespace): Promise<AnyId[]>;

  export type DurableObjectEvictionOptions = import("./dist/testing/arguments").EvictionOptions;

  /** Discards a running object once its requests have ended: the next event constructs it again, from its storage. */
  export function evictDurableObject(
    stub: AnyStub,
    options?: DurableObjectEvictionOptions,
  ): Promise<void>;

  /** Discards all running objects. */
  export function evictAllDurableObjects(options?: DurableObjectEvictionOptions): Promise<void>;

  /** Resets all running objects: what runs in them rejects. Their storage stays. */
  export function abortAllDurableObjects(): Promise<void>;

  /** Deletes what all bindings have stored, and discards all objects. */
  export function reset(): Promise<void>;

  /** The third argument of a handler. */
  export function createExecutionContext(): AnyContext;

  /** Waits for what was passed to `waitUntil()` of a context. */
  export function waitOnExecutionContext(context: AnyContext): Promise<void>;

  /** The first argument of a `scheduled()` handler. */
  export function createScheduledController(options?: {
    scheduledTime?: Date | number;
    cron?: string;
  }): AnyContext;
}

declare module "ferroflare/cloudflare-test" {
  export * from "cloudflare:test";
}
