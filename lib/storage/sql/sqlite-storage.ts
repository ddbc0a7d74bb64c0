/** The storage of a SQLite-backed object: keys, alarm and tables in one database, which is open while the object runs. */
import type { ObjectHandle } from "../../native/addon";
import { nextTick } from "../../shared/real-timers";
import {
  kBeginTurn,
  kCheckValue,
  kClose,
  kCut,
  kCutReason,
  kEndTurn,
  kFollow,
  kLose,
  kOnBroken,
  kOpen,
  kPendingTicket,
  kRearm,
  kRelease,
  kReopen,
  kRest,
  kSealLater,
  kTicketOf,
  kUndo,
  kWanted,
} from "../../shared/symbols";
import { isInside } from "../gates";
import { ModernStorage, undo } from "../modern-storage";
import type { ListOptions } from "../operations";
import type { DurableObjectAlarmBridge, DurableObjectPutOptions } from "../options";
import { nothing } from "../promises";
import type { DurableObjectStorage } from "../storage";
import type { DurableObjectTransaction } from "../transaction";
import type { Connection } from "./connection";
import { Database } from "./database";
import { checkListOptions, cloneError, KvLists, SyncKvStorage } from "./kv";
import { areMany, getMany, removeMany } from "./many";
import { Opening, overtaken } from "./opening";
import type { RowRealm } from "./realm";
import { wrongArgument } from "./shape";
import { SqlStorage } from "./sql";
import { checkStorable, refuseObjectsOf } from "./storable";
import { deleteAllInTransaction } from "./transaction";
import { Transactions } from "./transactions";

export interface SqliteSetting {
  /** What the storages of one object have in common. */
  connection: Connection;
  realm: RowRealm;
  /** Whether it is the storage of a running object, all of whose code shares its transactions. */
  isOfObject: boolean;
  /** Whether `deleteAll()` leaves the alarm. */
  keepsAlarm: boolean;
  /** Is told when the database has been opened. */
  opened(storage: SqliteStorage): void;
}

const DONE = Promise.resolve();

let uses = 0;

/** On a storage: what the storages of its object have in common. */
export const kConnection = Symbol("kConnection");

/** On a storage: when it was used last, as a number that grows with each use. */
export const kLastUse = Symbol("kLastUse");

const kIsOvertaken = Symbol("kIsOvertaken");

/** On a storage: whether its database is open. */
export const kIsOpen = Symbol("kIsOpen");

/** On a storage: whether it is the one of a running object. */
export const kIsOfObject = Symbol("kIsOfObject");

const ASYNC_METHODS = [
  "get",
  "list",
  "put",
  "delete",
  "getAlarm",
  "setAlarm",
  "deleteAlarm",
  "sync",
] as const;
type AsyncMethod = (typeof ASYNC_METHODS)[number];

export class SqliteStorage extends ModernStorage {
  declare readonly kv: SyncKvStorage;
  declare readonly sql: SqlStorage;
  readonly #alarms: DurableObjectAlarmBridge;
  readonly #handle: ObjectHandle;
  readonly #setting: SqliteSetting;
  readonly #database: Database;
  readonly #lists = new KvLists();
  readonly #transactions: Transactions;
  readonly #opening: Opening;
  #sealing = false;
  #used = ++uses;
  /** Whether the alarm was written since the last commit. */
  #alarmWritten = false;

