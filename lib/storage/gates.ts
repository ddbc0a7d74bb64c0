/** Whether code runs inside of an object: there a write is on its way when its promise resolves, and the output gate waits for it. */
import { AsyncLocalStorage } from "node:async_hooks";

const inside = new AsyncLocalStorage<true>();

/** Runs `closure` as code of an object. */
export function runInside<T>(closure: () => T): T {
  return inside.run(true, closure);
}

export function isInside(): boolean {
  return inside.getStore() === true;
}
