/** `storage.kv` of a SQLite-backed object: its keys and values, without promises. */
import { encode } from "../../codec";
import { durabilityTicket, type ObjectHandle, removedKeys } from "../../native/addon";
import { scratch } from "../../native/packing";
import { PLAIN } from "../../native/scope";
import { CURSOR, entryOf, ROWS, sqlBuffer, sqlReply } from "../../native/sql";
import { get, type ListOptions, packListOptions } from "../operations";
import { type OpenCursor, watchCursor } from "./abandoned";
import type { Database } from "./database";
import { ITERATOR } from "./iterator";
import { likeProduction, wrongArgument } from "./shape";
import { checkStorable } from "./storable";

const OWNER = "SyncKvStorage";
const INVALIDATED =
  "kv.list() iterator was invalidated because a new call to kv.list() was started. Only one kv.list() iterator can exist at a time.";

export class SyncKvStorage {
  readonly #database: Database;
  readonly #lists: KvLists;

  constructor(database: Database, lists: KvLists) {
    this.#database = database;
    this.#lists = lists;
  }

  get(...given: [key: string]): unknown {
    const key = this.#key("get", given);
    return get(this.#database.use(), key, PLAIN);
  }

  list(...given: [options?: ListOptions]): ListIterator {
    const [options] = given;
    if (options !== undefined && options !== null && typeof options !== "object") {
      throw this.#wrong("list", 1, "ListOptions");
    }
    return this.#lists.begin(this.#database, options ?? {});
  }

  put(...given: [key: string, value: unknown]): void {
    const key = this.#key("put", given);
    if (given.length < 2) throw this.#wrong("put", 2, "JsValue");
    scratch.reset();
    try {
      encodeFor(given[1]);
      const handle = this.#database.use();
      this.#wrote(handle.put(key, scratch.bytes, scratch.length, PLAIN));
    } catch (failure) {
      throw this.#database.thrown(failure);
    } finally {
      scratch.trim();
    }
  }

  delete(...given: [key: string]): boolean {
    const key = this.#key("delete", given);
    const code = this.#database.use().delete(key, PLAIN);
    this.#wrote(code);
    return removedKeys(code) > 0;
  }

  #wrote(code: number): void {
    this.#database.wrote(durabilityTicket(code));
  }

  #key(method: string, given: unknown[]): string {
    if (given.length === 0) throw this.#wrong(method, 1, "string");
    return `${given[0]}`;
  }

  #wrong(method: string, position: number, type: string): Error {
    const { message } = wrongArgument(method, OWNER, position, type);
    return this.#database.error(message, TypeError);
  }
}
likeProduction(SyncKvStorage, OWNER);

function encodeFor(value: unknown): void {
  try {
    encode(value, scratch, checkStorable);
  } catch (failure) {
    throw cloneError(failure);
  }
}

/** What `node:v8` throws for a value that cannot be stored, as the `DOMException` that it is elsewhere. */
export function cloneError(failure: unknown): unknown {
  const { name, message } = Object(failure) as { name?: unknown; message?: unknown };
  const isPlain = name === "Error" && typeof message === "string";
  if (!isPlain || !message.endsWith(" could not be cloned.")) return failure;
  // V8 of a worker says so of objects of its own realm.
  const production = message
    .replace(/^\[object (\w+)\](?= could)/, "#<$1>")
    .replace(/^#<(Symbol|Generator)>/, "[object $1]");
  return new DOMException(production, "DataCloneError");
}

/** # Errors A `TypeError` for options that make no sense. A list that is refused ends no other. */
export function checkListOptions(database: Database, options: ListOptions): void {
  const { start, startAfter, limit } = options;
  if (start !== undefined && startAfter !== undefined) {
    const text = "list() cannot be called with both start and startAfter values.";
    throw database.error(text, TypeError);
  }
  if (limit !== undefined && !(limit > 0)) {
    throw database.error("List limit must be positive.", TypeError);
  }
}

/** The one list of keys that can be walked at a time. */
export class KvLists {
  #walked: ListIterator | undefined;

  begin(database: Database, options: ListOptions): ListIterator {
    checkListOptions(database, options);
    const { flags, limited } = packListOptions(options);
    sqlBuffer.reset();
    sqlBuffer.writeBytes(scratch.bytes.subarray(0, scratch.length));
    const handle = database.use();
    this.end();
    let code: number;
    try {
      code = handle.sqlList(flags, limited, sqlBuffer.bytes, sqlBuffer.length);
    } catch (failure) {
      throw database.thrown(failure);
    }
    this.#walked = new ListIterator(database, handle, sqlReply(handle, code)[CURSOR]!);
    return this.#walked;
  }

  /** Another list is read: the one that is walked ends. */
  end(): void {
    this.#walked?.[kInvalidate]();
    this.#walked = undefined;
  }
}

const kInvalidate = Symbol("kInvalidate");

/** Pairs of a key and its value, each read when it is asked for. */
export class ListIterator {
  readonly #database: Database;
  readonly #handle: ObjectHandle;
  readonly #cursor: { id: number } & OpenCursor;
  /** The first pair, which is read when the list begins. */
  #first: IteratorResult<unknown> | undefined;
  #invalidated = false;
  /** Whether the program knows that it is at its end, or no key was ever stored. */
  #ended: boolean;

  constructor(database: Database, handle: ObjectHandle, id: number) {
    this.#database = database;
    this.#handle = handle;
    this.#cursor = { id };
    this.#ended = id === 0;
    if (id !== 0) watchCursor(this.#cursor, handle);
    this.#first = this.#step();
  }

  next(): IteratorResult<unknown> {
    if (this.#invalidated) throw this.#database.error(INVALIDATED);
    const result = this.#first ?? this.#step();
    this.#first = undefined;
    this.#ended = result.done === true;
    return result;
  }

  #step(): IteratorResult<unknown> {
    const { Step } = this.#database.kit;
    const { id } = this.#cursor;
    if (id === 0) return new Step(true, undefined);
    this.#cursor.id = 0;
    let reply: Float64Array;
    try {
      const handle = this.#database.use();
      reply = sqlReply(handle, handle.sqlNext(id, 1, sqlBuffer.bytes));
    } catch (failure) {
      throw this.#database.thrown(failure);
    }
    this.#cursor.id = reply[CURSOR]!;
    if (reply[ROWS] === 0) return new Step(true, undefined);
    const entry = entryOf(reply);
    const pair = this.#database.kit.array(2);
    pair[0] = entry[0];
    pair[1] = entry[1];
    return new Step(false, pair);
  }

  [Symbol.iterator](): this {
    return this;
  }

  [kInvalidate](): void {
    const { id } = this.#cursor;
    // One that has said its end stays there.
    if (this.#ended) return;
    this.#cursor.id = 0;
    this.#invalidated = true;
    if (id !== 0) this.#handle.sqlClose(id);
  }
}
Object.setPrototypeOf(ListIterator.prototype, ITERATOR);
likeProduction(ListIterator, "ListIterator");
