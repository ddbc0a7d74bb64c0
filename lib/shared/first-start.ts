/** The first start of a worker that is watched: what cannot run is noted, and the watcher waits until it is repaired. */
import { AsyncLocalStorage } from "node:async_hooks";

const starting = new AsyncLocalStorage<FirstStart>();

/** Why exports stand for a script that cannot run. */
const broken = new WeakMap<object, unknown>();

export class FirstStart {
  /** What cannot run, each once. */
  readonly failures = new Set<unknown>();
  /** Whether sources are watched: without that, a failure ends the start. */
  isWatched = false;
  #isOver = false;

  /** Constructs a worker, whose start this is. */
  run<Result>(construct: () => Result): Result {
    return starting.run(this, construct);
  }

  /** From now on failures are those of changes. */
  end(): void {
    this.#isOver = true;
  }

  get survives(): boolean {
    return this.isWatched && !this.#isOver;
  }
}

/** Tells the start that runs here, if any, whether its worker is watched. */
export function noteWatched(isWatched: boolean): void {
  const start = starting.getStore();
  if (start !== undefined) start.isWatched = isWatched;
}

/** Whether a failure here has to be survived. */
export function isSurviving(): boolean {
  return starting.getStore()?.survives ?? false;
}

/** Notes a failure, and says whether the start goes on in spite of it. */
export function survive(failure: unknown): boolean {
  if (!isSurviving()) return false;
  starting.getStore()?.failures.add(failure);
  return true;
}

/** These exports stand for a script that `failure` keeps from running. */
export function noteBroken(exports: object, failure: unknown): void {
  broken.set(exports, failure);
}

/** # Errors The failure of the script that the exports stand for. */
export function checkRuns(exports: object): void {
  if (broken.has(exports)) throw broken.get(exports);
}
