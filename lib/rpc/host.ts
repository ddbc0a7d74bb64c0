/** Where code runs that others can call: an object behind its gates, or an event of a worker. */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { type Awaitable, waitForOpenInputGate, waitForOpenOutputGate } from "@miniflare/shared";

export interface Host {
  /** Runs `event` where the host's code runs; resolves when what it wrote may be told of. */
  enter<T>(event: () => Awaitable<T>): Promise<T>;
  /** Keeps the host busy until a promise has settled. */
  waitUntil?(promise: Promise<unknown>): void;
}

const current = new AsyncLocalStorage<Host>();

/** Runs `closure` as code of `host`. */
export function runAsHost<T>(host: Host, closure: () => T): T {
  return current.run(host, closure);
}

/** The host that the code that runs now was given, if any. */
export function givenHost(): Host | undefined {
  return current.getStore();
}

/** The host of the code that runs now. */
export function currentHost(): Host {
  return current.getStore() ?? new EventHost();
}

/** What another host has answered arrives when the host of the code that waits takes events. */
export function waitUntilOpen(): Promise<void> | undefined {
  return waitForOpenInputGate() as Promise<void> | undefined;
}

/** What is asked of another host leaves only when what it may tell of is durable. */
export function waitUntilDurable(): Promise<void> | undefined {
  return waitForOpenOutputGate() as Promise<void> | undefined;
}

/** The event of which a function was passed: its context, its gates, its limits. */
export class EventHost implements Host {
  readonly #scope = new AsyncResource("FERROFLARE_RPC");

  enter<T>(event: () => Awaitable<T>): Promise<T> {
    return this.#scope.runInAsyncScope(async () => {
      await waitForOpenInputGate();
      const result = await event();
      await waitForOpenOutputGate();
      return result;
    });
  }
}
