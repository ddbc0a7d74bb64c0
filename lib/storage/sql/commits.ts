/** Commits what one storage has written, at the end of a turn of the event loop, and tells the timers of its alarm. */
import type { ObjectHandle } from "../../native/addon";
import { nextTick } from "../../shared/real-timers";

/** What commits need of their storage. */
export interface CommitSetting {
  handle: ObjectHandle;
  /** Whether the database is open. */
  isOpen(): boolean;
  /** Whether an asynchronous transaction is open. */
  isInTransaction(): boolean;
  /** The timers read the alarm again. */
  alarmWritten(): void;
  /** A commit was refused. */
  failed(failure: unknown): void;
}

export class Commits {
  readonly #setting: CommitSetting;
  #sealing = false;
  /** Whether the alarm was written since the last commit. */
  alarmWritten = false;

  constructor(setting: CommitSetting) {
    this.#setting = setting;
  }

  /** Whether the end of this turn of the event loop commits. */
  get isDue(): boolean {
    return this.#sealing;
  }

  /** All that runs until the microtask queue is empty belongs to one commit. */
  sealLater(): void {
    if (this.#sealing) return;
    this.#sealing = true;
    const seal = () => {
      this.#sealing = false;
      if (this.#setting.isOpen()) this.commit();
    };
    void Promise.resolve().then(() => nextTick(seal));
  }

  commit(): void {
    const { handle, isInTransaction, alarmWritten } = this.#setting;
    const ticket = handle.pendingTicket();
    handle.seal();
    if (ticket !== 0 && handle.pendingTicket() === 0) this.#check(ticket);
    if (!this.alarmWritten || isInTransaction()) return;
    this.alarmWritten = false;
    alarmWritten();
  }

  /** A commit that was refused ends the storage at once: the reset of the object follows when its writes are told. */
  #check(ticket: number): void {
    try {
      this.#setting.handle.durable(ticket);
    } catch (failure) {
      this.#setting.failed(failure);
    }
  }
}
