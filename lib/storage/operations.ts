/** Storage operations on a native object: checks and packs arguments, and decodes answers. */

import { encode, ValueTooDeepError } from "../codec";
import { checkKey, checkKeyCount, type ObjectHandle } from "../native/addon";
import { type Answer, answer, decodeEntries, decodeFound, decodeValue } from "../native/answers";
import { packSized, packString, scratch } from "../native/packing";
import type { Scope } from "../native/scope";

/** What `list()` takes, apart from the options about gates. */
export interface ListOptions {
  start?: string;
  startAfter?: string;
  end?: string;
  prefix?: string;
  reverse?: boolean;
  limit?: number;
}

const PUT_MESSAGE =
  "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with multiple key-value pairs and optional options as put(entries, options)";

/** The `flags` of the native `list()`. */
const START = 1;
const START_AFTER = 2;
const END = 4;
const PREFIX = 8;
const REVERSE = 16;

/** Refuses `undefined` as the key of an operation, in the words of production. */
export function checkDefined(key: unknown, method: string, owner: string): void {
  if (key === undefined) {
    throw new TypeError(
      `Failed to execute '${method}' on '${owner}': parameter 1 is not of type 'variant'. (key is undefined)`,
    );
  }
}

/** Reads one key (its value, or `undefined`) or several (a Map in key order). */
export function get(object: ObjectHandle, keys: unknown, scope: Scope): Answer<unknown> {
  if (typeof keys === "string") {
    return answer(object.get(keys, scratch.bytes, scope), decodeValue, undefined);
  }
  const wanted = packKeys("get", keys);
  const code = object.getMany(scratch.bytes, scratch.length, scope);
  return answer(code, (bytes, length) => decodeFound(bytes, length, wanted), new Map());
}

/** Lists a range, as a Map in the order of the walk. */
export function list(object: ObjectHandle, options: ListOptions, scope: Scope): Answer<unknown> {
  const { flags, limited } = packListOptions(options);
  const code = object.list(flags, limited, scratch.bytes, scratch.length, scope);
  return answer(code, decodeEntries, new Map());
}

/** Packs the bounds of a list, and gives the `flags` and the limit for the core: -1 for none. */
export function packListOptions(options: ListOptions): { flags: number; limited: number } {
  const { limit, start, startAfter, end, prefix, reverse } = options;
  if (limit !== undefined && limit <= 0) throw new TypeError("List limit must be positive.");
  if (start !== undefined && startAfter !== undefined) {
    throw new TypeError("list() cannot be called with both start and startAfter values.");
  }
  const limited = limit === undefined ? -1 : Math.trunc(+limit) || 0;
  const bounds = [start, startAfter, end, prefix].map((bound) =>
    bound === undefined ? undefined : `${bound}`,
  );
  let flags = reverse ? REVERSE : 0;
  scratch.reset();
  for (const [bit, bound] of bounds.entries()) {
    if (bound === undefined) continue;
    packString(bound);
    flags |= [START, START_AFTER, END, PREFIX][bit]!;
  }
  return { flags, limited };
}

/** Refuses a value that is not to be stored. */
export type Check = (value: unknown) => void;

/** Stores one value, or the pairs of an object. Returns the number of the native write. */
export function put(
  object: ObjectHandle,
  keyEntries: unknown,
  value: unknown,
  scope: Scope,
  check?: Check,
): number {
  try {
    if (typeof keyEntries === "string") return putOne(object, keyEntries, value, scope, check);
    if (typeof keyEntries !== "object" || keyEntries === null || Array.isArray(keyEntries)) {
      throw new TypeError(PUT_MESSAGE);
    }
    return putEntries(object, Object.entries(keyEntries), scope, check);
  } finally {
    scratch.trim();
  }
}

/** Removes one key, or several. Returns the number of the native write. */
export function remove(object: ObjectHandle, keys: unknown, scope: Scope): number {
  if (typeof keys === "string") return object.delete(keys, scope);
  packKeys("delete", keys);
  return object.deleteMany(scratch.bytes, scratch.length, scope);
}

function putOne(
  object: ObjectHandle,
  key: string,
  value: unknown,
  scope: Scope,
  check: Check | undefined,
): number {
  if (value === undefined) {
    checkKey(key);
    throw new TypeError("put() called with undefined value.");
  }
  scratch.reset();
  try {
    encode(value, scratch, check);
  } catch (error) {
    checkKey(key);
    throw error;
  }
  return object.put(key, scratch.bytes, scratch.length, scope);
}

function putEntries(
  object: ObjectHandle,
  entries: [string, unknown][],
  scope: Scope,
  check: Check | undefined,
): number {
  const count = entries.length;
  scratch.reset();
  object.checkPairs(count, scratch.bytes, 0);
  for (const [key, value] of entries) {
    const start = packString(key);
    const valueStart = scratch.length;
    // The first pair that is wrong in any way is the one that counts.
    const checkSoFar = () => {
      scratch.length = valueStart;
      scratch.u32(0);
      object.checkPairs(count, scratch.bytes, scratch.length);
    };
    if (value === undefined) {
      checkSoFar();
      scratch.length = start;
      continue;
    }
    try {
      packSized(() => encode(value, scratch, check));
    } catch (error) {
      checkSoFar();
      if (!(error instanceof ValueTooDeepError)) throw error;
      throw new ValueTooDeepError(`Value for key "${key}" is`, error.cause);
    }
  }
  return object.putMany(count, scratch.bytes, scratch.length, scope);
}

/** Packs the keys of an array that are not undefined, and returns them. Reading them may run the user's code. */
function packKeys(method: string, keys: unknown): string[] {
  if (!Array.isArray(keys)) throw keyTypeError(method, keys);
  checkKeyCount(keys.length);
  const wanted: string[] = [];
  for (const key of keys) {
    if (key === undefined) continue;
    if (typeof key !== "string") throw keyTypeError(method, key);
    wanted.push(key);
  }
  scratch.reset();
  for (const key of wanted) packString(key);
  return wanted;
}

function keyTypeError(method: string, key: unknown): TypeError {
  const type =
    key === null ? "null" : Array.isArray(key) ? "an array" : `a value of type ${typeof key}`;
  return new TypeError(
    `${method}() takes a key, which is a string, or an array of keys, but it received ${type}.`,
  );
}
