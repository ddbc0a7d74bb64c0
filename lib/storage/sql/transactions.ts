/** Runs the transactions of a SQLite-backed object, each on a savepoint: synchronous ones, and asynchronous ones that run once. */
import type { ObjectHandle } from "../../native/addon";
import { currentInputGate } from "../../shared/gate-context";
import { kFollow, kSealLater } from "../../shared/symbols";
import { isClosureTimeout, runClosure } from "../closure";
import { holdEffectsFor, transactionGate } from "../gates";
import { handedOut, nothing } from "../promises";
import { type DurableObjectStorage, isTold } from "../storage";
import { type Connection, type Level, nestedEnd } from "./connection";
import { kEndUse, SqlTransaction } from "./transaction";

/** What the native `sqlSavepoint()` does. */
const [BEGIN, RELEASE, ROLL_BACK] = [0, 1, 2];

/** What transactions need of their storage. */
export interface TransactionSetting {
  storage: DurableObjectStorage;
  connection: Connection;
  /** The storage, if all code of a running object shares its transactions. */
  party: object | undefined;
  use(): ObjectHandle;
  isOpen(): boolean;
  commit(): void;
  rearm(): void;
  endReason(): unknown;
}

/** The gate of an object's events: a section holds back the events of others. */
interface SectionGate {
  runSection<T>(closure: () => Promise<T>): Promise<T>;
}

type Closure<T> = (txn: SqlTransaction) => Promise<T>;

export class Transactions {
  readonly #setting: TransactionSetting;
  /** How many asynchronous transactions are open, one in the other. */
  #depth = 0;
  #syncDepth = 0;

  constructor(setting: TransactionSetting) {
    this.#setting = setting;
  }

  get areOpen(): boolean {
    return this.#depth > 0;
  }

  get areOpenSync(): boolean {
    return this.#syncDepth > 0;
  }

  /** What `closure` returns is passed on, also a promise: what that does later is outside of the transaction. */
  runSync<T>(closure: () => T): T {
    const { storage, use, isOpen } = this.#setting;
    const handle = use();
    handle.sqlSavepoint(BEGIN);
    // Also one that only reads has begun a transaction.
    storage[kSealLater]();
    this.#syncDepth++;
    let result: T;
    try {
      result = closure();
    } catch (failure) {
      if (isOpen()) this.#rollBack(handle);
      throw failure;
    } finally {
      this.#syncDepth--;
    }
    if (isOpen()) void storage[kFollow](handle.sqlSavepoint(RELEASE));
    return result;
  }

  /** Runs `closure` once, when the transactions before it have ended; in an object no other event enters meanwhile. */
  run<T>(closure: Closure<T>, ready: () => Promise<void>): Promise<T> {
    const { connection, party, isOpen } = this.#setting;
    const begin = async () => {
      if (!isOpen()) await ready();
      return connection.run(party, (level) => this.#transact(level, closure));
    };
    const gate = currentInputGate() as Partial<SectionGate> | undefined;
    const result = gate?.runSection ? gate.runSection(begin) : begin();
    holdEffectsFor(result.then(nothing, nothing));
    return handedOut(result, isTold);
  }

  /** The object has ended: what still runs of its transactions has nothing to commit. */
  abandon(handle: ObjectHandle): void {
    const { connection, party } = this.#setting;
    if (this.#depth > 0) handle.sqlHold(false);
    this.#depth = 0;
    if (party !== undefined) connection.abandon(party);
  }

  async #transact<T>(level: Level, closure: Closure<T>): Promise<T> {
    const { storage, use, isOpen, endReason } = this.#setting;
    const handle = use();
    this.#begin(handle, level);
    const txn = new SqlTransaction(storage, level, () => this.#rollBack(handle));
    const gated = () => transactionGate().runWith(async () => closure(txn));
    const end = await outcome(runClosure(handle, gated));
    if (!isTimeout(end)) await nestedEnd(level);
    const wasRolledBack = txn[kEndUse]();
    if (!isOpen()) throw "failure" in end ? end.failure : endReason();
    let ticket: number;
    try {
      if (!wasRolledBack && "failure" in end) this.#rollBack(handle);
      else if (!wasRolledBack) handle.sqlSavepoint(RELEASE);
    } finally {
      ticket = this.#end(handle, level);
    }
    await storage[kFollow](ticket);
    if ("failure" in end) throw end.failure;
    return end.value;
  }

  /** What was written before the outermost transaction is committed first. */
  #begin(handle: ObjectHandle, { outer }: Level): void {
    if (outer === undefined) {
      this.#setting.commit();
      handle.sqlHold(true);
    }
    this.#depth++;
    handle.sqlSavepoint(BEGIN);
  }

  /** The end of the outermost transaction commits; gives the ticket of that. */
  #end(handle: ObjectHandle, { outer }: Level): number {
    this.#depth--;
    if (outer !== undefined) return 0;
    const ticket = handle.pendingTicket();
    handle.sqlHold(false);
    this.#setting.commit();
    return ticket;
  }

  /** The alarm is again what it was. */
  #rollBack(handle: ObjectHandle): void {
    handle.sqlSavepoint(ROLL_BACK);
    this.#setting.rearm();
  }
}

type End<T> = { value: T } | { failure: unknown };

/** How a closure ended. */
async function outcome<T>(run: Promise<T>): Promise<End<T>> {
  try {
    return { value: await run };
  } catch (failure) {
    return { failure };
  }
}

/** What a closure that has not ended in time has started may never end. */
function isTimeout(end: End<unknown>): boolean {
  return "failure" in end && isClosureTimeout(end.failure);
}
