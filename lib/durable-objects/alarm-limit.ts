/** How long the alarm handler of a modern object may take, and the error of an object without one. */
import { withoutRetry } from "./modern-alarms";

/** As in production. */
const HANDLER_LIMIT_MS = 15 * 60_000;

/** Settles as the handler does; one that takes too long is ended by a `reset` with the reason. */
export async function limited(
  handled: Promise<void>,
  reset: (reason: Error) => void,
): Promise<void> {
  // Uses the timers that exist now, because tests replace them.
  const { setTimeout, clearTimeout } = globalThis;
  const timer = setTimeout(
    () => reset(new Error("Alarm exceeded its allowed execution time")),
    HANDLER_LIMIT_MS,
  );
  timer.unref?.();
  try {
    await handled;
  } finally {
    clearTimeout(timer);
  }
}

/** For an alarm of an object whose class has no handler: it is dropped. */
export function noAlarmHandler(): Error {
  return withoutRetry(
    new Error(
      "Attempted to run a scheduled alarm without a handler, did you remember to export an alarm() function?",
    ),
  );
}
