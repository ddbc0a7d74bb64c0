/** Gives a `Miniflare` instance a `dispatchFetch()` that takes requests of any class. */
import type { Response } from "@miniflare/core";
import { MiniflareCore } from "@miniflare/core";
import { type FetchInit, type FetchInput, inOwnClasses } from "../durable-objects/foreign-request";

/** Takes requests of Miniflare, of Node.js, and of other copies of undici and Miniflare. */
export type DispatchFetch = <WaitUntil extends unknown[] = unknown[]>(
  input: FetchInput,
  init?: FetchInit,
) => Promise<Response<WaitUntil>>;

/** On the instance, because Miniflare 2's class inherits this method from its core and has none of its own. */
export function dispatchAnyRequest(mf: object): void {
  const { dispatchFetch } = MiniflareCore.prototype;
  const value = async (input: FetchInput, init?: FetchInit) =>
    Reflect.apply(dispatchFetch, mf, inOwnClasses(input, init));
  Object.defineProperty(mf, "dispatchFetch", { value, writable: true, configurable: true });
}
