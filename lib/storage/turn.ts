/**
 * Knows which attempt issues a plain operation, if that attempt runs alone.
 *
 * While an attempt has its turn, other commits of the object wait. Plain operations of its own closure must not wait, or
 * the closure would wait for itself.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { besideAttempt, PLAIN, type Scope } from "../native/scope";

const attempts = new AsyncLocalStorage<number>();
let running = 0;

/** Runs `closure` as the closure of `attempt`, which runs alone. */
export async function runAlone<T>(attempt: number, closure: () => Promise<T>): Promise<T> {
  running++;
  try {
    return await attempts.run(attempt, closure);
  } finally {
    running--;
  }
}

/** The scope of a plain operation that is called now. */
export function plainScope(): Scope {
  const attempt = running === 0 ? undefined : attempts.getStore();
  return attempt === undefined ? PLAIN : besideAttempt(attempt);
}
