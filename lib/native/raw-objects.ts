/** Reads and writes whole objects as the bytes they are stored in, for the commands that maintain a directory. */

import { decode } from "../codec";
import { checkKey, durabilityTicket, LOST, limits, type ObjectHandle, type Store } from "./addon";
import { AttemptLostError, answer, decodeTexts } from "./answers";
import { packSized, packString, scratch } from "./packing";
import { RawDatabase } from "./raw-database";
import { inTransaction, PLAIN } from "./scope";
import { objectIds, openStore, recordedName, recordName } from "./stores";
import { awaitCode } from "./tickets";
import { Unpacker } from "./unpacking";

/** A key and its value, serialized. */
export type StoredEntry = [key: string, value: Buffer];

/** An object at one moment. */
export interface StoredObject {
  entries: Iterable<StoredEntry>;
  /** In milliseconds. */
  alarm: number | undefined;
}

/** A value that cannot be decoded keeps its bytes. */
export class UnreadableValue {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

/** The value that some bytes stand for, or an `UnreadableValue`. */
export function decoded(bytes: Buffer): unknown {
  try {
    return decode(bytes, 0, bytes.length);
  } catch {
    return new UnreadableValue(bytes);
  }
}

const NO_LIMIT = -1;
const NOTHING = Buffer.alloc(0);

export class StoredObjects {
  readonly #store: Store;

  private constructor(store: Store) {
    this.#store = store;
  }

  /**
   * # Errors
   * Those of the core, with `code`s that start with `ERR_STORAGE_`, if the directory cannot be used.
   */
  static open(place: string): StoredObjects {
    return new StoredObjects(openStore(place));
  }

