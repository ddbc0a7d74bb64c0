/** Says how a stored value goes into a line of JSON: as it is, or as bytes with the name of its type. */
import { decoded, UnreadableValue } from "../../native/raw-objects";

export type JsonValue =
  | { value: unknown }
  /** V8's serialization of the value, for values that JSON cannot express. */
  | { type: string; valueBase64: string };

/** What stands for the type of a value that cannot be decoded. */
const UNKNOWN_TYPE = "unknown";

export function jsonValue(bytes: Buffer): JsonValue {
  const value = decoded(bytes);
  if (isJson(value, new Set())) return { value };
  return { type: typeName(value), valueBase64: bytes.toString("base64") };
}

/** Whether JSON gives back exactly this value; `seen` are the objects that have occurred already. */
function isJson(value: unknown, seen: Set<object>): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  // JSON would repeat a value that occurs twice, and never end with a value that contains itself.
  if (seen.has(value)) return false;
  seen.add(value);
  if (!Array.isArray(value) && classOf(value) !== "Object") return false;
  const keys = Object.keys(value);
  if (Array.isArray(value) && keys.length !== value.length) return false;
  if (Array.isArray(value) && keys.some((key, i) => key !== String(i))) return false;
  return keys.every((key) => isJson((value as Record<string, unknown>)[key], seen));
}

function typeName(value: unknown): string {
  if (value instanceof UnreadableValue) return UNKNOWN_TYPE;
  if (typeof value !== "object" || value === null) return typeof value;
  return classOf(value);
}

/** The name of an object's class; stored objects have none but built-in ones. */
function classOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  const name: unknown = (prototype as { constructor?: { name?: unknown } } | null)?.constructor
    ?.name;
  return typeof name === "string" ? name : "Object";
}
