/** Ends a wait that lasts too long with an error. */
import { clearTimeout, setTimeout } from "./real-timers";

/** Settles as `promise` does, or rejects with `error()` after `limitMs`. The timer does not keep the process alive. */
export function withDeadline<T>(
  promise: Promise<T>,
  limitMs: number,
  error: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(error()), limitMs);
    timer.unref?.();
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
