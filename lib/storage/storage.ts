/** The storage of one Durable Object, as its class and code outside have it. */
import { runWithInputGateClosed, waitUntilOnOutputGate } from "@miniflare/shared";
import { durabilityTicket, isTicket, LOST, type ObjectHandle, removedKeys } from "../native/addon";
import type { Answer } from "../native/answers";
import { awaitCode } from "../native/tickets";
import { nextTick } from "../shared/real-timers";
import {
  kAlarmExists,
  kAlarmHidden,
  kAlarmTime,
  kCheckHandler,
  kCheckValue,
  kFollow,
  kHandle,
  kLose,
  kOnBroken,
  kPendingTicket,
  kRearm,
  kReopen,
  kSealLater,
  kTicketOf,
} from "../shared/symbols";
import { isClosureTimeout, runClosure } from "./closure";
import { holdEffectsFor, isInside, transactionGate } from "./gates";
import { objectFor } from "./inner";
import { type Check, checkDefined, get, list, put, remove } from "./operations";
import {
  alarmOrNull,
  alarmTime,
  type DurableObjectAlarmBridge,
  type DurableObjectGetAlarmOptions,
  type DurableObjectGetOptions,
  type DurableObjectListOptions,
  type DurableObjectOperator,
  type DurableObjectPutOptions,
  type DurableObjectSetAlarmOptions,
  NO_ALARM_HANDLER,
  readOptions,
  writeOptions,
} from "./options";
import { handedOut, nothing } from "./promises";
import { DurableObjectTransaction, kAlarmWritten, kFinish, kRolledBack } from "./transaction";
import { plainScope, runAlone } from "./turn";

const OWNER = "DurableObjectStorage";

/** Failures of writes that break an object, which tells of them. */
const told = new WeakSet<object>();
export const isTold = (error: unknown): boolean => told.has(Object(error));

export class DurableObjectStorage implements DurableObjectOperator {
  readonly #object: ObjectHandle;
  readonly #alarms: DurableObjectAlarmBridge | undefined;
  /** Writes that are not durable yet, for `sync()`. */
  readonly #pending = new Set<Promise<unknown>>();
  /** The batch that gathers, or the last one. */
  #batch: { ticket: number; durable: Promise<void> } | undefined;
  /** The batch that effects of the object wait for. */
  #followed: Promise<void> | undefined;
  [kAlarmExists] = true;
  [kOnBroken]?: (error: unknown) => void;

  /** `inner` is a native object; any other storage stands for a new one in memory. */
  constructor(inner: object, alarmBridge?: DurableObjectAlarmBridge) {
    this.#object = objectFor(inner);
    this.#alarms = alarmBridge;
  }

  get [kHandle](): ObjectHandle {
    return this.#object;
  }

  get [kAlarmHidden](): boolean {
    return !this[kAlarmExists];
  }

