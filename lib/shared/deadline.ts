/** Ends a wait that lasts too long with an error. */

// Taken when the module is loaded: a worker's test that runs on fake timers must not run into a deadline.
const { setTimeout, clearTimeout } = globalThis;

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