  constructor(handle: ObjectHandle, alarms: DurableObjectAlarmBridge, setting: SqliteSetting) {
    // A transaction tells the timers at its end.
    const tell = (change: () => Promise<void>) => (this.#isCommitting() ? change() : DONE);
    super(handle, {
      setAlarm: (time) => tell(() => alarms.setAlarm(time)),
      deleteAlarm: () => tell(() => alarms.deleteAlarm()),
      rearm: () => alarms.rearm?.(),
    });
    this.#alarms = alarms;
    this.#handle = handle;
    this.#setting = setting;
    this.#opening = new Opening(handle, {
      isOfObject: setting.isOfObject,
      opened: () => setting.opened(this),
    });
    const use = () => this.#use();
    const wrote = (ticket: number) => this[kFollow](ticket);
    const failed = (reason: unknown) => this.#failed(reason);
    const database = new Database({ use, wrote, failed }, setting.realm);
    this.#database = database;
    this.kv = new SyncKvStorage(database, this.#lists);
    this.sql = new SqlStorage(database);
    this.#transactions = new Transactions({
      storage: this,
      connection: setting.connection,
      party: setting.isOfObject ? this : undefined,
      use,
      isOpen: () => this.#opening.isOpen,
      commit: () => this.#commit(),
      rearm: () => this[kRearm](),
      endReason: () => this.#endReason(),
    });
  }

  get [kConnection](): Connection {
    return this.#setting.connection;
  }

  [kOpen](): Promise<void> {
    this.#used = ++uses;
    return this.#opening.open();
  }

  [kClose](): void {
    if (this.#opening.isOpen && this.#transactions.areOpen) void undo(this.#handle);
    this.#opening.close(() => {
      this.#transactions.abandon(this.#handle);
      this.#commit();
    });
  }

  get [kIsOfObject](): boolean {
    return this.#setting.isOfObject;
  }

  [kWanted](): boolean {
    return this.#opening.isOpen && this.#handle.sqlIsWanted();
  }

  override get [kCheckValue](): typeof checkStorable {
    return checkStorable;
  }

  /** Lets the database be closed until it is used again, if nothing of it is open. */
  [kRest](): boolean {
    if (!this.#opening.isOpen || this.#transactions.areOpen || this.#sealing) return false;
    return this.#opening.rest();
  }

  /** # Errors Those of opening it; `ERR_EVICTED` if another process has had the object meanwhile. */
  override [kReopen](): Promise<void> | undefined {
    this.#used = ++uses;
    return this.#opening.isResting ? this.#reopen() : undefined;
  }

  async #reopen(): Promise<void> {
    await this.#opening.open();
    if (this.#opening.isOvertaken) throw overtaken();
  }

  /** Grows with each event of the object, and with each use from outside. */
  get [kLastUse](): number {
    return this.#used;
  }

  get [kIsOpen](): boolean {
    return this.#opening.isOpen;
  }

  get [kIsOvertaken](): boolean {
    return this.#opening.isOvertaken;
  }

  /** The file cannot be used: the object is reset, and opens the database again. */
  #failed(reason: unknown): void {
    this[kLose]();
    this[kOnBroken]?.(reason);
  }

  override [kLose](): void {
    if (!this.#setting.isOfObject) this.#opening.lose();
  }

  /** Not while a transaction is open. */
  [kRelease](): void {
    if (!this.#opening.isOpen || this.#transactions.areOpen) return;
    this.#commit();
    this.#opening.release();
  }

  override [kCut](reason: unknown): void {
    super[kCut](reason);
    this[kClose]();
  }

  /** Everything that is not committed is one transaction, of the object and of code outside. */
  override [kBeginTurn](): void {}

  /** A section of `blockConcurrencyWhile()` commits what was written before it begins, and before it ends. */
  override [kEndTurn](isSection = false): void {
    if (isSection && this.#opening.isOpen && !this.#transactions.areOpenSync) this.#commit();
  }

  override [kUndo](): void {
    if (!this.#opening.isOpen) return;
    void undo(this.#handle);
    this.#alarmWritten = false;
    this[kRearm]();
  }

  /** All that runs until the microtask queue is empty belongs to one commit. */
  override [kSealLater](): void {
    if (this.#sealing) return;
    this.#sealing = true;
    const seal = () => {
      this.#sealing = false;
      if (this.#opening.isOpen) this.#commit();
    };
    void Promise.resolve().then(() => nextTick(seal));
  }

  /** In a transaction nothing is waited for: its end commits. */
  override [kTicketOf](code: number): number {
    return this.#transactions.areOpen ? 0 : super[kTicketOf](code);
  }

  override [kPendingTicket](): number {
    return this.#transactions.areOpen ? 0 : super[kPendingTicket]();
  }

  override [kFollow](ticket: number): Promise<void> | undefined {
    return this.#transactions.areOpen ? undefined : super[kFollow](ticket);
  }

  override transactionSync<T>(...given: [closure: () => T]): T {
    const [closure] = given;
    if (typeof closure !== "function") {
      throw wrongArgument("transactionSync", "DurableObjectStorage", 1, "function");
    }
    return this.#transactions.runSync(closure);
  }

  override transaction<T>(closure: (txn: DurableObjectTransaction) => Promise<T>): Promise<T> {
    if (typeof closure !== "function") {
      return Promise.reject(wrongArgument("transaction", "DurableObjectStorage", 1, "function"));
    }
    if (this[kCutReason] !== undefined) return this.#refused();
    return this.#transactions.run(closure as never, () => this.#ready());
  }

  override deleteAll(): Promise<void> {
    return this.#whenFree(async () => {
      if (this.#transactions.areOpen || this.#transactions.areOpenSync) {
        throw deleteAllInTransaction();
      }
      const ticket = this.#use().sqlReset(this.#setting.keepsAlarm);
      this.#database.deletions++;
      this.#alarmWritten = true;
      const durable = this[kFollow](ticket);
      if (!isInside()) await durable;
    });
  }

  override async getCurrentBookmark(): Promise<string> {
    return this.#whenFree(async () => {
      const bookmark = this.#use().sqlBookmark();
      const durable = this[kFollow](this.#handle.pendingTicket());
      if (!isInside()) await durable;
      return bookmark;
    });
  }

  /** # Errors Why the database cannot be used now. */
  #use(): ObjectHandle {
    if (!this.#opening.isOpen) this.#openNow();
    this.#setting.connection.check(this);
    return this.#handle;
  }

  /** Code that no event has started, or code outside, finds the database closed. */
  #openNow(): void {
    if (this[kCutReason] === undefined) this.#opening.openNow();
    if (!this.#opening.isOpen) throw this.#endReason();
    if (!this.#opening.isOvertaken) return;
    const reason = overtaken();
    this[kOnBroken]?.(reason);
    throw reason;
  }

  #endReason(): unknown {
    const cut = this[kCutReason];
    return cut === undefined ? this.#opening.reason : cut.reason;
  }

  #commit(): void {
    const handle = this.#handle;
    const ticket = handle.pendingTicket();
    handle.seal();
    if (ticket !== 0 && handle.pendingTicket() === 0) this.#check(ticket);
    if (!this.#alarmWritten || this.#transactions.areOpen) return;
    this.#alarmWritten = false;
    void this.#alarms.deleteAlarm();
  }

  /** A commit that was refused ends the storage at once: the reset of the object follows when its writes are told. */
  #check(ticket: number): void {
    try {
      this.#handle.durable(ticket);
    } catch (failure) {
      if (this.#setting.isOfObject) this[kCut](failure);
      else this[kLose]();
    }
  }

  /** Whether the end of this turn of the event loop commits. */
  #isCommitting(): boolean {
    return !this.#transactions.areOpen;
  }

  /** Runs an operation, at once if the database is open and no other transaction is. */
  #whenFree<T>(operation: () => Promise<T>): Promise<T> {
    if (this[kCutReason] !== undefined) return this.#refused();
    if (!this.#opening.isOpen || !this.#setting.connection.mayUse(this)) {
      return this.#later(operation);
    }
    try {
      return operation();
    } catch (error) {
      return Promise.reject(cloneError(error));
    }
  }

  async #later<T>(operation: () => Promise<T>): Promise<T> {
    do await this.#ready();
    while (!this.#setting.connection.mayUse(this));
    return operation();
  }

  async #ready(): Promise<void> {
    if (this[kCutReason] !== undefined) throw this.#endReason();
    await this[kOpen]();
    await this.#setting.connection.wait(this);
  }

  /** The rejection of a call after the reset of the object, which no program need look at. */
  #refused(): Promise<never> {
    const refusal = Promise.reject(this.#endReason());
    refusal.catch(nothing);
    return refusal;
  }

  /** The asynchronous list ends one that is walked, unless its options are refused. */
  #beginList(options: unknown): void {
    if (Object(options) === options) checkListOptions(this.#database, options as ListOptions);
    this.#lists.end();
  }

  /** An operation on more keys than the core takes at once. */
  #onMany(name: AsyncMethod, args: unknown[]): Promise<unknown> | undefined {
    const [keys, second] = args;
    if ((name !== "get" && name !== "delete") || !areMany(keys)) return undefined;
    const options = second as DurableObjectPutOptions | undefined;
    if (name === "get") return getMany(keys, (part) => super.get(part, options));
    return removeMany(keys, (part) => super.delete(part, options));
  }

  static {
    for (const name of ASYNC_METHODS) {
      const operation = Reflect.get(ModernStorage.prototype, name) as CallableFunction;
      const value = {
        [name](this: SqliteStorage, ...args: unknown[]): Promise<unknown> {
          return this.#whenFree(() => {
            if (name === "list") this.#beginList(args[0]);
            if (name === "setAlarm" || name === "deleteAlarm") this.#alarmWritten = true;
            return this.#onMany(name, args) ?? Reflect.apply(operation, this, args);
          });
        },
      }[name];
      const shape = { writable: true, configurable: true };
      Object.defineProperty(SqliteStorage.prototype, name, { value, ...shape });
    }
  }
}

refuseObjectsOf(SqliteStorage, "DurableObjectStorage");

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
  return storage instanceof SqliteStorage && storage[kIsOvertaken];
}
