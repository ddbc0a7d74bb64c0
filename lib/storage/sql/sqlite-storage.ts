/** The storage of a SQLite-backed object: keys, alarm and tables in one database, which is open while the object runs. */
import type { ObjectHandle } from "../../native/addon";
import {
  kBeginTurn,
  kCheckValue,
  kClose,
  kConnection,
  kCut,
  kCutReason,
  kEndTurn,
  kFollow,
  kIsOfObject,
  kLose,
  kOnBroken,
  kOpen,
  kOpening,
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
import type { DurableObjectAlarmBridge } from "../options";
import type { DurableObjectTransaction } from "../transaction";
import { Access } from "./access";
import { Commits } from "./commits";
import type { Connection } from "./connection";
import { Database } from "./database";
import { checkListOptions, KvLists, SyncKvStorage } from "./kv";
import { defineAsync, inParts } from "./methods";
import { Opening } from "./opening";
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

export class SqliteStorage extends ModernStorage {
  declare readonly kv: SyncKvStorage;
  declare readonly sql: SqlStorage;
  readonly #handle: ObjectHandle;
  readonly #setting: SqliteSetting;
  readonly #database: Database;
  readonly #lists = new KvLists();
  readonly #transactions: Transactions;
  readonly #opening: Opening;
  readonly #access: Access;
  readonly #commits: Commits;

  constructor(handle: ObjectHandle, alarms: DurableObjectAlarmBridge, setting: SqliteSetting) {
    // A transaction tells the timers at its end.
    const tell = (change: () => Promise<void>) => (this.#transactions.areOpen ? DONE : change());
    super(handle, {
      setAlarm: (time) => tell(() => alarms.setAlarm(time)),
      deleteAlarm: () => tell(() => alarms.deleteAlarm()),
      rearm: () => alarms.rearm?.(),
    });
    this.#handle = handle;
    this.#setting = setting;
    this.#opening = new Opening(handle, {
      isOfObject: setting.isOfObject,
      opened: () => setting.opened(this),
    });
    const { connection } = setting;
    this.#access = new Access({ storage: this, handle, connection, opening: this.#opening });
    this.#commits = new Commits({
      handle,
      isOpen: () => this.#opening.isOpen,
      isInTransaction: () => this.#transactions.areOpen,
      alarmWritten: () => void alarms.deleteAlarm(),
      failed: (failure) => this.#commitFailed(failure),
    });
    const use = () => this.#access.use();
    const wrote = (ticket: number) => this[kFollow](ticket);
    const failed = (reason: unknown) => this.#failed(reason);
    const database = new Database({ use, wrote, failed }, setting.realm);
    this.#database = database;
    this.kv = new SyncKvStorage(database, this.#lists);
    this.sql = new SqlStorage(database);
    this.#transactions = new Transactions({
      storage: this,
      connection,
      party: setting.isOfObject ? this : undefined,
      use,
      isOpen: () => this.#opening.isOpen,
      commit: () => this.#commits.commit(),
      rearm: () => this[kRearm](),
      endReason: () => this.#access.endReason(),
    });
  }

  get [kConnection](): Connection {
    return this.#setting.connection;
  }

  get [kOpening](): Opening {
    return this.#opening;
  }

  [kOpen](): Promise<void> {
    return this.#opening.open();
  }

  [kClose](): void {
    if (this.#opening.isOpen && this.#transactions.areOpen) void undo(this.#handle);
    this.#opening.close(() => {
      this.#transactions.abandon(this.#handle);
      this.#commits.commit();
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
    if (!this.#opening.isOpen || this.#transactions.areOpen || this.#commits.isDue) return false;
    return this.#opening.rest();
  }

  override [kReopen](): Promise<void> | undefined {
    return this.#opening.reopen();
  }

  /** The file cannot be used: the object is reset, and opens the database again. */
  #failed(reason: unknown): void {
    this[kLose]();
    this[kOnBroken]?.(reason);
  }

  #commitFailed(failure: unknown): void {
    if (this.#setting.isOfObject) this[kCut](failure);
    else this[kLose]();
  }

  override [kLose](): void {
    if (!this.#setting.isOfObject) this.#opening.lose();
  }

  /** Not while a transaction is open. */
  [kRelease](): void {
    if (!this.#opening.isOpen || this.#transactions.areOpen) return;
    this.#commits.commit();
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
    if (!isSection || !this.#opening.isOpen || this.#transactions.areOpenSync) return;
    this.#commits.commit();
  }

  override [kUndo](): void {
    if (!this.#opening.isOpen) return;
    void undo(this.#handle);
    this.#commits.alarmWritten = false;
    this[kRearm]();
  }

  override [kSealLater](): void {
    this.#commits.sealLater();
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
    if (this[kCutReason] !== undefined) return this.#access.refused();
    return this.#transactions.run(closure as never, () => this.#access.ready());
  }

  override deleteAll(): Promise<void> {
    return this.#access.whenFree(async () => {
      if (this.#transactions.areOpen || this.#transactions.areOpenSync) {
        throw deleteAllInTransaction();
      }
      const ticket = this.#access.use().sqlReset(this.#setting.keepsAlarm);
      this.#database.deletions++;
      this.#commits.alarmWritten = true;
      const durable = this[kFollow](ticket);
      if (!isInside()) await durable;
    });
  }

  override async getCurrentBookmark(): Promise<string> {
    return this.#access.whenFree(async () => {
      const bookmark = this.#access.use().sqlBookmark();
      const durable = this[kFollow](this.#handle.pendingTicket());
      if (!isInside()) await durable;
      return bookmark;
    });
  }

  /** The asynchronous list ends one that is walked, unless its options are refused. */
  #beginList(options: unknown): void {
    if (Object(options) === options) checkListOptions(this.#database, options as ListOptions);
    this.#lists.end();
  }

  static {
    defineAsync(SqliteStorage, (storage, name, args, inherited) =>
      storage.#access.whenFree(() => {
        if (name === "list") storage.#beginList(args[0]);
        if (name === "setAlarm" || name === "deleteAlarm") storage.#commits.alarmWritten = true;
        return inParts(storage, name, args, inherited) ?? Reflect.apply(inherited, storage, args);
      }),
    );
  }
}

refuseObjectsOf(SqliteStorage, "DurableObjectStorage");
