/** Calls that leave the object whose code runs, and whose answers enter it again. */
import { currentEffects } from "../storage/gates";
import { currentEvents, type EventGate } from "./event-gate";

/**
 * Makes the call when what the object has written is durable. Its answer, or error, is an event of the object. A call from
 * outside objects is made at once.
 */
export function subrequest<T>(call: () => Promise<T>): Promise<T> {
  const events = currentEvents();
  if (events === undefined) return call();
  const written = currentEffects()?.leave();
  return entering(events, written === undefined ? call() : written.then(call));
}

/** Makes calls of a method subrequests. */
// biome-ignore lint/suspicious/noExplicitAny: methods of all kinds are wrapped
export const asSubrequest = (method: (...args: any[]) => any) =>
  function (this: unknown, ...args: unknown[]) {
    return subrequest(() => method.apply(this, args));
  };

/** Settles as `answer` does, in its turn at the input gate. */
export async function entering<T>(events: EventGate, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } finally {
    await events.waitForOpen();
  }
}
