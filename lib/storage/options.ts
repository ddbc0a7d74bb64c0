/** Options and shared signatures of the storage API. */
import { received } from "../shared/error";
import type { ListOptions } from "./operations";

export interface DurableObjectGetOptions {
  /** Deliver other events to the object while the operation waits. */
  allowConcurrency?: boolean;
  /** Accepted for compatibility; there is no cache to bypass. */
  noCache?: boolean;
}

export interface DurableObjectPutOptions extends DurableObjectGetOptions {
  /** Let responses leave the object before the write is durable. */
  allowUnconfirmed?: boolean;
}

export interface DurableObjectListOptions extends DurableObjectGetOptions, ListOptions {}

export interface DurableObjectGetAlarmOptions {
  /** Deliver other events to the object while the operation waits. */
  allowConcurrency?: boolean;
}

export interface DurableObjectSetAlarmOptions extends DurableObjectGetAlarmOptions {
  /** Let responses leave the object before the write is durable. */
  allowUnconfirmed?: boolean;
}

/** What a storage and a transaction have in common. */
export interface DurableObjectOperator {
  get<Value = unknown>(key: string, options?: DurableObjectGetOptions): Promise<Value | undefined>;
  get<Value = unknown>(
    keys: string[],
    options?: DurableObjectGetOptions,
  ): Promise<Map<string, Value>>;
  put<Value = unknown>(key: string, value: Value, options?: DurableObjectPutOptions): Promise<void>;
  put<Value = unknown>(
    entries: Record<string, Value>,
    options?: DurableObjectPutOptions,
  ): Promise<void>;
  delete(key: string, options?: DurableObjectPutOptions): Promise<boolean>;
  delete(keys: string[], options?: DurableObjectPutOptions): Promise<number>;
  list<Value = unknown>(options?: DurableObjectListOptions): Promise<Map<string, Value>>;
  getAlarm(options?: DurableObjectGetAlarmOptions): Promise<number | null>;
  setAlarm(scheduledTime: number | Date, options?: DurableObjectSetAlarmOptions): Promise<void>;
  deleteAlarm(options?: DurableObjectSetAlarmOptions): Promise<void>;
}

/** How a storage tells the alarms' timer that an alarm has changed. */
export interface DurableObjectAlarmBridge {
  setAlarm: (scheduledTime: number | Date) => Promise<void>;
  deleteAlarm: () => Promise<void>;
  /** What is stored may be another alarm than the last one that was told. */
  rearm?: () => void;
}

export const NO_ALARM_HANDLER =
  "Your Durable Object class must have an alarm() handler in order to call setAlarm()";

/** What a program has said of gates. Each property is read once, before the operation: its getter may throw. */
export function readOptions(options: DurableObjectGetOptions | undefined | null) {
  return options ? { allowConcurrency: options.allowConcurrency } : undefined;
}

/** As `readOptions()`, for a write. */
export function writeOptions(options: DurableObjectPutOptions | undefined | null) {
  if (!options) return undefined;
  const { allowConcurrency, allowUnconfirmed } = options;
  return { allowConcurrency, allowUnconfirmed };
}

/**
 * Milliseconds of an alarm time. Anything with a `getTime()` counts as a date.
 *
 * # Errors
 * A `TypeError` for what is neither a number nor a date.
 */
export function alarmTime(scheduledTime: number | Date): number {
  if (typeof scheduledTime === "number") return scheduledTime;
  const time: unknown = scheduledTime.getTime();
  if (typeof time === "number") return time;
  throw new TypeError(
    `setAlarm() takes a number of milliseconds or a Date, but the getTime() of what it received returns ${received(time)}.`,
  );
}

/** An alarm as `getAlarm()` gives it. */
export function alarmOrNull(ms: number): number | null {
  return Number.isNaN(ms) ? null : ms;
}