  [kSealLater](): void {
    nextTick(() => this.#object.seal());
  }

  [kTicketOf](code: number): number {
    return durabilityTicket(code);
  }

  [kPendingTicket](): number {
    return this.#object.pendingTicket();
  }

  [kFollow](ticket: number): Promise<void> | undefined {
    if (ticket === 0) return undefined;
    const durable = this.#durable(ticket);
    if (durable !== this.#followed && isInside()) {
      this.#followed = durable;
      this.#leave(durable);
    }
    return durable;
  }

  /** Refuses a value that is not to be stored. */
  get [kCheckValue](): Check | undefined {
    return undefined;
  }

  /** Opens a database that was closed while nothing ran in the object. */
  [kReopen](): Promise<void> | undefined {
    return undefined;
  }

  /** What was written cannot be kept. */
  [kLose](): void {}

  [kRearm](): void {
    this.#alarms?.rearm?.();
  }

  [kCheckHandler](): void {
    if (!this[kAlarmExists]) throw new Error(NO_ALARM_HANDLER);
  }

  [kAlarmTime](scheduledTime: number | Date, _owner: string): number {
    return alarmTime(scheduledTime);
  }

  get<Value = unknown>(key: string, options?: DurableObjectGetOptions): Promise<Value | undefined>;
  get<Value = unknown>(
    keys: string[],
    options?: DurableObjectGetOptions,
  ): Promise<Map<string, Value>>;
  async get(keys: string | string[], options?: DurableObjectGetOptions): Promise<unknown> {
    checkDefined(keys, "get", OWNER);
    const given = readOptions(options);
    return this.#found(get(this.#object, keys, plainScope()), given);
  }

  put<Value = unknown>(key: string, value: Value, options?: DurableObjectPutOptions): Promise<void>;
  put<Value = unknown>(
    entries: Record<string, Value>,
    options?: DurableObjectPutOptions,
  ): Promise<void>;
  put(
    keyEntries: string | Record<string, unknown>,
    value?: unknown,
    options?: DurableObjectPutOptions,
  ): Promise<void> {
    checkDefined(keyEntries, "put", OWNER);
    const last = !options && typeof keyEntries !== "string" ? value : options;
    const given = writeOptions(last as DurableObjectPutOptions);
    const code = put(this.#object, keyEntries, value, plainScope(), this[kCheckValue]);
    return this.#written(code, () => {}, given);
  }

  delete(key: string, options?: DurableObjectPutOptions): Promise<boolean>;
  delete(keys: string[], options?: DurableObjectPutOptions): Promise<number>;
  delete(keys: string | string[], options?: DurableObjectPutOptions): Promise<boolean | number> {
    checkDefined(keys, "delete", OWNER);
    const given = writeOptions(options);
    const code = remove(this.#object, keys, plainScope());
    return this.#written<boolean | number>(
      code,
      (removed) => (Array.isArray(keys) ? removed : removed > 0),
      given,
    );
  }

  /** Removes every key, and the alarm. */
  deleteAll(options?: DurableObjectPutOptions): Promise<void> {
    return rejecting(async () => {
      const given = writeOptions(options);
      const code = this.#object.deleteAll(plainScope());
      await this.#written(code, () => this.#alarmChanged(null), given);
    });
  }

  list<Value = unknown>(options?: DurableObjectListOptions): Promise<Map<string, Value>>;
  async list(options?: DurableObjectListOptions): Promise<unknown> {
    const given = readOptions(options);
    return this.#found(list(this.#object, options ?? {}, plainScope()), given);
  }

  async getAlarm(options?: DurableObjectGetAlarmOptions): Promise<number | null> {
    const given = readOptions(options);
    if (this[kAlarmHidden]) return null;
    const code = this.#object.getAlarm(plainScope());
    const alarm = this.#found(isTicket(code) ? awaitCode(code) : code, given);
    return alarmOrNull(await alarm);
  }

  setAlarm(scheduledTime: number | Date, options?: DurableObjectSetAlarmOptions): Promise<void> {
    return rejecting(async () => {
      this[kCheckHandler]();
      const time = this[kAlarmTime](scheduledTime, OWNER);
      const given = writeOptions(options);
      const code = this.#object.setAlarm(time, plainScope());
      await this.#written(code, () => this.#alarmChanged(time), given);
    });
  }

  deleteAlarm(options?: DurableObjectSetAlarmOptions): Promise<void> {
    return rejecting(async () => {
      const given = writeOptions(options);
      const code = this.#object.deleteAlarm(plainScope());
      await this.#written(code, () => this.#alarmChanged(null), given);
    });
  }

  /**
   * Runs `closure` as a serializable transaction: what it reads and writes through its argument happens
   * at one moment. It may be run several times; what it returns or throws counts only for the run that commits.
   */
  transaction<T>(closure: (txn: DurableObjectTransaction) => Promise<T>): Promise<T> {
    const result = runWithInputGateClosed(() => this.#transact(closure));
    // A failed transaction is the program's own business: the output gate only waits for its end.
    holdEffectsFor(result.then(nothing, nothing));
    return handedOut(result, isTold);
  }

  /** Waits until everything written so far is durable. */
  async sync(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #transact<T>(closure: (txn: DurableObjectTransaction) => Promise<T>): Promise<T> {
    const object = this.#object;
    const id = await awaitCode(object.begin(plainScope()));
    try {
      for (let alone = 0; ; alone = await awaitCode(object.retry(id, plainScope()))) {
        const txn = new DurableObjectTransaction(object, id, this);
        const gated = () => transactionGate().runWith(() => closure(txn));
        const run = () => runClosure(object, gated);
        const end = await outcome(alone > 0 ? runAlone(alone, run) : run());
        await txn[kFinish]("failure" in end ? "rolled back" : "committed");
        if ("failure" in end && isClosureTimeout(end.failure)) throw end.failure;
        if (txn[kRolledBack] && !("failure" in end)) return end.value;
        const code = await awaitCode(object.commit(id, "failure" in end));
        if (code === LOST) continue;
        if ("failure" in end) throw end.failure;
        await this.#committed(code, txn[kAlarmWritten]);
        return end.value;
      }
    } finally {
      object.end(id);
    }
  }

  /** Follows up a commit: the alarm's timer, and durability. */
  async #committed(code: number, alarm: number | null | undefined): Promise<void> {
    if (alarm !== undefined) await this.#alarmChanged(alarm);
    if (durabilityTicket(code) === 0) return;
    const durable = this.#durable(durabilityTicket(code));
    this.#leave(durable);
    await durable;
  }

  /**
   * The answer of a read. A read that has to wait closes the input gate of the running object until its answer comes.
   */
  #found<T>(answer: Answer<T>, options?: DurableObjectGetOptions): Answer<T> {
    if (!(answer instanceof Promise)) return this.#shown(answer);
    const shown = answer.then((found) => this.#shown(found));
    return runWithInputGateClosed(() => shown, options?.allowConcurrency);
  }

  /**
   * Shows what a read has found. No caller learns what may yet be lost: the writes that the read may have seen become
   * durable first. Inside an object the output gate waits for them, outside the read does.
   */
  #shown<T>(found: T): Answer<T> {
    const pending = this[kPendingTicket]();
    if (pending === 0) return found;
    const durable = this.#durable(pending);
    if (!isInside()) return durable.then(() => found);
    this.#leave(durable);
    return found;
  }

  /**
   * The promise of a write. Inside an object it resolves when the write is visible, and the output gate waits until the
   * write is durable. Outside it resolves when the write is durable.
   */
  #written<T>(
    code: number,
    result: (removed: number) => T | Promise<T>,
    options?: DurableObjectPutOptions,
  ): Promise<T> {
    if (isTicket(code)) return this.#writtenLater(code, result, options);
    const written = this[kTicketOf](code);
    if (written === 0) return Promise.resolve(result(removedKeys(code)));
    const durable = this.#durable(written);
    if (!isInside()) return durable.then(() => result(removedKeys(code)));
    this.#leave(durable, options?.allowUnconfirmed);
    if (options?.allowUnconfirmed) void handedOut(durable, isTold);
    return Promise.resolve(result(removedKeys(code)));
  }

