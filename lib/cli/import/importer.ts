/** Writes the objects of one place to another, in large commits and several objects at once. */

import { checkDepth } from "../../codec";
import { limits } from "../../native/addon";
import type { StoredEntry, StoredObjects } from "../../native/raw-objects";
import { lineOf } from "../errors";

/** A value where it comes from. */
export interface ImportValue {
  key: string;
  /** Names the value in reports. */
  where: string;
  read(): Promise<Buffer>;
}

export interface ImportObject {
  name: string;
  id: string;
  /** Names the object in reports. */
  where: string;
  read(): Promise<{ alarm: number | undefined; values: ImportValue[] }>;
}

/** A commit ends when it holds this much, in bytes, or this many keys. */
const COMMIT_BYTES = 8 * 1024 * 1024;
const COMMIT_KEYS = 4096;
/** Objects at once: each waits for the disk most of the time. */
const OBJECTS_AT_ONCE = 8;

interface Counts {
  objects: number;
  keys: number;
  alarms: number;
}

export class Importer {
  readonly #target: StoredObjects;
  readonly #overwrite: boolean;
  readonly #print: (line: string) => void;
  /** What the source has and the target has now. */
  readonly found: Counts = { objects: 0, keys: 0, alarms: 0 };
  /** What of it the target had before. */
  readonly present: Counts = { objects: 0, keys: 0, alarms: 0 };
  problems = 0;

  /** `print` gets a line for each problem. */
  constructor(target: StoredObjects, overwrite: boolean, print: (line: string) => void) {
    this.#target = target;
    this.#overwrite = overwrite;
    this.#print = print;
  }

  /** Imports everything; what fails is reported, and the rest goes on. */
  async run(objects: AsyncGenerator<ImportObject>): Promise<void> {
    const importSome = async () => {
      for await (const object of objects) {
        try {
          await this.#import(object);
        } catch (error) {
          this.report(object.where, lineOf(error));
        }
      }
    };
    await Promise.all(Array.from({ length: OBJECTS_AT_ONCE }, importSome));
  }

  report(where: string, reason: string): void {
    this.problems++;
    this.#print(`${where}: ${reason}`);
  }

  async #import(object: ImportObject): Promise<void> {
    const { alarm, values } = await object.read();
    const before = this.found.keys + this.found.alarms;
    let entries: StoredEntry[] = [];
    let bytes = 0;
    for (let start = 0; start < values.length; start += limits.keysMax) {
      for (const entry of await this.#missing(
        object,
        values.slice(start, start + limits.keysMax),
      )) {
        entries.push(entry);
        bytes += entry[1].length;
      }
      if (bytes < COMMIT_BYTES && entries.length < COMMIT_KEYS) continue;
      await this.#write(object, entries);
      entries = [];
      bytes = 0;
    }
    await this.#write(object, entries, await this.#missingAlarm(object, alarm));
    if (this.found.keys + this.found.alarms > before) this.found.objects++;
  }

  async #write({ name, id }: ImportObject, entries: StoredEntry[], alarm?: number): Promise<void> {
    if (entries.length === 0 && alarm === undefined) return;
    await this.#target.write(name, id, entries, alarm);
    this.found.keys += entries.length;
    if (alarm !== undefined) this.found.alarms++;
  }

  /** Those of at most 128 values that have to be written, because the place does not hold them. */
  async #missing({ name, id }: ImportObject, values: ImportValue[]): Promise<StoredEntry[]> {
    const read: (ImportValue & { bytes: Buffer })[] = [];
    for (const value of values) {
      try {
        this.#target.checkKey(value.key);
        read.push({ ...value, bytes: withinLimit(await value.read()) });
      } catch (error) {
        this.report(value.where, lineOf(error));
      }
    }
    const keys = read.map(({ key }) => key);
    const present = await this.#target.values(name, id, keys);
    const missing: StoredEntry[] = [];
    for (const { key, bytes, where } of read) {
      const there = present.get(key);
      if (there?.equals(bytes)) {
        this.found.keys++;
        this.present.keys++;
      } else if (there === undefined || this.#overwrite) {
        missing.push([key, bytes]);
      } else {
        this.report(where, `${JSON.stringify(key)} has another value there, which was kept`);
      }
    }
    return missing;
  }

  async #missingAlarm(
    { name, id, where }: ImportObject,
    alarm: number | undefined,
  ): Promise<number | undefined> {
    if (alarm === undefined) return undefined;
    const there = await this.#target.alarm(name, id);
    if (there === alarm) {
      this.found.alarms++;
      this.present.alarms++;
    } else if (there === undefined || this.#overwrite) {
      return alarm;
    } else {
      this.report(where, "its alarm is set for another time there, which was kept");
    }
    return undefined;
  }
}

function withinLimit(bytes: Buffer): Buffer {
  const most = limits.valueBytesCeiling + limits.valueBytesSlack;
  checkDepth(bytes, 0, bytes.length);
  if (bytes.length <= most) return bytes;
  throw new RangeError(`its value of ${bytes.length} bytes is over the limit of ${most} bytes`);
}
