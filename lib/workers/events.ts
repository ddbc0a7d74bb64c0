/** Which event of a worker runs now: what it waits for, and what its context shows beyond Miniflare 2's. */
import { ExecutionContext } from "@miniflare/core";
import { getRequestContext, type RequestContext } from "@miniflare/shared";
import { currentObject } from "../rpc";

/** An event of Miniflare's. */
interface ExtendableEvent {
  waitUntil(promise: Promise<unknown>): void;
}

/** The worker of an event. */
interface EventWorker {
  readonly exports: object | undefined;
}

interface Running {
  event: ExtendableEvent;
  worker: EventWorker;
}

const OUTSIDE =
  "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, " +
  "and generating random values are not allowed within global scope. To fix this error, perform this operation within a handler. " +
  "https://developers.cloudflare.com/workers/runtime-apis/handlers/";

const events = new WeakMap<RequestContext, Running>();

function running(): Running | undefined {
  const context = getRequestContext();
  return context && events.get(context);
}

/** Notes the events that a worker's global scope dispatches. */
export function watchEvents(scope: EventTarget, worker: EventWorker): void {
  for (const type of ["fetch", "scheduled", "queue"]) {
    listenBelow(scope, type, (event) => {
      const context = getRequestContext();
      if (context !== undefined) events.set(context, { event, worker });
    });
  }
}

type Listener = (event: ExtendableEvent) => void;
type Listen = (type: string, listener: Listener) => void;

/** Adds a listener by the method of `EventTarget` itself: the scope's own refuses listeners of modules. */
function listenBelow(scope: EventTarget, type: string, listener: Listener): void {
  let listen: unknown;
  for (let at: object | null = scope; at !== null; at = Object.getPrototypeOf(at)) {
    listen = Object.getOwnPropertyDescriptor(at, "addEventListener")?.value ?? listen;
  }
  (listen as Listen).call(scope, type, listener);
}

Object.defineProperties(ExecutionContext.prototype, {
  props: { configurable: true, get: () => running() && {} },
  exports: { configurable: true, get: () => running()?.worker.exports },
});

/**
 * Lets the event that runs now wait for a promise.
 *
 * # Errors
 * If no event runs.
 */
export function waitUntil(...promises: [Promise<unknown>]): void {
  if (promises.length < 1) {
    throw new TypeError(
      "Failed to execute 'waitUntil' on 'EntrypointsModule': parameter 1 is not of type 'Promise'.",
    );
  }
  const settled = Promise.resolve(promises[0]);
  const host = currentObject();
  const now = running();
  if (host?.waitUntil !== undefined) host.waitUntil(settled);
  else if (getRequestContext() === undefined) throw new Error(OUTSIDE);
  else if (now !== undefined) now.event.waitUntil(settled);
  // Miniflare's own event cannot be reached: at least nothing is unhandled.
  else settled.catch(() => {});
}
