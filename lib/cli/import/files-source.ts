/** Reads the objects of a directory to import: those of Miniflare 2, and those of this package beside them. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { checkDepth } from "../../codec";
import { decoded, StoredObjects, UnreadableValue } from "../../native/raw-objects";
import { lineOf } from "../errors";
import type { ImportObject } from "./importer";
import { oldObjects } from "./miniflare2/files";

/** Takes what cannot be read. */
export interface Reporter {
  report(where: string, reason: string): void;
}

export interface Source {
  objects(reporter: Reporter): AsyncGenerator<ImportObject>;
  /**
   * Files that are no object's data, and what they are instead. The list is complete when the objects have been read.
   */
  readonly foreign: [where: string, what: string][];
  /** Ends the use of the place, when its objects have been read. */
  close(): Promise<void>;
}

/** A directory. */
export class FilesSource implements Source {
  readonly #from: string;
  #own: StoredObjects | undefined;
  readonly foreign: [file: string, what: string][] = [];

  constructor(from: string) {
    this.#from = from;
  }

  async *objects(reporter: Reporter): AsyncGenerator<ImportObject> {
    let own = existsSync(path.join(this.#from, ".ferroflare"));
    const findings = {
      unreadable: (file: string, reason: string) => reporter.report(file, reason),
      foreign: (file: string, what: string) => this.foreign.push([file, what]),
      database: () => {
        own = true;
      },
    };
    for await (const { name, id, directory, alarm, entries } of oldObjects(this.#from, findings)) {
      const values = entries.map(({ key, file }) => ({
        key,
        where: file,
        read: async () => oldValue(await readFile(file)),
      }));
      yield { name, id, where: directory, read: async () => ({ alarm, values }) };
    }
    if (!own) return;
    try {
      this.#own = StoredObjects.open(this.#from);
      yield* ownObjects(this.#own, this.#from);
    } catch (error) {
      reporter.report(this.#from, lineOf(error));
    }
  }

  async close(): Promise<void> {
    await this.#own?.close();
  }
}

/** The objects of this package in a place that is shown as `from`. */
export async function* ownObjects(
  objects: StoredObjects,
  from: string,
): AsyncGenerator<ImportObject> {
  for (const name of await objects.names()) {
    for (const id of await objects.ids(name)) {
      const where = `${from} ${name} ${id}`;
      yield { name, id, where, read: () => readOwn(objects, name, id, where) };
    }
  }
}

async function readOwn(
  objects: StoredObjects,
  name: string,
  id: string,
  where: string,
): ReturnType<ImportObject["read"]> {
  try {
    const { entries, alarm } = await objects.read(name, id);
    const values = Array.from(entries, ([key, bytes]) => ({
      key,
      where: `${where} ${JSON.stringify(key)}`,
      read: async () => bytes,
    }));
    return { alarm, values };
  } catch (error) {
    // Data of Miniflare 2 in the object has been found by the reader for it.
    if ((error as { code?: unknown }).code === "ERR_STORAGE_OLD_DATA") {
      return { alarm: undefined, values: [] };
    }
    throw error;
  }
}

/**
 * The bytes of a value of Miniflare 2: V8's format, as here.
 *
 * # Errors
 * An `Error` that says what they are instead.
 */
export function oldValue(bytes: Buffer): Buffer {
  if (bytes.length === 0) throw new Error("it is empty");
  checkDepth(bytes, 0, bytes.length);
  if (decoded(bytes) instanceof UnreadableValue) {
    throw new Error("it holds no value that Miniflare 2 has written");
  }
  return bytes;
}
