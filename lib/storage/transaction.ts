/** What a transaction's closure gets: one attempt, over the state that it started from. */
import { runWithInputGateClosed } from "@miniflare/shared";
import { isTicket, LOST, type ObjectHandle } from "../native/addon";
import { type Answer, AttemptLostError } from "../native/answers";
import { inTransaction, type Scope } from "../native/scope";
import { awaitCode } from "../native/tickets";
import { kAlarmHidden, kAlarmTime, kCheckHandler } from "../shared/symbols";
import { checkDefined, get, list, put, remove } from "./operations";
import {
  alarmOrNull,
  type DurableObjectGetAlarmOptions,
  type DurableObjectGetOptions,
  type DurableObjectListOptions,
  type DurableObjectOperator,
  type DurableObjectPutOptions,
  type DurableObjectSetAlarmOptions,
  readOptions,
} from "./options";
import { handedOut } from "./promises";

const OWNER = "DurableObjectTransaction";

/** Ends the attempt: waits for its reads, and refuses every later use. */
export const kFinish = Symbol("kFinish");
/** Whether the closure has asked for a rollback. */
export const kRolledBack = Symbol("kRolledBack");
/** The alarm as the attempt leaves it: a time, null for none, undefined for untouched. */
export const kAlarmWritten = Symbol("kAlarmWritten");

/** running -> rolled back (`rollback()`, or the closure has thrown), or running -> committed. */
type Phase = "running" | "rolled back" | "committed";

/** What the storage says of alarms. */
export interface AlarmRules {
  readonly [kAlarmHidden]: boolean;
  [kCheckHandler](): void;
  [kAlarmTime](scheduledTime: number | Date, owner: string): number;
}

export class DurableObjectTransaction implements DurableObjectOperator {
  readonly #object: ObjectHandle;
  readonly #scope: Scope;
  readonly #alarms: AlarmRules;
  /** Reads that still wait for their answer. */
  readonly #waiting = new Set<Promise<unknown>>();
  #phase: Phase = "running";
  [kAlarmWritten]: number | null | undefined;

  /** `id` is the number of a native transaction with a running attempt. */
  constructor(object: ObjectHandle, id: number, alarms: AlarmRules) {
    this.#object = object;
    this.#scope = inTransaction(id);
    this.#alarms = alarms;
  }

  get [kRolledBack](): boolean {
    return this.#phase === "rolled back";
  }

  async [kFinish](phase: Phase): Promise<void> {
    if (this.#phase === "running") this.#phase = phase;
    while (this.#waiting.size > 0) await Promise.allSettled(this.#waiting);
  }

  get<Value = unknown>(key: string, options?: DurableObjectGetOptions): Promise<Value | undefined>;
  get<Value = unknown>(
    keys: string[],
    options?: DurableObjectGetOptions,
  ): Promise<Map<string, Value>>;
  get(keys: string | string[], options?: DurableObjectGetOptions): Promise<unknown> {
    checkDefined(keys, "get", OWNER);
    this.#check("get");
    return this.#run(() => get(this.#object, keys, this.#scope), options);
  }

  put<Value = unknown>(key: string, value: Value, options?: DurableObjectPutOptions): Promise<void>;
  put<Value = unknown>(
    entries: Record<string, Value>,
    options?: DurableObjectPutOptions,
  ): Promise<void>;
  put(keyEntries: string | Record<string, unknown>, value?: unknown): Promise<void> {
    checkDefined(keyEntries, "put", OWNER);
    this.#check("put");
    return this.#run(() => {
      put(this.#object, keyEntries, value, this.#scope);
    });
  }

  delete(key: string, options?: DurableObjectPutOptions): Promise<boolean>;
  delete(keys: string[], options?: DurableObjectPutOptions): Promise<number>;
  delete(keys: string | string[], options?: DurableObjectPutOptions): Promise<boolean | number> {
    checkDefined(keys, "delete", OWNER);
    this.#check("delete");
    const result = (removed: number) => (Array.isArray(keys) ? removed : removed > 0);
    return this.#run(() => number(remove(this.#object, keys, this.#scope), result), options);
  }

  deleteAll(): never {
    throw new Error("Cannot call deleteAll() within a transaction");
  }

  list<Value = unknown>(options?: DurableObjectListOptions): Promise<Map<string, Value>>;
  list(options?: DurableObjectListOptions): Promise<unknown> {
    this.#check("list");
    return this.#run(() => list(this.#object, options ?? {}, this.#scope), options ?? undefined);
  }

  async getAlarm(options?: DurableObjectGetAlarmOptions): Promise<number | null> {
    this.#check("getAlarm");
    if (this.#alarms[kAlarmHidden]) return null;
    return this.#run(() => number(this.#object.getAlarm(this.#scope), alarmOrNull), options);
  }

  setAlarm(scheduledTime: number | Date, _options?: DurableObjectSetAlarmOptions): Promise<void> {
    this.#check("setAlarm");
    this.#alarms[kCheckHandler]();
    return this.#run(() => {
      const time = this.#alarms[kAlarmTime](scheduledTime, OWNER);
      this.#object.setAlarm(time, this.#scope);
      this[kAlarmWritten] = time;
    });
  }

  deleteAlarm(_options?: DurableObjectSetAlarmOptions): Promise<void> {
    this.#check("deleteAlarm");
    return this.#run(() => {
      this.#object.deleteAlarm(this.#scope);
      this[kAlarmWritten] = null;
    });
  }

  /** Undoes what the transaction has written; nothing more can be done in it. */
  rollback(): void {
    if (this.#phase === "rolled back") return;
    this.#check("rollback");
    this.#phase = "rolled back";
  }

  #check(method: string): void {
    if (this.#phase === "rolled back") {
      throw new Error(`Cannot ${method}() on rolled back transaction`);
    }
    if (this.#phase === "committed") {
      throw new Error(
        `Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`,
      );
    }
  }

  /** Starts an operation in the order of the calls; one that waits closes the input gate. */
  #run<T>(operation: () => Answer<T>, options?: DurableObjectGetOptions): Promise<T> {
    try {
      const given = readOptions(options);
      const result = operation();
      return result instanceof Promise ? this.#wait(result, given) : Promise.resolve(result);
    } catch (error) {
      return rejection(error);
    }
  }

  #wait<T>(answer: Promise<T>, options?: DurableObjectGetOptions): Promise<T> {
    const gated = runWithInputGateClosed(() => answer, options?.allowConcurrency);
    this.#waiting.add(gated);
    const done = () => this.#waiting.delete(gated);
    gated.then(done, done);
    return handedOut(gated, isLost);
  }
}

/** The number that an operation answers, now or later, as its result. */
function number<T>(code: number, result: (value: number) => T): Answer<T> {
  if (isTicket(code)) return awaitCode(code).then((value) => number(value, result)) as Promise<T>;
  if (code === LOST) throw new AttemptLostError();
  return result(code);
}

/** A rejection; that of a lost attempt need not be handled, since the closure is run again anyway. */
function rejection(error: unknown): Promise<never> {
  return handedOut(Promise.reject(error), isLost);
}

function isLost(error: unknown): boolean {
  return error instanceof AttemptLostError;
}
