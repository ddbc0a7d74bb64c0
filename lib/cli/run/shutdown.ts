/** Ends the process in order when it is told to: by a signal, or by the end of the process that started it. */
import { constants } from "node:os";

/** A shutdown that takes longer than this is given up and the process ends anyway. */
const DEADLINE_MS = 5000;

/** The signals that ask a program to end. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndSignal = (typeof SIGNALS)[number];

/** What the starter (`bin/ferroflare.js`) sends when it gets a signal itself. */
interface SignalMessage {
  signal: EndSignal;
}

function isSignalMessage(message: unknown): message is SignalMessage {
  const signal = (message as Partial<SignalMessage> | null)?.signal;
  return signal !== undefined && SIGNALS.includes(signal);
}

/** Ends this process by `signal`, so that its parent (a shell, npm) sees that it did not end of its own accord. */
function dieBy(signal: EndSignal): never {
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
  // Not reached, except as process 1 of a container, which ignores signals that have no handler.
  process.exit(128 + constants.signals[signal]);
}

/**
 * Calls `close` once, at the first signal, and then ends the process by that signal. A second signal ends it at once.
 * A signal that the starter passes on never counts as the second one: a terminal has sent it to both already.
 * `report` is told why `close` has failed.
 */
export function endOnSignal(close: () => Promise<void>, report: (error: unknown) => void): void {
  let ending = false;
  const end = (signal: EndSignal) => {
    if (ending) return;
    ending = true;
    setTimeout(() => dieBy(signal), DEADLINE_MS).unref();
    close()
      .catch(report)
      .finally(() => dieBy(signal));
  };
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (ending) dieBy(signal);
      end(signal);
    });
  }
  if (process.channel === undefined) return;
  process.on("message", (message) => {
    if (isSignalMessage(message)) end(message.signal);
  });
  process.on("disconnect", () => end("SIGTERM"));
  process.channel.unref();
}
