/** Opens and closes the database of one storage, and says why it cannot be used. */
import { isTicket, type ObjectHandle } from "../../native/addon";
import { awaitCode } from "../../native/tickets";
import { DurableObjectError } from "../../shared/error";

/** created -> open -> closed, or created -> closed; with `release()` open -> created. */
type Phase = "created" | "open" | "closed";

export class Opening {
  readonly #handle: ObjectHandle;
  #phase: Phase = "created";
  #opening: Promise<void> | undefined;

  constructor(handle: ObjectHandle) {
    this.#handle = handle;
  }

  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** # Errors Those of the core; `ERR_EVICTED` after the end. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    if (this.#phase === "closed") throw this.reason;
    try {
      const code = this.#handle.openSql();
      if (isTicket(code)) await awaitCode(code);
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
    if (this.#phase === "created") this.#phase = "open";
    else this.#handle.closeSql();
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
