/** Runs the closure of a transaction, inside an object for a limited time: no other event reaches the object meanwhile. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ObjectHandle } from "../native/addon";
import { withDeadline } from "../shared/deadline";
import { DurableObjectError } from "../shared/error";
import { isInside } from "./gates";

/** As in production, and as for `blockConcurrencyWhile()`. */
const CLOSURE_LIMIT_MS = 30_000;

interface Closure {
  object: ObjectHandle;
  /** Whether it has caused an event of its own object, which has to wait for the end of the transaction. */
  caused: boolean;
  /** The closure that it was started in. */
  outer: Closure | undefined;
}

const closures = new AsyncLocalStorage<Closure>();
let running = 0;

/**
 * Settles as `run` does.
 *
 * # Errors
 * `ERR_TIMEOUT` if that takes longer than 30 seconds inside an object.
 */
export async function runClosure<T>(object: ObjectHandle, run: () => Promise<T>): Promise<T> {
  if (!isInside()) return run();
  const closure: Closure = { object, caused: false, outer: closures.getStore() };
  running++;
  try {
    return await withDeadline(closures.run(closure, run), CLOSURE_LIMIT_MS, () => tooLong(closure));
  } finally {
    running--;
  }
}

/** Notes that an event arrives at an object: one that comes out of a closure of that object waits for it. */
export function noteEvent(object: ObjectHandle | undefined): void {
  if (running === 0) return;
  for (let at = closures.getStore(); at !== undefined; at = at.outer) {
    if (at.object === object) at.caused = true;
  }
}

/** The errors of closures that have not ended in time. */
const timeouts = new WeakSet<object>();

/** Whether a closure failed because it has not ended in time. */
export function isClosureTimeout(failure: unknown): boolean {
  return timeouts.has(failure as object);
}

function tooLong({ caused }: Closure): DurableObjectError {
  const reason = caused
    ? "It has sent a request to its own object, which gets the request after the transaction. Send it after the transaction, or do not wait for it in the closure."
    : "The object gets no other event meanwhile. Do not wait in the closure for what takes so long, or for another request to the object.";
  const error = new DurableObjectError(
    "ERR_TIMEOUT",
    `A transaction of a Durable Object was rolled back, because its closure has not ended within ${CLOSURE_LIMIT_MS / 1000} seconds. ${reason}`,
  );
  timeouts.add(error);
  return error;
}
