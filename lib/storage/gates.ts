/** Whether code runs inside of an object: there a write is on its way when its promise resolves, and the output gate waits for it. */
import { AsyncLocalStorage } from "node:async_hooks";

/** Whether the output gate still waits for what is written. */
interface Inside {
  gateWaits: boolean;
}

const inside = new AsyncLocalStorage<Inside>();

/** Runs `closure` as code of an object. The output gate around it waits for what is written before `closure` has settled. */
export async function runInside<T>(closure: () => T | Promise<T>): Promise<T> {
  const running = { gateWaits: true };
  try {
    return await inside.run(running, closure);
  } finally {
    running.gateWaits = false;
  }
}

export function isInside(): boolean {
  return inside.getStore() !== undefined;
}

/** Whether the output gate waits for what is written now, and so tells of its failure. */
export function outputGateWaits(): boolean {
  return inside.getStore()?.gateWaits === true;
}
