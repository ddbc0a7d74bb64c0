/**
 * Which transaction attempt that runs alone a plain operation comes from.
 *
 * While an attempt has its turn, other commits of the object wait. Plain operations out of its own
 * closure must not, or the closure would wait for itself.
 */
import { AsyncLocalStorage } from "node:async_hooks";

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

/** The `at` of a plain operation: 0, or the negated number of the attempt it comes from. */
export function plainAt(): number {
  return running === 0 ? 0 : -(attempts.getStore() ?? 0);
}
