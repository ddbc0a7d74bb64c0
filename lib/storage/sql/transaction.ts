/** What the closure of an asynchronous transaction gets: the storage itself, on a savepoint that can be rolled back. */
import type {
  DurableObjectGetAlarmOptions,
  DurableObjectGetOptions,
  DurableObjectListOptions,
  DurableObjectPutOptions,
  DurableObjectSetAlarmOptions,
} from "../options";
import type { DurableObjectStorage } from "../storage";
import type { Level } from "./connection";
import { likeProduction } from "./shape";

/** On a transaction: `() => boolean`; ends its use, and says whether it was rolled back. */
export const kEndUse = Symbol("kEndUse");

/** running -> rolled back, or -> ended. */
type Phase = "running" | "rolled back" | "ended";

/** How the savepoint of a transaction is rolled back. */
export type RollBack = () => void;

export class SqlTransaction {
  readonly #storage: DurableObjectStorage;
  readonly #level: Level;
  readonly #rollBack: RollBack;
  #phase: Phase = "running";

  constructor(storage: DurableObjectStorage, level: Level, rollBack: RollBack) {
    this.#storage = storage;
    this.#level = level;
    this.#rollBack = rollBack;
  }

  [kEndUse](): boolean {
    const wasRolledBack = this.#phase === "rolled back";
    this.#phase = "ended";
    return wasRolledBack;
  }

  async get(key: string | string[], options?: DurableObjectGetOptions): Promise<unknown> {
    this.#check("get");
    return this.#storage.get(key as string, options);
  }

  async list(options?: DurableObjectListOptions): Promise<unknown> {
    this.#check("list");
    return this.#storage.list(options);
  }

  async put(
    key: string | Record<string, unknown>,
    value?: unknown,
    options?: DurableObjectPutOptions,
  ): Promise<void> {
    this.#check("put");
    await this.#storage.put(key as string, value, options);
  }

  async delete(
    key: string | string[],
    options?: DurableObjectPutOptions,
  ): Promise<boolean | number> {
    this.#check("delete");
    return this.#storage.delete(key as string, options);
  }

  deleteAll(): never {
    throw deleteAllInTransaction();
  }

  /** Undoes what was written in the transaction so far. What is written later stays. */
  rollback(): void {
    if (this.#phase === "rolled back") return;
    this.#check("rollback");
    if (isNesting(this.#level)) {
      throw new Error(
        "Cannot roll back an outer transaction while a nested transaction is still running.",
      );
    }
    this.#phase = "rolled back";
    this.#rollBack();
  }

  async getAlarm(options?: DurableObjectGetAlarmOptions): Promise<number | null> {
    this.#check("getAlarm");
    return this.#storage.getAlarm(options);
  }

  async setAlarm(
    scheduledTime: number | Date,
    options?: DurableObjectSetAlarmOptions,
  ): Promise<void> {
    this.#check("setAlarm");
    await this.#storage.setAlarm(scheduledTime, options);
  }

  async deleteAlarm(options?: DurableObjectSetAlarmOptions): Promise<void> {
    this.#check("deleteAlarm");
    await this.#storage.deleteAlarm(options);
  }

  #check(method: string): void {
    if (this.#phase === "rolled back") {
      throw new Error(`Cannot ${method}() on rolled back transaction`);
    }
    if (this.#phase === "ended") {
      throw new Error(
        `Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`,
      );
    }
  }
}
likeProduction(SqlTransaction, "DurableObjectTransaction");

/** Whether a transaction that is nested in this one runs. */
function isNesting(level: Level): boolean {
  return level.nested > 0;
}

export function deleteAllInTransaction(): Error {
  return new Error("Cannot call deleteAll() within a transaction");
}