  /** The promise of a write that has to wait before it is even visible. */
  #writtenLater<T>(
    ticket: number,
    result: (removed: number) => T | Promise<T>,
    options?: DurableObjectPutOptions,
  ): Promise<T> {
    this[kSealLater]();
    const write = awaitCode(ticket).then(async (code) => {
      if (durabilityTicket(code) > 0) await this.#durable(durabilityTicket(code));
      return result(removedKeys(code));
    });
    this.#track(write);
    const gated = runWithInputGateClosed(() => write, options?.allowConcurrency);
    this.#leave(gated, options?.allowUnconfirmed);
    return handedOut(gated, isTold);
  }

  /** Leaves the failure of a write to the output gate, if there is one: it breaks the object, which tells of it. */
  #leave(write: Promise<unknown>, allowUnconfirmed = false): void {
    if (isInside() && !allowUnconfirmed) write.catch((error) => told.add(Object(error)));
    waitUntilOnOutputGate(write, allowUnconfirmed);
  }

  /** Waits for a batch; all writes of one turn of the event loop are one batch. */
  #durable(ticket: number): Promise<void> {
    if (this.#batch?.ticket === ticket) return this.#batch.durable;
    this[kSealLater]();
    const durable = durability(this.#object, ticket).then(nothing, (error) => {
      if (this[kOnBroken] !== undefined) told.add(error);
      this[kLose]();
      this[kOnBroken]?.(error);
      throw error;
    });
    this.#batch = { ticket, durable };
    this.#track(durable);
    return durable;
  }

  /** Remembers a write for `sync()` until it has ended. It counts as handled then: the program gets another promise. */
  #track(write: Promise<unknown>): void {
    this.#pending.add(write);
    const done = () => this.#pending.delete(write);
    write.then(done, done);
  }

  async #alarmChanged(time: number | null): Promise<void> {
    await (time === null ? this.#alarms?.deleteAlarm() : this.#alarms?.setAlarm(time));
  }
}

/** Waits until a write is durable; it may have failed already. */
function durability(object: ObjectHandle, ticket: number): Promise<unknown> {
  try {
    return awaitCode(object.durable(ticket));
  } catch (error) {
    // The process is ending: no promise is settled any more.
    if (Reflect.get(Object(error), "code") === "ERR_STORAGE_ENDING") throw error;
    return Promise.reject(error);
  }
}

/** The promise of a write whose refusal is a rejection, not an exception as that of `put()`. */
function rejecting(write: () => Promise<void>): Promise<void> {
  return handedOut(write(), isTold);
}

/** How a closure ended. */
async function outcome<T>(run: Promise<T>): Promise<{ value: T } | { failure: unknown }> {
  try {
    return { value: await run };
  } catch (failure) {
    return { failure };
  }
}
