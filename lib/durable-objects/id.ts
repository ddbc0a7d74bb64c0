/** Identifies one object: the id that workers hold, and the key `NAME:<64 hex digits>` that data and alarms have. */
import { received } from "../shared/error";
import { kObjectName } from "../shared/symbols";

export class DurableObjectId {
  readonly [kObjectName]: string;
  readonly #hexId: string;
  /** Only of ids that were made for a jurisdiction. */
  declare readonly jurisdiction?: string;

  constructor(
    objectName: string,
    hexId: string,
    /** What `idFromName()` was called with; the id that an object of a classic class sees has no name. */
    readonly name?: string,
    jurisdiction?: string,
  ) {
    this[kObjectName] = objectName;
    this.#hexId = hexId;
    if (jurisdiction !== undefined) Object.assign(this, { jurisdiction });
  }

  equals(other: DurableObjectId): boolean {
    return other instanceof DurableObjectId && this.#hexId === other.#hexId;
  }

  toString(): string {
    return this.#hexId;
  }
}

/** What may stand for an id in calls from outside a worker: also a test double, which has no object name. */
export interface IdLike {
  readonly [kObjectName]?: string;
  toString(): string;
}

export interface ObjectAddress {
  name: string;
  id: string;
}

/** # Errors A `TypeError` for what is neither an id nor an object whose own class or literal says how it becomes a string. */
export function addressOf(id: IdLike): ObjectAddress {
  if (!(id instanceof DurableObjectId) && !hasOwnText(id)) throw notAnId(id);
  const text: unknown = id.toString();
  if (typeof text !== "string") throw notAnId(text);
  return { name: String(id[kObjectName]), id: text };
}

/** Whether `toString()` of a value is written by a program: that of built-in classes says nothing of an id. */
function hasOwnText(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  let owner: object | null = value;
  while (owner !== null && !Object.hasOwn(owner, "toString")) owner = Object.getPrototypeOf(owner);
  return owner !== null && !isBuiltIn(owner);
}

/** Whether an object is the prototype of a built-in class, of any realm. */
function isBuiltIn(prototype: object): boolean {
  const maker: unknown = Object.hasOwn(prototype, "constructor") && prototype.constructor;
  return typeof maker === "function" && /\{\s*\[native code\]\s*\}$/.test(toText.call(maker));
}

const { toString: toText } = Function.prototype;

function notAnId(value: unknown): TypeError {
  return new TypeError(`Not a Durable Object ID: received ${received(value)}. ${hintFor(value)}`);
}

function hintFor(value: unknown): string {
  if (typeof value === "string") {
    return "Make one of a string with idFromString() or idFromName() of the namespace.";
  }
  const { id } = Object(value) as { id?: unknown };
  if (id instanceof DurableObjectId) return 'A stub has it as "id": pass stub.id.';
  return "Pass what idFromName(), idFromString() or newUniqueId() of the namespace returns.";
}

export function keyOf({ name, id }: ObjectAddress): string {
  return `${name}:${id}`;
}

/** Like `keyOf()`, but no two addresses have the same, whatever stands for an id. */
export function cacheKeyOf({ name, id }: ObjectAddress): string {
  return `${name.length}:${name}:${id}`;
}

export function addressOfCacheKey(key: string): ObjectAddress {
  const start = key.indexOf(":") + 1;
  const end = start + Number.parseInt(key, 10);
  return { name: key.slice(start, end), id: key.slice(end + 1) };
}

/** Takes a key apart at its last colon, because names may contain colons; without one all of it is the id. */
export function addressOfKey(key: string): ObjectAddress {
  const colon = key.lastIndexOf(":");
  return { name: key.slice(0, Math.max(colon, 0)), id: key.slice(colon + 1) };
}
