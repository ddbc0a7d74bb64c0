/** Answers of the native core that come later: each ticket becomes one promise. */
import { nextTick, setImmediate } from "../shared/real-timers";
import { Completions, isTicket } from "./addon";
import { errorOf } from "./realm";

/** A later answer: the operation's number, and the bytes that go with it. */
export interface Reply {
  value: number;
  bytes?: Uint8Array;
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** How many times in a row answers are handed over without a turn of the event loop: others wait for theirs. */
const IN_A_ROW_MAX = 64;

const waiting = new Map<number, Waiting>();

/** The one channel through which this realm of this thread gets its later answers. */
export const completions: Completions = new Completions(deliver);

function deliver(): void {
  for (const { ticket, value, bytes, error } of completions.drain()) {
    const entry = waiting.get(ticket);
    waiting.delete(ticket);
    if (error) entry?.reject(errorOf(error));
    else entry?.resolve({ value, bytes });
  }
}

let flushing = false;
let inARow = 0;
let yielding = false;

function goOn(): void {
  yielding = false;
  deliver();
}

function flush(): void {
  flushing = false;
  if (!completions.flush() || yielding) return;
  inARow = (inARow + 1) % IN_A_ROW_MAX;
  yielding = inARow === 0;
  if (yielding) setImmediate(goOn);
  else deliver();
}

/** The reply behind a ticket. What is asked in one turn of the event loop is sent and waited for at its end, together. */
export function replyOf(ticket: number): Promise<Reply> {
  if (!flushing) {
    flushing = true;
    nextTick(flush);
  }
  return new Promise((resolve, reject) => waiting.set(-ticket, { resolve, reject }));
}

/** The number that an operation answers, now or later. */
export async function awaitCode(code: number): Promise<number> {
  return isTicket(code) ? (await replyOf(code)).value : code;
}
