/** The storage of an object of a modern class: production's checks of alarms, and what ends with its object. */
import { types } from "node:util";
import type { ObjectHandle } from "../native/addon";
import { awaitCode } from "../native/tickets";
import { nextTick } from "../shared/real-timers";
import {
  kAlarmExists,
  kAlarmHidden,
  kAlarmTime,
  kBeginTurn,
  kCheckHandler,
  kCut,
  kCutReason,
  kEndTurn,
  kHandle,
  kUndo,
} from "../shared/symbols";
import { isInside } from "./gates";
import { NO_ALARM_HANDLER } from "./options";
import { nothing } from "./promises";
import { KV_WITHOUT_SQL, SQL_WITHOUT_SQL } from "./sql/refused";
import { wrongArgument } from "./sql/shape";
import { DurableObjectStorage } from "./storage";

/** Production's limit of one value; the core adds the frame that V8 puts around it. */
export const MODERN_VALUE_BYTES_MAX = 131_072;

const WRITES = new Set(["put", "delete", "setAlarm", "deleteAlarm"]);
/** These, and what was written before them, cannot be taken back. */
const COMMITS = new Set(["deleteAll", "transaction", "sync"]);

/** The last time that production takes: its clocks count nanoseconds in 64 bits. */
const ALARM_TIME_MAX = 9_223_372_036_854;

export const NO_RECOVERY =
  "This Durable Object's storage back-end does not implement point-in-time recovery.";

export class ModernStorage extends DurableObjectStorage {
  readonly kv: object = KV_WITHOUT_SQL;
  readonly sql: object = SQL_WITHOUT_SQL;
  /** Whether the writes of this turn of the event loop can be taken back. */
  #turns = false;
  /** Why nothing is done any more. */
  #cut: { reason: unknown } | undefined;

  override get [kAlarmHidden](): boolean {
    return false;
  }

  /** All checks are in their order in {@link kAlarmTime}. */
  override [kCheckHandler](): void {}

  override [kAlarmTime](scheduledTime: unknown, owner: string): number {
    const time = types.isDate(scheduledTime) ? scheduledTime.getTime() : scheduledTime;
    if (typeof time !== "number") {
      throw new TypeError(
        `Failed to execute 'setAlarm' on '${owner}': parameter 1 is not of type 'date'.`,
      );
    }
    if (!Number.isFinite(time)) {
      throw new TypeError("The value cannot be converted because it is not a valid Date.");
    }
    if (time > ALARM_TIME_MAX) {
      throw new TypeError("This API doesn't support dates after 2189.");
    }
    // The core refuses it.
    if (time < 1) return time;
    if (!this[kAlarmExists]) throw new TypeError(NO_ALARM_HANDLER);
    return Math.max(time, Date.now());
  }

  [kUndo](): void {
    if (this.#turns) void undo(this[kHandle]);
  }

  [kCut](reason: unknown): void {
    this.#cut = { reason };
  }

  get [kCutReason](): { reason: unknown } | undefined {
    return this.#cut;
  }

  /** Nothing if an operation may go on; else its promise, whose rejection no program need look at. */
  #refusal(name: string): Promise<never> | undefined {
    if (this.#cut) {
      const refusal = Promise.reject(this.#cut.reason);
      refusal.catch(nothing);
      return refusal;
    }
    if (WRITES.has(name) && !this.#turns && isInside()) this[kBeginTurn]();
    if (COMMITS.has(name)) this[kEndTurn]();
    return undefined;
  }

  /** A turn ends when all that is ready to run has run. */
  [kBeginTurn](): void {
    this.#turns = true;
    this[kHandle].beginTurn();
    nextTick(() => queueMicrotask(() => nextTick(() => this[kEndTurn]())));
  }

  /** `isSection` says that a section of `blockConcurrencyWhile()` begins or ends. */
  [kEndTurn](_isSection?: boolean): void {
    if (!this.#turns) return;
    this.#turns = false;
    this[kHandle].endTurn();
  }

  static {
    for (const name of ["get", "list", "getAlarm", ...COMMITS, ...WRITES] as const) {
      const operation = Reflect.get(DurableObjectStorage.prototype, name);
      const value = {
        [name](this: ModernStorage, ...args: unknown[]): unknown {
          return this.#refusal(name) ?? Reflect.apply(operation, this, args);
        },
      }[name];
      Object.defineProperty(ModernStorage.prototype, name, {
        value,
        writable: true,
        configurable: true,
      });
    }
  }

  /** # Errors Always: only SQLite-backed objects have it. */
  transactionSync<T>(..._given: [closure: () => T]): T {
    throw new Error("Durable Object is not backed by SQL.");
  }

  async getCurrentBookmark(): Promise<string> {
    throw new Error(NO_RECOVERY);
  }

  async getBookmarkForTime(...given: unknown[]): Promise<string> {
    if (given.length === 0) {
      throw wrongArgument("getBookmarkForTime", "DurableObjectStorage", 1, "date");
    }
    throw new Error(NO_RECOVERY);
  }

  async onNextSessionRestoreBookmark(..._given: [bookmark: string]): Promise<string> {
    throw new Error(NO_RECOVERY);
  }
}

/** Takes back at once what was written in this turn of the event loop. */
export async function undo(handle: ObjectHandle): Promise<void> {
  try {
    const undone = handle.undo();
    handle.seal();
    await awaitCode(undone);
  } catch {
    // The store is closed, or has failed, which breaks the object anyway.
  }
}
