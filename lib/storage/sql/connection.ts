/** Decides who may use the database of an object: during an asynchronous transaction only those that belong to it. */
import { AsyncLocalStorage } from "node:async_hooks";
import { withDeadline } from "../../shared/deadline";
import { DurableObjectError } from "../../shared/error";

/** How long an operation of others waits for a transaction. */
const WAIT_LIMIT_MS = 30_000;

/** A transaction whose closure runs. */
export interface Level {
  /** The storage of a running object, all of whose code belongs to the transaction; nothing for a transaction from outside. */
  readonly party: object | undefined;
  readonly connection: Connection;
  /** The transaction that this one is nested in. */
  readonly outer: Level | undefined;
  /** The end of the last transaction that was started in this one. */
  last: Promise<void> | undefined;
  /** How many transactions that are nested in this one run. */
  nested: number;
  ended: boolean;
}

const levels = new AsyncLocalStorage<Level>();

export class Connection {
  /** The outermost transaction that is open. */
  #open: Level | undefined;
  #last: Promise<void> | undefined;

  /** Whether the code that runs, on `storage`, may use the database now. */
  mayUse(storage: object): boolean {
    return this.#open === undefined || this.#open.party === storage || this.#isWithin();
  }

  /** Waits until no transaction of others is open. */
  async wait(storage: object): Promise<void> {
    while (!this.mayUse(storage)) {
      await withDeadline(this.#last ?? Promise.resolve(), WAIT_LIMIT_MS, transactionOpen);
    }
  }

  /** # Errors `ERR_TRANSACTION_OPEN` if a transaction of others is open. */
  check(storage: object): void {
    if (this.#open !== undefined && !this.mayUse(storage)) throw transactionOpen();
  }

  /**
   * Runs a transaction after those that were started before: within the one whose closure has started it, or as the
   * outermost one. A storage of a running object is the `party` of its transactions.
   */
  async run<T>(party: object | undefined, closure: (level: Level) => Promise<T>): Promise<T> {
    const outer = this.#current();
    const queue: { last: Promise<void> | undefined } = outer ?? this;
    const before = queue.last;
    let finish!: () => void;
    queue.last = new Promise((resolve) => {
      finish = resolve;
    });
    try {
      await before;
      // What it was to be nested in may have ended meanwhile.
      if (outer?.ended) return await this.run(party, closure);
      const level: Level = {
        party,
        connection: this,
        outer,
        last: undefined,
        nested: 0,
        ended: false,
      };
      return await this.#within(level, closure);
    } finally {
      finish();
    }
  }

  /** A party has ended: its transaction is not open any more, though its closure may never end. */
  abandon(party: object): void {
    if (this.#open?.party !== party) return;
    this.#open.ended = true;
    this.#open = undefined;
    this.#last = undefined;
  }

  async #within<T>(level: Level, closure: (level: Level) => Promise<T>): Promise<T> {
    if (level.outer === undefined) this.#open = level;
    else level.outer.nested++;
    try {
      return await levels.run(level, () => closure(level));
    } finally {
      level.ended = true;
      if (level.outer !== undefined) level.outer.nested--;
      if (this.#open === level) this.#open = undefined;
    }
  }

  get last(): Promise<void> | undefined {
    return this.#last;
  }

  set last(end: Promise<void> | undefined) {
    this.#last = end;
  }

  #isWithin(): boolean {
    return this.#current() !== undefined;
  }

  /** The innermost transaction on this connection whose closure has started the code that runs. */
  #current(): Level | undefined {
    let at = levels.getStore();
    while (at !== undefined && (at.ended || at.connection !== this)) at = at.outer;
    return at;
  }
}

/** Waits for the transactions that were started in one. */
export async function nestedEnd(level: Level): Promise<void> {
  for (let last = level.last; last !== undefined; ) {
    await last;
    last = level.last === last ? undefined : level.last;
  }
}

function transactionOpen(): DurableObjectError {
  return new DurableObjectError(
    "ERR_TRANSACTION_OPEN",
    "The storage of this Durable Object cannot be used now: a transaction() is open in the object, and this call is not part of it. " +
      "Asynchronous operations wait for its end up to 30 seconds; use those, or wait for the transaction.",
  );
}
