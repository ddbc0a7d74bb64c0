/** Defines the error of everything around the storage, with a `code` for each reason. */
import { MiniflareError } from "@miniflare/shared";
import { describeThrown } from "./thrown";

export type DurableObjectErrorCode =
  | "ERR_SCRIPT_NOT_FOUND"
  | "ERR_CLASS_NOT_FOUND"
  | "ERR_RESPONSE_TYPE"
  | "ERR_DESERIALIZATION"
  | "ERR_NO_HANDLER"
  /** A storage factory keeps data where the native core would not find it. */
  | "ERR_STORAGE_FACTORY"
  /** An option of the plugin has a value it cannot have. */
  | "ERR_OPTION"
  /** The `Miniflare` instance behind a namespace or stub has been disposed. */
  | "ERR_DISPOSED"
  /** A test has evicted the instance of the object. */
  | "ERR_EVICTED"
  /** Something that other requests wait for took longer than they may wait. */
  | "ERR_TIMEOUT"
  /** A member of the modern API that this package does not have. */
  | "ERR_UNSUPPORTED"
  /** The storage of an object is used while a transaction of others is open in it. */
  | "ERR_TRANSACTION_OPEN"
  /** The database of an object is used before it is open. */
  | "ERR_STORAGE_NOT_OPEN"
  /** A SQLite-backed class is to be kept in Redis. */
  | "ERR_SQL_REDIS";

export class DurableObjectError extends MiniflareError<DurableObjectErrorCode> {}

/** For a member of the modern API that this package does not have (yet). */
export function unsupported(member: string): DurableObjectError {
  return new DurableObjectError("ERR_UNSUPPORTED", `${member} is not supported by ferroflare`);
}

/** Names what was received in the place of an argument: its type, and for an object its class. */
export function received(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  try {
    const name: unknown = value.constructor?.name;
    return typeof name === "string" && name !== "" ? `an instance of ${name}` : "object";
  } catch {
    return "object";
  }
}

/** Reports an error that no caller waits for as a warning of the process, which does not end it. */
export function warnOf(what: string, error: unknown): void {
  process.emitWarning(
    `${what} failed: ${describeThrown(error)}`,
    "DurableObjectWarning",
    "ERR_DURABLE_OBJECT",
  );
}
