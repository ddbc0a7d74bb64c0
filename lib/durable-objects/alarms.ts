/** Fires alarms: one timer for the next alarm of some bindings; the alarms themselves are data of their objects. */
import type { StorageFactory } from "@miniflare/shared";
import { durabilityTicket, isTicket, limits, type ObjectHandle, type Store } from "../native/addon";
import { whenSavepointsChange } from "../native/overlays";
import { PLAIN } from "../native/scope";
import { storeFor } from "../native/stores";
import { awaitCode } from "../native/tickets";
import { warnOf } from "../shared/error";
import { clearInterval, setImmediate, setInterval } from "../shared/real-timers";
import { kWake } from "../shared/symbols";
import { alarmTime, type DurableObjectAlarmBridge } from "../storage/options";
import { addressOfKey } from "./id";
import {
  type AlarmInvocationInfo,
  END_OF_TIME_MS,
  ModernAlarms,
  type ModernAlarmsOptions,
  type RunAlarm,
} from "./modern-alarms";

/** An alarm due later than this does not keep the process alive. */
const REF_WINDOW_MS = 30_000;
/** Node fires timers with a longer delay at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;
/** How often to look for alarms that other processes have set, or left behind. */
const LOOK_MS = 1_000;
/** How long to wait after the store failed to answer. */
const RETRY_MS = 1_000;
/** For how many alarms objects are made ready at once, and how many alarms fire without a turn of the event loop. */
const READY_MAX = 16;

/** Runs the handler of an object; only those of modern objects are told of their alarms. */
type AlarmCallback = (objectKey: string, info?: AlarmInvocationInfo) => Promise<void>;
/** Reports an error that no caller waits for. */
type Report = (what: string, error: unknown) => void;

/** The alarm stores that watch a store: in one process a worker, its mounts and other instances may share it. */
const watchers = new WeakMap<Store, Set<AlarmStore>>();

/** `key` is that of an object whose alarm was set or removed; without it, other alarms than before may be due. */
function alarmChanged(store: Store, name: string, timeMs: number | null, key?: string): void {
  for (const watcher of watchers.get(store) ?? []) watcher[kWake](name, timeMs, key);
}

/** The bridge for an object whose data is in `store`: the alarm is stored already, and timers have to follow. */
export function alarmBridge(store: Store, name: string, key?: string): DurableObjectAlarmBridge {
  return {
    setAlarm: async (scheduledTime) => alarmChanged(store, name, alarmTime(scheduledTime), key),
    deleteAlarm: async () => alarmChanged(store, name, null, key),
    rearm: () => alarmChanged(store, name, null),
  };
}

/** The store's keys always have a colon; a key without one comes back with an empty name. */
function unpadded(key: string): string {
  return key.startsWith(":") ? key.slice(1) : key;
}

async function confirmed(handle: ObjectHandle, written: number): Promise<void> {
  const answer = awaitCode(written);
  handle.seal();
  const ticket = durabilityTicket(await answer);
  handle.seal();
  await awaitCode(handle.durable(ticket));
}

export class AlarmStore {
  /** The bindings whose alarms this fires; without a list, those that alarms were set for through this. */
  readonly #names: Set<string>;
  readonly #report: Report;
  #store: Store | undefined;
  #callback: AlarmCallback | undefined;
  #cancelTimer: (() => void) | undefined;
  #lookout: NodeJS.Timeout | undefined;
  #ignoreSavepoints: (() => void) | undefined;
  /** The alarm that the timer is for. */
  #next = Number.POSITIVE_INFINITY;
  #looking = false;
  #claiming = false;
  #retryAt = 0;
  readonly #modern: ModernAlarms | undefined;

