/** Runs the alarms of modern objects: they stay stored until they are handled, and run again when the handler fails. */
import { isTicket, type ObjectHandle } from "../native/addon";
import { awaitCode } from "../native/tickets";

/** What the handler is told of its alarm. */
export interface AlarmInvocationInfo {
  /** For when the alarm was set, in milliseconds. */
  scheduledTime: number;
  /** How often the handler has failed before. */
  retryCount: number;
  isRetry: boolean;
}

/** Runs the handler of an object. */
export type RunAlarm = (objectKey: string, info: AlarmInvocationInfo) => Promise<void>;

/** What the alarms of a worker need to know. */
export interface ModernAlarmsOptions {
  /** Whether the objects of a binding are modern. */
  isModern(name: string): boolean;
  /** A number from 0 to 1, for delays that differ. */
  random?(): number;
}

/** As in production: the first delay, by how much of it delays differ, and how often a handler runs again. */
const FIRST_DELAY_MS = 2_000;
const JITTER = 0.25;
const RETRIES_MAX = 6;
/** Later than any alarm. */
export const END_OF_TIME_MS = Number.MAX_SAFE_INTEGER;

/** How the core is told that a claim ends: see `finishAlarm()`. */
const [HANDLED, POSTPONED, RELEASED] = [0, 1, 2];

/** Failures after which the handler does not run again. */
const finalFailures = new WeakSet<object>();

/** Makes an alarm whose handler fails like that be dropped. */
export function withoutRetry<E extends Error>(failure: E): E {
  finalFailures.add(failure);
  return failure;
}

/** An alarm that this process has claimed. */
interface Claim {
  readonly key: string;
  /** The handle that has the claim. */
  readonly handle: ObjectHandle;
  /** For when the alarm was set. */
  readonly at: number;
  /** How often the handler has failed. */
  failures: number;
  /** When the handler runs again. */
  due: number;
}

export class ModernAlarms {
  readonly isModern: (name: string) => boolean;
  readonly #random: () => number;
  readonly #report: (what: string, error: unknown) => void;
  /** Called when other alarms may be due than before. */
  readonly #changed: (key: string) => void;
  readonly #running = new Set<Claim>();
  /** Claims whose handler runs again, by object. */
  readonly #waiting = new Map<string, Claim>();
  /** Whether no handler runs again. */
  #ended = false;

  constructor(
    options: ModernAlarmsOptions,
    report: (what: string, error: unknown) => void,
    changed: (key: string) => void,
  ) {
    this.isModern = options.isModern;
    // Looked up at each call, because tests replace it.
    this.#random = options.random ?? (() => Math.random());
    this.#report = report;
    this.#changed = changed;
  }

