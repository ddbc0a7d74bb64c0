/** What becomes of a thrown value on its way to the caller: kind, message and properties, in the caller's realm. */
import { types } from "node:util";
import {
  constructorName,
  copyProperties,
  headOf,
  isDomException,
  kindOf,
  messageOf,
  nameOf,
  newDomException,
  newError,
} from "./error-kinds";
import { copyPlainly } from "./plain-copy";
import type { Realm } from "./realm";
import { RpcTarget } from "./target";

/** What is known of an error besides what was thrown. */
export interface ErrorMarks {
  remote?: true;
  durableObjectId?: string;
  durableObjectReset?: true;
}

/**
 * Makes the error that the caller gets of the thrown value. `trace` holds the stack of the call; the callee's own
 * follows it.
 */
export function errorForCaller(
  thrown: unknown,
  realm: Realm,
  enhanced: boolean,
  marks: ErrorMarks,
  trace: { stack?: string } | undefined,
): unknown {
  const error = rebuilt(thrown, realm, enhanced);
  if (types.isNativeError(error)) joinStacks(error, thrown, trace);
  return marked(error, marks);
}

/** What the caller gets of an error that was found before anything was sent. */
export function errorAtCaller(error: unknown, realm: Realm): unknown {
  return isDomException(error) ? newDomException(realm, error.message, error.name) : error;
}

function marked(error: unknown, marks: ErrorMarks): unknown {
  if (typeof error !== "object" || error === null) return error;
  for (const [name, value] of Object.entries(marks)) {
    Object.defineProperty(error, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return error;
}

function rebuilt(thrown: unknown, realm: Realm, enhanced: boolean): unknown {
  if (typeof thrown !== "object" || thrown === null) return realm.make(Error, textOf(thrown));
  if (isDomException(thrown)) return newDomException(realm, thrown.message, thrown.name);
  if (types.isNativeError(thrown)) return rebuiltError(thrown, realm, enhanced);
  if (enhanced && !(thrown instanceof RpcTarget)) {
    try {
      return copyPlainly(thrown, realm);
    } catch {
      // It has to be described instead.
    }
  }
  return realm.make(Error, textOf(thrown));
}

function rebuiltError(thrown: Error, realm: Realm, enhanced: boolean): Error {
  const name = nameOf(thrown);
  const message = messageOf(thrown);
  const Kind = kindOf(name);
  if (!enhanced && Kind === undefined) return newError(realm, Kind, headOf({ name, message }));
  if (!enhanced) return newError(realm, Kind, message);
  const error = newError(realm, Kind, message);
  try {
    copyProperties(thrown, error, (value) => copyPlainly(value, realm), Kind === undefined);
  } catch {
    return newError(realm, Kind, message);
  }
  return error;
}

/** How V8 names a value in a message, without running user code where that can be avoided. */
export function textOf(value: unknown): string {
  if (typeof value === "function") return Function.prototype.toString.call(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "[object Array]";
  if (types.isGeneratorObject(value)) return "[object Generator]";
  return `#<${constructorName(value)}>`;
}

/** Between the caller's frames and the callee's. */
const MARKER = "    --- called in the object ---";

function joinStacks(error: Error, thrown: unknown, trace: { stack?: string } | undefined): void {
  const frames = [framesOf(trace?.stack)];
  const inner = types.isNativeError(thrown) ? framesOf(thrown.stack) : "";
  if (inner !== "") frames.push(MARKER, inner);
  const stack = [headOf(error), ...frames].filter(Boolean).join("\n");
  Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
}

function framesOf(stack: unknown): string {
  if (typeof stack !== "string") return "";
  const start = stack.search(/^ {4}at /m);
  return start < 0 ? "" : stack.slice(start);
}
