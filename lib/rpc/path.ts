/** Finds what a call or a property names, by the rules for what callers may see of an object. */
import { types } from "node:util";
import { isObjectPrototype } from "../codec/ordinary";
import { emulatesTarget } from "./copy";
import { refOf } from "./refs";
import { isBase, RpcTarget } from "./target";

/** An object that is reached without having been passed: only its class's members are visible. */
export interface Root {
  value: unknown;
  /** Names that only the system may call; none for what was passed. */
  reserved?: ReadonlySet<string>;
}

/** What a path leads to: a value with the object that holds it, at least itself, or a stub with the rest of the path. */
export type Found =
  | { kind: "value"; value: unknown; holder: unknown }
  | { kind: "stub"; stub: object; rest: readonly string[] };

/** Names of every `RpcTarget` that only the system may call. */
const RESERVED_OF_TARGETS: ReadonlySet<string> = new Set(["dup", "constructor"]);

/**
 * # Errors
 * A `TypeError` for a name that is reserved, or that callers cannot see.
 */
export function find({ value: root, reserved }: Root, path: readonly string[]): Found {
  let holder = root;
  let value = root;
  for (let i = 0; i < path.length; i++) {
    if (isStub(value)) return { kind: "stub", stub: value, rest: path.slice(i) };
    const name = path[i]!;
    if (i > 0 && !isHolder(value)) throw missing(path[i - 1]!);
    holder = value;
    value = member(value, name, i === 0 ? reserved : undefined);
  }
  if (isStub(value)) return { kind: "stub", stub: value, rest: [] };
  return { kind: "value", value, holder };
}

export function notCallable(path: readonly string[]): TypeError {
  return new TypeError(`"${path.length === 0 ? "(this)" : path.join(".")}" is not a function.`);
}

function missing(name: string): TypeError {
  return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

function isStub(value: unknown): value is object {
  if (typeof value !== "object" && typeof value !== "function") return false;
  return value !== null && refOf(value) !== undefined;
}

/** Whether callers can see anything of a value. */
function isHolder(value: unknown): value is object {
  if (typeof value === "function") return true;
  if (typeof value !== "object" || value === null) return false;
  if (types.isProxy(value)) return isStub(value) || emulatesTarget(value);
  return isPlain(value) || value instanceof RpcTarget;
}

/** Whether a user's proxy emulates a plain object. */
function isPlainProxy(object: object): boolean {
  return types.isProxy(object) && isObjectPrototype(Object.getPrototypeOf(object));
}

/** Whether the own properties of an object are its public ones. */
function isPlain(value: object): boolean {
  if (typeof value === "function") return true;
  return !types.isProxy(value) && isObjectPrototype(Object.getPrototypeOf(value));
}

function member(value: unknown, name: string, reserved: ReadonlySet<string> | undefined): unknown {
  if (reserved === undefined && !isHolder(value)) throw missing(name);
  const object = value as Record<string, unknown>;
  if (reserved === undefined && (isPlain(object) || isPlainProxy(object))) {
    if (Object.hasOwn(object, name)) return object[name];
    throw missing(name);
  }
  if ((reserved ?? RESERVED_OF_TARGETS).has(name)) {
    throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  }
  if (reserved === undefined && types.isProxy(object)) return shown(object, name);
  if (Object.hasOwn(object, name) || !isClassMember(object, name)) throw missing(name);
  return object[name];
}

/** What a user's proxy shows under a name: its handler decides. */
function shown(proxy: Record<string, unknown>, name: string): unknown {
  const value = name in Object.prototype ? undefined : proxy[name];
  if (value === undefined) throw missing(name);
  return value;
}

/** Whether a class of the object's, other than the bases of this package, defines a name. */
function isClassMember(object: object, name: string): boolean {
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    if (isBase(at) || isObjectPrototype(at)) return false;
    if (Object.hasOwn(at, name)) return true;
  }
  return false;
}
