/** `ctx.abort()` of modern objects: the object is reset, and what it has not committed is undone. */
import type { Realm } from "../rpc";
import { kBroken, kReset, kUndo } from "../shared/symbols";
import type { ModernStorage } from "../storage/modern-storage";
import { withoutRetry } from "./modern-alarms";

const NO_REASON = "Application called abort() to reset Durable Object.";

/** The state of an object that resets itself. */
interface Abortable {
  readonly storage: ModernStorage;
  readonly [kBroken]: { readonly reason: unknown } | undefined;
  [kReset](reason: unknown): void;
}

export interface AbortOptions {
  /** Whether an alarm that is being handled is handled again. */
  retryAlarm?: boolean;
}

/**
 * Resets an object. Every caller that waits for it gets the reason.
 *
 * # Errors
 * Always that reason: production ends the code that calls this, and here it goes on as after any error.
 */
export function abort(
  state: Abortable,
  realm: Realm,
  reason: unknown,
  options?: AbortOptions,
): never {
  const text = reason === undefined ? NO_REASON : `${reason as string}`;
  const error = realm.make(Error, text) as Error;
  if ((Object(options) as AbortOptions).retryAlarm === false) withoutRetry(error);
  if (state[kBroken] === undefined) {
    state.storage[kUndo]();
    state[kReset](error);
  }
  throw error;
}
