/** Lets databases rest whose storages were not used for the longest time, so that few are open, however many instances live. */
import { kOpening, kRest } from "../shared/symbols";
import type { SqliteStorage } from "../storage/sql/sqlite-storage";

/** How many databases are looked at to find one that may rest. */
const LOOKS_MAX = 64;

export class OpenDatabases {
  /** The storages whose databases are open, by the use that is known of each, the earliest first. */
  readonly #open = new Map<SqliteStorage, number>();

  /** The database of a storage is open. */
  add(storage: SqliteStorage): void {
    this.#open.delete(storage);
    this.#open.set(storage, storage[kOpening].lastUse);
  }

  delete(storage: SqliteStorage): void {
    this.#open.delete(storage);
  }

  /** Lets databases rest until another one may be opened, as far as `mayRest` allows. */
  makeRoom(openMax: number, mayRest: (storage: SqliteStorage) => boolean): void {
    let looks = 0;
    for (const [storage, use] of this.#open) {
      if (this.#open.size < openMax || looks++ >= LOOKS_MAX) return;
      this.#open.delete(storage);
      if (!storage[kOpening].isOpen) continue;
      const isOldest = storage[kOpening].lastUse === use;
      if (isOldest && mayRest(storage) && storage[kRest]()) continue;
      this.#open.set(storage, storage[kOpening].lastUse);
    }
  }
}