  /** Names under which there may be objects, in order. */
  async names(): Promise<string[]> {
    return answer(this.#store.objectNames(scratch.bytes), decodeTexts, []);
  }

  async ids(name: string): Promise<string[]> {
    return objectIds(this.#store, name);
  }

  /** Pending alarms by id, in milliseconds, without opening the objects. */
  async alarms(name: string): Promise<Map<string, number>> {
    await awaitCode(this.#store.refreshAlarms([name]));
    return new Map(this.#store.alarmsOf([name]).map(({ id, timeMs }) => [id, timeMs]));
  }

  /** Whether an object is SQLite-backed. */
  async isSqlite(name: string, id: string): Promise<boolean> {
    return (await awaitCode(this.#object(name, id).isSqlite())) === 1;
  }

  /** Opens the database of an object that is SQLite-backed; the caller has to close it. */
  async database(name: string, id: string): Promise<RawDatabase> {
    return RawDatabase.open(this.#object(name, id));
  }

  /** Reads an object as it is at one moment, in one piece: its bytes have to fit into memory. */
  async read(name: string, id: string): Promise<StoredObject> {
    const object = this.#object(name, id);
    if (await this.isSqlite(name, id)) return readOpened(object);
    const transaction = await awaitCode(object.begin(PLAIN));
    try {
      for (;;) {
        const read = await readOnce(object, transaction);
        if (read !== undefined) return read;
        await awaitCode(object.retry(transaction, PLAIN));
      }
    } finally {
      object.end(transaction);
    }
  }

  /** The values of those of some keys, at most 128, that exist. */
  async values(name: string, id: string, keys: string[]): Promise<Map<string, Buffer>> {
    scratch.reset();
    for (const key of keys) packString(key);
    const code = this.#object(name, id).getMany(scratch.bytes, scratch.length, PLAIN);
    const found = await answer(code, copied, NOTHING);
    const values = new Map<string, Buffer>();
    for (const packed = new Unpacker(found, found.length); !packed.atEnd; ) {
      const key = keys[packed.number()]!;
      values.set(key, packed.bytes());
    }
    return values;
  }

  async alarm(name: string, id: string): Promise<number | undefined> {
    const alarm = await awaitCode(this.#object(name, id).getAlarm(PLAIN));
    return Number.isNaN(alarm) ? undefined : alarm;
  }

  /** # Errors A `RangeError` of the core for a key that is too large. */
  checkKey(key: string): void {
    checkKey(key);
  }

  /**
   * Stores any number of entries, and the alarm if one is given, in one durable commit.
   *
   * # Errors
   * A `RangeError` of the core for a key or a value that is too large; then nothing is stored.
   */
  async write(name: string, id: string, entries: StoredEntry[], alarm?: number): Promise<void> {
    const object = this.#object(name, id);
    const written: Promise<number>[] = [];
    try {
      for (let start = 0; start < entries.length; start += limits.keysMax) {
        const batch = entries.slice(start, start + limits.keysMax);
        scratch.reset();
        for (const [key, value] of batch) {
          packString(key);
          packSized(() => {
            scratch.writeBytes(value);
            return value.length;
          });
        }
        written.push(awaitCode(object.putMany(batch.length, scratch.bytes, scratch.length, PLAIN)));
      }
    } finally {
      scratch.trim();
    }
    if (alarm !== undefined) written.push(awaitCode(object.setAlarm(alarm, PLAIN)));
    await durable(object, written);
  }

  /** Removes an object's keys, its alarm and its name. */
  async delete(name: string, id: string): Promise<void> {
    const object = this.#object(name, id);
    if (await this.isSqlite(name, id)) await emptied(await RawDatabase.open(object));
    else await durable(object, [awaitCode(object.deleteAll(PLAIN))]);
    await recordName(this.#store, name, id, null);
  }

  /** The name that an object of a modern class is called by, if it was ever used by one. */
  async called(name: string, id: string): Promise<string | undefined> {
    return recordedName(this.#store, name, id);
  }

  async close(): Promise<void> {
    await awaitCode(this.#store.close());
  }

  #object(name: string, id: string): ObjectHandle {
    return this.#store.object(name, id, limits.valueBytesCeiling);
  }
}

/** Reads everything in an attempt of a transaction; nothing if the attempt has lost. */
async function readOnce(
  object: ObjectHandle,
  transaction: number,
): Promise<StoredObject | undefined> {
  try {
    const list = object.list(0, NO_LIMIT, scratch.bytes, 0, inTransaction(transaction));
    const bytes = await answer(list, copied, NOTHING);
    const alarm = await awaitCode(object.getAlarm(inTransaction(transaction)));
    if (alarm === LOST || (await awaitCode(object.commit(transaction, true))) === LOST)
      return undefined;
    return { entries: packedEntries(bytes), alarm: Number.isNaN(alarm) ? undefined : alarm };
  } catch (error) {
    if (error instanceof AttemptLostError) return undefined;
    throw error;
  }
}

/** Reads everything of a SQLite-backed object: nothing is written between two calls that answer at once. */
async function readOpened(object: ObjectHandle): Promise<StoredObject> {
  const database = await RawDatabase.open(object);
  try {
    const list = object.list(0, NO_LIMIT, scratch.bytes, 0, PLAIN);
    const bytes = await answer(list, copied, NOTHING);
    const alarm = await awaitCode(object.getAlarm(PLAIN));
    return { entries: packedEntries(bytes), alarm: Number.isNaN(alarm) ? undefined : alarm };
  } finally {
    await database.close();
  }
}

async function emptied(database: RawDatabase): Promise<void> {
  try {
    await database.empty();
  } finally {
    await database.close();
  }
}

function copied(bytes: Buffer, length: number): Buffer {
  return Buffer.from(bytes.subarray(0, length));
}

/** Takes a list apart: key, value, key, value... */
function* packedEntries(bytes: Buffer): Generator<StoredEntry> {
  for (const packed = new Unpacker(bytes, bytes.length); !packed.atEnd; ) {
    yield [packed.text(), packed.bytes()];
  }
}

/** Waits until writes are durable; an answer has to be waited for as soon as it is asked for. */
async function durable(object: ObjectHandle, written: Promise<number>[]): Promise<void> {
  object.seal();
  const tickets = (await Promise.all(written)).map(durabilityTicket);
  object.seal();
  await awaitCode(object.durable(Math.max(0, ...tickets)));
}
