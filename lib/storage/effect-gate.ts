/** Holds back what leaves an object until what the object had written by then is durable. */
import { OutputGate } from "@miniflare/shared";

/** What effects wait for. They pass in the order in which they came, each with the promises that were held before it. */
class Barrier {
  /** Held since the last effect came, and not settled. */
  readonly #held = new Set<Promise<unknown>>();
  /** The last effect that waits. It rejects for good once a promise has rejected. */
  #last: Promise<void> | undefined;

  hold(promise: Promise<unknown>): void {
    if (this.#held.has(promise)) return;
    this.#held.add(promise);
    promise.then(() => this.#held.delete(promise), nothing);
  }

  /** Returns nothing if nothing has to be waited for. */
  wait(): Promise<void> | undefined {
    if (this.#last === undefined && this.#held.size === 0) return undefined;
    const turn = Promise.all([this.#last, ...this.#held]).then(nothing);
    this.#held.clear();
    this.#last = turn;
    turn.then(() => {
      if (this.#last === turn) this.#last = undefined;
    }, nothing);
    return turn;
  }
}

/** The writes of one object that are not durable. A write that fails breaks the object. */
export class PendingWrites {
  readonly #barrier = new Barrier();
  readonly #onBroken: (reason: unknown) => void;
  /** Why nothing leaves any more. */
  #end: { reason: unknown } | undefined;

  constructor(onBroken: (reason: unknown) => void) {
    this.#onBroken = onBroken;
  }

  /** The object has been reset: nothing leaves any more. */
  end(reason: unknown): void {
    this.#end ??= { reason };
  }

  hold(write: Promise<unknown>): void {
    this.#barrier.hold(write);
    write.catch(this.#onBroken);
  }

  /** Waits until every write is durable; returns nothing if all are. Rejects if one has failed, or the object was reset. */
  leave(): Promise<void> | undefined {
    if (this.#end) return Promise.reject(this.#end.reason);
    return this.#barrier.wait()?.then(() => {
      if (this.#end) throw this.#end.reason;
    });
  }
}

/**
 * The gate of one event, or of the closure of a transaction. Its effects wait for the writes of the whole object, and for
 * the transactions that were started behind this gate.
 */
export class EffectGate extends OutputGate {
  readonly #writes: PendingWrites;
  #transactions: Barrier | undefined;

  constructor(writes: PendingWrites) {
    super();
    this.#writes = writes;
  }

  /** A gate for the closure of a transaction, which would otherwise wait for its own end. */
  insideTransaction(): EffectGate {
    return new EffectGate(this.#writes);
  }

  /** Waits before an effect leaves; returns nothing if it may leave at once. Rejects if a write before it has failed. */
  leave(): Promise<void> | undefined {
    const written = this.#writes.leave();
    const ended = this.#transactions?.wait();
    if (written && ended) return Promise.all([written, ended]).then(nothing);
    return written ?? ended;
  }

  override waitForOpen(): Promise<void> {
    return this.leave() ?? super.waitForOpen();
  }

  override waitUntil(write: Promise<unknown>): void {
    this.#writes.hold(write);
  }

  holdFor(transaction: Promise<unknown>): void {
    this.#transactions ??= new Barrier();
    this.#transactions.hold(transaction);
  }
}

function nothing(): void {}
