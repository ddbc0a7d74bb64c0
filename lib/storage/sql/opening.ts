/** Opens and closes the database of one storage, and says why it cannot be used. */
import { isTicket, type ObjectHandle } from "../../native/addon";
import { awaitCode } from "../../native/tickets";
import { DurableObjectError } from "../../shared/error";

/**
 * created -> open -> closed, or created -> closed. With `release()` open -> created, with `rest()` and `lose()` open ->
 * resting, which is open again when the database is used.
 */
type Phase = "created" | "open" | "resting" | "closed";

/** Who uses the database. */
export interface Opener {
  /** Whether it is an instance, which sees what it has seen last, and no other instance in another process before it. */
  readonly isOfObject: boolean;
  /** Is told when the database has been opened. */
  opened(): void;
}

let uses = 0;

export class Opening {
  readonly #handle: ObjectHandle;
  readonly #opener: Opener;
  #phase: Phase = "created";
  #opening: Promise<void> | undefined;
  /** Whether another process has had the object since this instance has used it. */
  #overtaken = false;
  #lastUse = ++uses;

  constructor(handle: ObjectHandle, opener: Opener) {
    this.#handle = handle;
    this.#opener = opener;
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  get #isClosed(): boolean {
    return this.#phase === "closed";
  }

  get isResting(): boolean {
    return this.#phase === "resting";
  }

  get isOvertaken(): boolean {
    return this.#overtaken;
  }

  /** When it was wanted last, as a number. Each event of the object and each use from outside makes it grow. */
  get lastUse(): number {
    return this.#lastUse;
  }

  /** # Errors Those of the core; `ERR_EVICTED` after the end. */
  open(): Promise<void> {
    this.#lastUse = ++uses;
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** # Errors Those of opening it; `ERR_EVICTED` if another process has had the object meanwhile. */
  reopen(): Promise<void> | undefined {
    this.#lastUse = ++uses;
    return this.isResting ? this.#openAgain() : undefined;
  }

  async #openAgain(): Promise<void> {
    await this.open();
    if (this.#overtaken) throw overtaken();
  }

  async #open(): Promise<void> {
    if (this.#isClosed) throw this.reason;
    try {
      const code = this.#handle.openSql();
      if (isTicket(code)) await awaitCode(code);
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
    if (this.#isClosed) this.#handle.closeSql();
    else if (!this.isOpen) this.#enter();
  }

  /**
   * Opens a database that rests, for code that cannot wait.
   *
   * # Errors
   * Those of the core.
   */
  openNow(): void {
    if (!this.isResting) return;
    this.#handle.openSqlNow();
    this.#enter();
  }

  #enter(): void {
    const { isOfObject } = this.#opener;
    const isNew = this.#phase === "created";
    this.#phase = "open";
    if (isOfObject && isNew) this.#handle.sqlBegin();
    else if (!this.#handle.sqlResume()) this.#overtaken = isOfObject;
    this.#opener.opened();
  }

  /** Lets the database be closed until it is used again, unless something of it is open; says whether it does. */
  rest(): boolean {
    if (!this.isOpen || !this.#handle.sqlRest()) return false;
    this.#stop();
    return true;
  }

  /** The database has failed, and is opened again when it is used again. */
  lose(): void {
    if (!this.isOpen) return;
    this.#handle.closeSql();
    this.#stop();
  }

  #stop(): void {
    this.#phase = "resting";
    this.#opening = undefined;
  }

  /** Closes the database for good; `finish` has a last use of it. */
  close(finish: () => void): void {
    const wasOpen = this.isOpen;
    this.#phase = "closed";
    if (!wasOpen) return;
    try {
      finish();
      this.#handle.closeSql();
    } catch {
      // The store is closed, and with it the database.
    }
  }

  /** Closes the database until `open()` is called again. */
  release(): void {
    this.#handle.closeSql();
    this.#phase = "created";
    this.#opening = undefined;
  }

  /** Why the database is not open. */
  get reason(): DurableObjectError {
    if (this.#phase === "closed") {
      return new DurableObjectError(
        "ERR_EVICTED",
        "This instance of a Durable Object has ended, and its database is closed. Use a stub to reach the next instance.",
      );
    }
    return new DurableObjectError(
      "ERR_STORAGE_NOT_OPEN",
      "The database of this Durable Object is not open yet. Wait for getDurableObjectStorage(), or for an asynchronous operation such as sync(), before you use sql, kv or transactionSync().",
    );
  }
}

/** Why an instance ends whose object another process has had. */
export function overtaken(): DurableObjectError {
  return new DurableObjectError(
    "ERR_EVICTED",
    "This instance of a Durable Object has ended: another process has used the object since. Use a stub to reach the next instance.",
  );
}