  /** When the next handler runs again; `Infinity` if none does. */
  get next(): number {
    return Math.min(...[...this.#waiting.values()].map(({ due }) => due));
  }

  /** The objects whose handlers run again. */
  get waiting(): string[] {
    return [...this.#waiting.keys()];
  }

  /** Claims an alarm that is due by `timeMs` and starts its handler; says whether there is one. */
  async fire(key: string, handle: ObjectHandle, timeMs: number, run: RunAlarm): Promise<boolean> {
    const at = await claimed(handle, timeMs, false);
    if (Number.isNaN(at)) return false;
    void this.#handle({ key, handle, at, failures: 0, due: timeMs }, run);
    return true;
  }

  /** Starts the handlers that run again by `timeMs`. */
  fireAgain(timeMs: number, run: RunAlarm): void {
    for (const claim of [...this.#waiting.values()].sort((a, b) => a.due - b.due)) {
      if (claim.due > timeMs) break;
      this.#waiting.delete(claim.key);
      void this.#again(claim, run);
    }
  }

  /**
   * Runs the handler of an object's alarm now, as if it never had before, and removes the alarm; says whether one was
   * set. Rejects with the handler's error.
   */
  async runNow(key: string, handle: ObjectHandle, run: RunAlarm | undefined): Promise<boolean> {
    const claim = await this.#claimNow(key, handle);
    if (claim === undefined) return false;
    this.#running.add(claim);
    try {
      await run?.(key, { scheduledTime: claim.at, retryCount: 0, isRetry: false });
    } finally {
      await this.#finish(claim, HANDLED);
    }
    return true;
  }

  /** An alarm was set or removed: what was to run again for the one before does not. */
  forget(key: string): void {
    const claim = this.#waiting.get(key);
    if (claim === undefined) return;
    this.#waiting.delete(key);
    void this.#release(claim);
  }

  /** Leaves every claimed alarm to the next claim. A handler that runs is not waited for. */
  releaseAll(): void {
    const claims = [...this.#running, ...this.#waiting.values()];
    this.#running.clear();
    this.#waiting.clear();
    for (const claim of claims) {
      void this.#release(claim);
      this.#changed(claim.key);
    }
  }

  /** As `releaseAll()`, for good. */
  end(): void {
    this.#ended = true;
    this.releaseAll();
  }

  async #claimNow(key: string, handle: ObjectHandle): Promise<Claim | undefined> {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      this.#waiting.delete(key);
      if (!Number.isNaN(await claimed(waiting.handle, END_OF_TIME_MS, true))) return waiting;
    }
    const at = await claimed(handle, END_OF_TIME_MS, false);
    return Number.isNaN(at) ? undefined : { key, handle, at, failures: 0, due: at };
  }

  async #again(claim: Claim, run: RunAlarm): Promise<void> {
    try {
      const at = await claimed(claim.handle, END_OF_TIME_MS, true);
      if (Number.isNaN(at)) this.#changed(claim.key);
      else await this.#handle(claim, run);
    } catch (error) {
      this.#report(nameOf(claim), error);
      await this.#release(claim);
    }
  }

  async #handle(claim: Claim, run: RunAlarm): Promise<void> {
    const { key, at, failures } = claim;
    this.#running.add(claim);
    const info = { scheduledTime: at, retryCount: failures, isRetry: failures > 0 };
    try {
      await run(key, info);
    } catch (error) {
      // Of a handler that the end of everything has ended, its next run tells.
      if (!this.#ended || !isClosed(error)) this.#report(nameOf(claim), error);
      await this.#failed(claim, Object(error));
      return;
    }
    await this.#finish(claim, HANDLED);
  }

  async #failed(claim: Claim, error: object): Promise<void> {
    if (finalFailures.has(error)) await this.#finish(claim, HANDLED);
    else if (this.#ended) await this.#finish(claim, RELEASED);
    else if (claim.failures < RETRIES_MAX) await this.#postpone(claim);
    else if (await this.#finish(claim, HANDLED)) {
      const name = nameOf(claim);
      this.#report(name, new Error(`${name} has failed ${RETRIES_MAX + 1} times and is dropped.`));
    }
  }

  async #postpone(claim: Claim): Promise<void> {
    const kept = await this.#finish(claim, POSTPONED);
    if (!kept) return;
    if (this.#ended) {
      await this.#release(claim);
      return;
    }
    const delayMs = FIRST_DELAY_MS * 2 ** claim.failures * (1 + JITTER * this.#random());
    claim.failures++;
    claim.due = Date.now() + Math.round(delayMs);
    this.#waiting.set(claim.key, claim);
    this.#changed(claim.key);
  }

  /** Ends or postpones a claim; says whether its alarm was still set. A claim that was released meanwhile has ended. */
  async #finish(claim: Claim, end: number): Promise<boolean> {
    if (!this.#running.delete(claim)) return false;
    try {
      const kept = await awaitCode(claim.handle.finishAlarm(end));
      if (end === HANDLED || kept !== 1) this.#changed(claim.key);
      return kept === 1;
    } catch (error) {
      if (!isClosed(error)) this.#report(nameOf(claim), error);
      await this.#release(claim);
      return false;
    }
  }

  async #release(claim: Claim): Promise<void> {
    try {
      await awaitCode(claim.handle.finishAlarm(RELEASED));
    } catch {
      // A store that is closed has released it; a server that is not reached lets the claim run out.
    }
    this.#changed(claim.key);
  }
}

function nameOf({ key }: Claim): string {
  return `Alarm of Durable Object ${key}`;
}

/** Claims an alarm, or with `again` goes on with a claim; gives for when it is set, NaN for none. */
function claimed(handle: ObjectHandle, timeMs: number, again: boolean): number | Promise<number> {
  const code = handle.claimAlarm(timeMs, again);
  return isTicket(code) ? awaitCode(code) : code;
}

function isClosed(error: unknown): boolean {
  return (Object(error) as { code?: unknown }).code === "ERR_STORAGE_CLOSED";
}
