/** Where code runs that others can call: an object behind its gates, or an event of a worker. */
import { AsyncResource } from "node:async_hooks";
import type { Awaitable } from "@miniflare/shared";
import { currentInputGate, currentOutputGate } from "../shared/gate-context";
import { setImmediate } from "../shared/real-timers";

export interface Host {
  /** Runs `event` where the host's code runs; resolves when what it wrote may be told of. */
  enter<T>(event: () => Awaitable<T>): Promise<T>;
  /** Keeps the host busy until a promise has settled. */
  waitUntil?(promise: Promise<unknown>): void;
  /** Calls back when the host's code runs no more. Gives what forgets the callback. */
  onEnd?(callback: () => void): () => void;
}

let findObject: () => Host | undefined = () => undefined;

/** `find` tells the host of the code that runs, if that is code of an object: this room does not know objects. */
export function setObjectFinder(find: () => Host | undefined): void {
  findObject = find;
}

/** The object whose code runs, if it is code of an object. */
export function currentObject(): Host | undefined {
  return findObject();
}

/** The host of the code that runs now. */
export function currentHost(): Host {
  return findObject() ?? new EventHost();
}

/** The event of a worker, or the code outside workers, that has passed a function: its context and its limits. */
export class EventHost implements Host {
  readonly #scope = new AsyncResource("FERROFLARE_RPC");

  enter<T>(event: () => Awaitable<T>): Promise<T> {
    return this.#scope.runInAsyncScope(async () => {
      // A call is never made while its caller's own code runs.
      await new Promise<void>((resolve) => setImmediate(resolve));
      return event();
    });
  }
}

/**
 * Makes a call that leaves the object whose code runs, when what the object has written is durable. The answer is an
 * event of the object. A call from outside objects is made at once.
 */
export async function asSubrequest<T>(call: () => Promise<T>): Promise<T> {
  const events = currentInputGate();
  if (events === undefined) return call();
  await currentOutputGate()?.waitForOpen();
  try {
    return await call();
  } finally {
    await events.waitForOpen();
  }
}
