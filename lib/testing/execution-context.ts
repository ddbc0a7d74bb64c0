/** The execution context that a test passes to a handler of its worker. */
import { kWaitUntil } from "@miniflare/core";

/** What `getMiniflareWaitUntil()` waits for is kept as Miniflare's own events keep it. */
export class ExecutionContext {
  readonly [kWaitUntil]: Promise<unknown>[] = [];

  passThroughOnException(): void {}

  waitUntil(promise: Promise<unknown>): void {
    this[kWaitUntil].push(promise);
  }
}
