/** What other rooms do with the database of a storage, if the storage has one. */
import { kClose, kOpen, kOpening } from "../../shared/symbols";
import type { DurableObjectStorage } from "../storage";
import { SqliteStorage } from "./sqlite-storage";

/** Waits until the database of a storage is open, if it has one. */
export async function opened(storage: DurableObjectStorage): Promise<DurableObjectStorage> {
  if (storage instanceof SqliteStorage) await storage[kOpen]();
  return storage;
}

/** Closes the database of a storage, if it has one. */
export function closeDatabase(storage: DurableObjectStorage): void {
  if (storage instanceof SqliteStorage) storage[kClose]();
}

/** Whether another process has had the object of a storage while its database rested. */
export function isOvertaken(storage: DurableObjectStorage): boolean {
  return storage instanceof SqliteStorage && storage[kOpening].isOvertaken;
}
