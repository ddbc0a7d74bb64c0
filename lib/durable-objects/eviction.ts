/** Evicts a running object: it ends when nothing runs in it, and the next event constructs it again. */
import { withDeadline } from "../shared/deadline";
import { kEnd, kIdle, kSleep } from "../shared/symbols";
import { HibernatingState } from "./hibernation/state";
import type { DurableObjectState } from "./state";

/** What becomes of hibernating WebSockets. */
export type SocketsEnd = "hibernate" | "close";

/** As in production. */
const WAIT_LIMIT_MS = 30_000;

export function notRunning(): Error {
  return new Error("Cannot evict Durable Object: it is not currently running.");
}

function stillBusy(): Error {
  return new Error("Timed out waiting to evict Durable Object: it still has active references.");
}

/**
 * # Errors
 * An `Error` if the object is still busy after 30 seconds. It stays then.
 */
export async function evict(state: DurableObjectState, webSockets: SocketsEnd): Promise<void> {
  let isWaiting = true;
  const sleeps = webSockets === "hibernate" && state instanceof HibernatingState;
  const sleep = sleeps ? () => state[kSleep]() : undefined;
  const end = async () => {
    do await state[kIdle]();
    while (isWaiting && !state[kEnd](sleep));
  };
  try {
    await withDeadline(end(), WAIT_LIMIT_MS, stillBusy);
  } finally {
    isWaiting = false;
  }
}
