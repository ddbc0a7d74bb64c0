/** Lets code use the database of one storage: at once if it is open and no other transaction is, else after a wait. */
import type { ObjectHandle } from "../../native/addon";
import { kCutReason, kOnBroken, kOpen } from "../../shared/symbols";
import type { ModernStorage } from "../modern-storage";
import { nothing } from "../promises";
import type { Connection } from "./connection";
import { cloneError } from "./kv";
import { type Opening, overtaken } from "./opening";

export interface AccessSetting {
  storage: ModernStorage & { [kOpen](): Promise<void> };
  handle: ObjectHandle;
  connection: Connection;
  opening: Opening;
}

export class Access {
  readonly #storage: AccessSetting["storage"];
  readonly #handle: ObjectHandle;
  readonly #connection: Connection;
  readonly #opening: Opening;

  constructor({ storage, handle, connection, opening }: AccessSetting) {
    this.#storage = storage;
    this.#handle = handle;
    this.#connection = connection;
    this.#opening = opening;
  }

  /** # Errors Why the database cannot be used now. */
  use(): ObjectHandle {
    if (!this.#opening.isOpen) this.#openNow();
    this.#connection.check(this.#storage);
    return this.#handle;
  }

  /** Code that no event has started, or code outside, finds the database closed. */
  #openNow(): void {
    if (this.#storage[kCutReason] === undefined) this.#opening.openNow();
    if (!this.#opening.isOpen) throw this.endReason();
    if (!this.#opening.isOvertaken) return;
    const reason = overtaken();
    this.#storage[kOnBroken]?.(reason);
    throw reason;
  }

  endReason(): unknown {
    const cut = this.#storage[kCutReason];
    return cut === undefined ? this.#opening.reason : cut.reason;
  }

  /** Runs an operation, at once if the database is open and no other transaction is. */
  whenFree<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#storage[kCutReason] !== undefined) return this.refused();
    if (!this.#opening.isOpen || !this.#connection.mayUse(this.#storage)) {
      return this.#later(operation);
    }
    try {
      return operation();
    } catch (error) {
      return Promise.reject(cloneError(error));
    }
  }

  async #later<T>(operation: () => Promise<T>): Promise<T> {
    do await this.ready();
    while (!this.#connection.mayUse(this.#storage));
    return operation();
  }

  async ready(): Promise<void> {
    if (this.#storage[kCutReason] !== undefined) throw this.endReason();
    await this.#storage[kOpen]();
    await this.#connection.wait(this.#storage);
  }

  /** The rejection of a call after the reset of the object, which no program need look at. */
  refused(): Promise<never> {
    const refusal = Promise.reject(this.endReason());
    refusal.catch(nothing);
    return refusal;
  }
}
