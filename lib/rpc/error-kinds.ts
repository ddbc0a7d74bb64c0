/** The kinds of errors that survive a copy, and how one is constructed in a realm. */
import { DOMException as WorkerDOMException } from "@miniflare/core";
import { HOST, type Realm } from "./realm";

type ErrorClass = new (message?: string) => Error;

/** The kinds of errors that are constructed again; every other one becomes an `Error`. */
const KINDS = new Map<string, ErrorClass>([
  ["Error", Error],
  ["EvalError", EvalError],
  ["RangeError", RangeError],
  ["ReferenceError", ReferenceError],
  ["SyntaxError", SyntaxError],
  ["TypeError", TypeError],
  ["URIError", URIError],
]);

/** Own properties that are not copied: the first two are given to the constructor, the marks are made again. */
const MADE = new Set(["message", "stack", "remote", "durableObjectId", "durableObjectReset"]);

/** Contexts that this is loaded in need not have one. */
const HostDOMException = globalThis.DOMException ?? WorkerDOMException;

/** Miniflare gives workers a class of its own; the host's may be replaced in tests. */
export function newDomException(realm: Realm, message: string, name: string): Error {
  const Class = (realm === HOST && globalThis.DOMException) || WorkerDOMException;
  return new Class(message, name);
}

export function isDomException(value: unknown): value is DOMException {
  return value instanceof HostDOMException || value instanceof WorkerDOMException;
}

export function dataCloneError(message: string): DOMException {
  return new HostDOMException(message, "DataCloneError");
}

export function notSerializable(object: object): DOMException {
  return dataCloneError(
    `Could not serialize object of type "${constructorName(object)}". This type does not support serialization.`,
  );
}

export function constructorName(object: object): string {
  const name: unknown = object.constructor?.name;
  if (typeof name !== "string" || name === "") return "Object";
  // Some classes of Miniflare's have a name that makes way for a global.
  return name.startsWith("_") ? name.slice(1) : name;
}

/** Copies what a user has added to an error; its name only if the kind does not say it. */
export function copyProperties(
  from: Error,
  to: Error,
  copy: (value: unknown) => unknown,
  withName: boolean,
): void {
  for (const key of Object.getOwnPropertyNames(from)) {
    if (MADE.has(key) || (key === "name" && !withName)) continue;
    const value = copy((from as unknown as Record<string, unknown>)[key]);
    Object.defineProperty(to, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
}

/** The first line of an error's stack. */
export function headOf({ name, message }: { name: string; message: string }): string {
  return message === "" ? name : `${name}: ${message}`;
}

export function nameOf(error: Error): string {
  return String(error.name);
}

export function messageOf(error: Error): string {
  const message: unknown = error.message;
  return typeof message === "string" ? message : "";
}

/** The class that errors of this name are constructed of, if it is one of the language's own. */
export function kindOf(name: string): string | undefined {
  return KINDS.has(name) || ownKind(name) !== undefined ? name : undefined;
}

export function newError(realm: Realm, kind: string | undefined, message: string): Error {
  const known = KINDS.get(kind ?? "Error");
  if (known !== undefined) return realm.make(known, message);
  const error = realm.make(ownKind(kind!)!, [], message);
  for (const made of ["errors", "error", "suppressed"]) Reflect.deleteProperty(error, made);
  Object.defineProperty(error, "message", { value: message, writable: true, configurable: true });
  return error;
}

/** Errors about errors, whose constructors take more than a message. */
function ownKind(name: string): (new (...args: unknown[]) => Error) | undefined {
  if (name !== "AggregateError" && name !== "SuppressedError") return undefined;
  return Reflect.get(globalThis, name);
}