  constructor(names: Iterable<string> = [], report: Report = warnOf, modern?: ModernAlarmsOptions) {
    this.#names = new Set(names);
    this.#report = report;
    const changed = (key: string) => {
      const { name } = addressOfKey(key);
      if (this.#store) alarmChanged(this.#store, name, null);
    };
    this.#modern = modern && new ModernAlarms(modern, report, changed);
  }

  async setupStore(factory: StorageFactory, persist?: boolean | string): Promise<void> {
    this.#unwatch();
    this.#store = storeFor(factory, persist);
    const watching = watchers.get(this.#store) ?? new Set();
    watchers.set(this.#store, watching.add(this));
    this.#ignoreSavepoints = whenSavepointsChange(this.#store, (ended) => {
      if (ended) this.#modern?.releaseAll();
      this.#arm();
    });
    if (persist !== undefined) this.#lookout = setInterval(() => this.#arm(), LOOK_MS).unref();
    this.#arm();
  }

  /** Starts firing; alarms that are overdue fire now. */
  async setupAlarms(callback?: AlarmCallback): Promise<void> {
    this.resume(callback ?? this.#callback);
  }

  resume(callback: AlarmCallback | undefined): void {
    this.#callback = callback;
    this.#arm();
  }

  /** Stops firing; alarms that fall due meanwhile fire after `resume()`. */
  pause(): void {
    this.#callback = undefined;
    this.#disarm();
  }

  buildBridge(objectKey: string): DurableObjectAlarmBridge {
    return {
      setAlarm: (scheduledTime) => this.setAlarm(objectKey, scheduledTime),
      deleteAlarm: () => this.deleteAlarm(objectKey),
    };
  }

  async setAlarm(objectKey: string, scheduledTime: number | Date): Promise<void> {
    const { name } = addressOfKey(objectKey);
    const handle = this.#handle(objectKey);
    const time = alarmTime(scheduledTime);
    this.#names.add(name);
    await confirmed(handle, handle.setAlarm(time, PLAIN));
    if (this.#store) alarmChanged(this.#store, name, time, objectKey);
  }

  async deleteAlarm(objectKey: string): Promise<void> {
    const handle = this.#handle(objectKey);
    await confirmed(handle, handle.deleteAlarm(PLAIN));
    if (this.#store) alarmChanged(this.#store, addressOfKey(objectKey).name, null, objectKey);
  }

  /** Fires all alarms, or those of some objects, now and one after the other; rejects with the first handler's error. */
  async flushAlarms(keys?: string[]): Promise<void> {
    const callback = this.#callback;
    if (this.#store === undefined) return;
    if (keys === undefined) await awaitCode(this.#store.refreshAlarms([...this.#names]));
    for (const key of keys ?? this.#pending(this.#store)) {
      const { name } = addressOfKey(key);
      if (!this.#names.has(name)) continue;
      if (this.#modern?.isModern(name)) {
        await this.#modern.runNow(key, this.#handle(key), callback);
        continue;
      }
      if ((await this.#take(key, END_OF_TIME_MS)) !== 1) continue;
      if (this.#store) alarmChanged(this.#store, name, null);
      await this.#handleAlarm(callback, key);
    }
  }

  /** Runs the alarm of a modern object now; see `ModernAlarms.runNow()`. */
  async runNow(objectKey: string, handle: ObjectHandle, run: RunAlarm): Promise<boolean> {
    return (await this.#modern?.runNow(objectKey, handle, run)) ?? false;
  }

  /** Stops firing for good. The alarms stay where they are. */
  dispose(): void {
    this.pause();
    this.#modern?.end();
    this.#unwatch();
  }

  /** An earlier alarm moves the timer at once; a timer that has become too early is moved later, once for many changes. */
  [kWake](name: string, timeMs: number | null, key?: string): void {
    if (!this.#names.has(name)) return;
    if (key !== undefined) this.#modern?.forget(key);
    if (timeMs !== null && timeMs < this.#next) this.#armFor(timeMs);
    else if (!this.#looking) {
      this.#looking = true;
      setImmediate(() => {
        this.#looking = false;
        this.#arm();
      });
    }
  }

  #unwatch(): void {
    clearInterval(this.#lookout);
    this.#ignoreSavepoints?.();
    if (this.#store) watchers.get(this.#store)?.delete(this);
    this.#store = undefined;
  }

  #handle(objectKey: string): ObjectHandle {
    if (this.#store === undefined) {
      throw new Error(
        `Cannot reach the alarm of ${objectKey}: setupStore() must be called before setAlarm() or deleteAlarm()`,
      );
    }
    const { name, id } = addressOfKey(objectKey);
    return this.#store.object(name, id, limits.valueBytesDefault);
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#next = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    this.#disarm();
    const store = this.#store;
    if (store === undefined || this.#names.size === 0) return;
    try {
      const next = store.nextAlarm([...this.#names]);
      const first = Math.min(Number.isNaN(next) ? Infinity : next, this.#modern?.next ?? Infinity);
      if (first < Infinity) this.#armFor(first);
    } catch (error) {
      this.#report("Alarms", error);
    }
  }

  /** Sets the timer for an alarm; a far one in steps, the last of which keeps the process alive. */
  #armFor(next: number): void {
    this.#disarm();
    const store = this.#store;
    if (store === undefined || !this.#callback || this.#claiming) return;
    this.#next = next;
    const due = Math.max(next, this.#retryAt);
    const delayMs = Math.max(due - Date.now(), 0);
    if (delayMs <= REF_WINDOW_MS) {
      this.#setTimer(() => void this.#fire(store, due), delayMs);
    } else {
      const stepMs = Math.min(delayMs - REF_WINDOW_MS, DELAY_MS_MAX);
      this.#setTimer(() => this.#arm(), stepMs).unref?.();
    }
  }

  /** Uses the timers that are global now, because tests replace them. */
  #setTimer(fire: () => void, delayMs: number): NodeJS.Timeout {
    const { setTimeout, clearTimeout } = globalThis;
    const timer = setTimeout(() => {
      this.#cancelTimer = undefined;
      fire();
    }, delayMs);
    this.#cancelTimer = () => clearTimeout(timer);
    return timer;
  }

  /**
   * Timers may be early, and a test's clock may stand still. The alarm that the timer was set for is due all the same.
   */
  async #fire(store: Store, due: number): Promise<void> {
    this.#claiming = true;
    let now = 0;
    try {
      let more = false;
      do {
        now = Math.max(Date.now(), due);
        if (this.#callback) this.#modern?.fireAgain(now, this.#callback);
        const keys = store.dueAlarms([...this.#names], now).map(unpadded);
        await this.#fireAll(store, keys, now);
        if (this.#store !== store || !this.#callback) break;
        // When so many were due, a server may have more. The process must not end before they are known.
        more = keys.length >= limits.alarmsReadMax || (more && keys.length > 0);
        if (more) await awaitCode(store.refreshAlarms([...this.#names]));
      } while (more);
    } catch (error) {
      this.#failed(error, now);
    } finally {
      this.#claiming = false;
      this.#arm();
    }
  }

  /** Fires alarms in the order of `keys`. The objects of the next ones are opened meanwhile; one that fails holds up no other. */
  async #fireAll(store: Store, keys: readonly string[], now: number): Promise<void> {
    const ready: (number | Promise<number>)[] = [];
    for (const [i, key] of keys.entries()) {
      while (ready.length < Math.min(i + READY_MAX, keys.length)) {
        ready.push(this.#makeReady(keys[ready.length]!));
      }
      if (typeof ready[i] !== "number") await ready[i];
      // An alarm that was taken fires: it is not taken any more when nothing may fire.
      const callback = this.#callback;
      if (callback === undefined || this.#store !== store) return;
      try {
        if (this.#modern?.isModern(addressOfKey(key).name)) {
          await this.#modern.fire(key, this.#handle(key), now, callback);
          continue;
        }
        const claim = this.#take(key, now);
        if (typeof claim === "number" ? claim : await claim) void this.#run(callback, key);
      } catch (error) {
        this.#failed(error, now);
      }
      if (i % READY_MAX === READY_MAX - 1) await new Promise(setImmediate);
    }
  }

  /** The objects whose alarm is set. Objects whose handler is to run again come last. */
  #pending(store: Store): string[] {
    const keys = store.dueAlarms([...this.#names], END_OF_TIME_MS).map(unpadded);
    return [...keys, ...(this.#modern?.waiting ?? [])];
  }

  /** Has an object opened, so that its alarm can be taken at once. What fails here fails again when it is taken. */
  #makeReady(key: string): number | Promise<number> {
    try {
      const code = this.#handle(key).prepareAlarm();
      return isTicket(code) ? awaitCode(code).catch(() => 0) : code;
    } catch {
      return 0;
    }
  }

  #failed(error: unknown, now: number): void {
    this.#retryAt = now + RETRY_MS;
    this.#report("Alarms", error);
  }

  /** Takes an alarm away if it is due by `timeMs`. Of all timers and processes that try, one gets it. */
  #take(key: string, timeMs: number): number | Promise<number> {
    const code = this.#handle(key).takeAlarm(timeMs);
    return isTicket(code) ? awaitCode(code) : code;
  }

  async #run(callback: AlarmCallback, key: string): Promise<void> {
    try {
      await this.#handleAlarm(callback, key);
    } catch (error) {
      this.#report(`Alarm of Durable Object ${key}`, error);
    }
  }

  /** Until an alarm is handled, another process may have to handle it instead. */
  async #handleAlarm(callback: AlarmCallback | undefined, key: string): Promise<void> {
    const handle = this.#handle(key);
    try {
      await callback?.(key);
    } finally {
      await awaitCode(handle.alarmDone());
    }
  }
}
