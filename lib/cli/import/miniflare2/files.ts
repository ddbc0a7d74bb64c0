/**
 * Reads directories that Miniflare 2 has written: a file for each key, at `<NAME>/<id>/<key>`.
 *
 * Names and keys are made safe for the file system by `@miniflare/shared`'s `sanitisePath()`, which is not reversible.
 * Where that changed a key, a file `<key>.meta.json` beside it holds the original; of names only the hash in the id is
 * left. The key "" makes a file of the object itself. An alarm is an empty file `__MINIFLARE_ALARMS__` in its object,
 * with such a side file. The directory of that name holds a copy of the same form, which `deleteAll()` forgets to
 * remove.
 */
import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { ALARM_KEY } from "../../../shared/alarm-key";
import { originalName } from "./names";

const META_SUFFIX = ".meta.json";
/** Our own corner of a directory. */
const OWN_DIRECTORY = ".ferroflare";
/** What `sanitisePath()` cuts a path to. */
const PATH_CHARS_MAX = 255;
const NO_OBJECT = "it belongs to no object";

export interface OldEntry {
  key: string;
  file: string;
}

export interface OldObject {
  name: string;
  id: string;
  directory: string;
  alarm: number | undefined;
  entries: OldEntry[];
}

/** What the reader meets beside objects. */
export interface Findings {
  /** Something that belongs to an object and cannot be read. */
  unreadable(file: string, reason: string): void;
  /** A file that is no object's data. */
  foreign(file: string, what: string): void;
  /** The database of an object of ours. */
  database(directory: string): void;
}

/** The objects below `root`, in no particular order, as they are found. */
export async function* oldObjects(root: string, findings: Findings): AsyncGenerator<OldObject> {
  const alarms = await readAlarms(path.join(root, ALARM_KEY), findings);
  const reader = new Reader(alarms, findings);
  for (const entry of await children(root, findings)) {
    const directory = path.join(root, entry.name);
    if (entry.name === OWN_DIRECTORY || entry.name === ALARM_KEY) continue;
    if (entry.isDirectory()) yield* reader.objects(directory, [entry.name]);
    else findings.foreign(directory, NO_OBJECT);
  }
  for (const [, { file }] of alarms) findings.foreign(file, "its object has no alarm");
}

/** An alarm's copy. */
interface AlarmFile {
  time: number;
  file: string;
}

class Reader {
  readonly #alarms: Map<string, AlarmFile>;
  readonly #findings: Findings;

  constructor(alarms: Map<string, AlarmFile>, findings: Findings) {
    this.#alarms = alarms;
    this.#findings = findings;
  }

  /** The objects in a directory whose name, and those above it, are `names`. */
  async *objects(directory: string, names: string[]): AsyncGenerator<OldObject> {
    for (const entry of await children(directory, this.#findings)) {
      const child = path.join(directory, entry.name);
      const name = originalName(names, entry.name);
      if (!entry.isDirectory()) {
        if (name !== undefined) yield await this.#object(name, entry.name, child, [child]);
        else this.#findings.foreign(child, NO_OBJECT);
        continue;
      }
      const files: string[] = [];
      yield* this.#below(child, [...names, entry.name], files);
      if (files.length > 0) yield this.#object(names[0]!, entry.name, child, files);
    }
  }

  /** The objects in or below a directory; `rest` gets the files that are not in one of them. */
  async *#below(directory: string, names: string[], rest: string[]): AsyncGenerator<OldObject> {
    const entries = await children(directory, this.#findings);
    if (await isDatabase(directory, entries)) {
      this.#findings.database(directory);
      return;
    }
    const id = names.at(-1)!;
    const name = originalName(names.slice(0, -1), id);
    const files = name === undefined ? rest : [];
    for (const entry of entries) {
      const child = path.join(directory, entry.name);
      if (!entry.isDirectory()) files.push(child);
      else yield* this.#below(child, [...names, entry.name], files);
    }
    if (name !== undefined && files.length > 0)
      yield await this.#object(name, id, directory, files);
  }

  async #object(name: string, id: string, directory: string, files: string[]): Promise<OldObject> {
    const present = new Set(files);
    const entries: OldEntry[] = [];
    let alarm: number | undefined;
    for (const file of files) {
      if (file.endsWith(META_SUFFIX) && !(await isValue(file))) continue;
      const relative = path.relative(directory, file);
      const meta = present.has(file + META_SUFFIX) ? await readMeta(file + META_SUFFIX) : {};
      if (relative === ALARM_KEY) {
        const copy = this.#alarms.get(`${name}:${id}`);
        this.#alarms.delete(`${name}:${id}`);
        alarm = timeOf(meta) ?? copy?.time;
        if (alarm === undefined) this.#findings.unreadable(file, "its alarm has no time");
      } else if (meta === undefined) {
        this.#findings.unreadable(
          file,
          `its key is unknown, because ${file}${META_SUFFIX} cannot be read`,
        );
      } else if (meta.key === undefined && relative.length >= PATH_CHARS_MAX) {
        this.#findings.unreadable(file, "its name is cut off, so that its key is unknown");
      } else {
        entries.push({ key: meta.key ?? relative.split(path.sep).join("/"), file });
      }
    }
    return { name, id, directory, alarm, entries };
  }
}

interface Meta {
  key?: string;
  metadata?: { scheduledTime?: unknown };
}

/** A side file; nothing if it cannot be read. */
async function readMeta(file: string): Promise<Meta | undefined> {
  if (await isValue(file)) return {};
  try {
    const meta: unknown = JSON.parse(await readFile(file, "utf8"));
    const { key } = Object(meta) as { key?: unknown };
    return key === undefined || typeof key === "string" ? (Object(meta) as Meta) : undefined;
  } catch {
    return undefined;
  }
}

/** The copies of all alarms, by `NAME:id`. */
async function readAlarms(directory: string, findings: Findings): Promise<Map<string, AlarmFile>> {
  const alarms = new Map<string, AlarmFile>();
  for (const file of await filesBelow(directory, findings)) {
    if (!file.endsWith(META_SUFFIX)) continue;
    const meta = await readMeta(file);
    const time = timeOf(meta);
    if (meta?.key !== undefined && time !== undefined) alarms.set(meta.key, { time, file });
  }
  return alarms;
}

async function filesBelow(directory: string, findings: Findings): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await children(directory, findings)) {
    const child = path.join(directory, entry.name);
    if (entry.isDirectory()) files.push(...(await filesBelow(child, findings)));
    else files.push(child);
  }
  return files;
}

/** An alarm's time, in milliseconds. */
function timeOf(meta: Meta | undefined): number | undefined {
  const time = meta?.metadata?.scheduledTime;
  return typeof time === "number" && time > 0 ? time : undefined;
}

/** What is in a directory; links to files count as files. */
async function children(directory: string, findings: Findings): Promise<Dirent[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      findings.unreadable(directory, (error as Error).message);
    }
    return [];
  }
  const kept: Dirent[] = [];
  for (const entry of entries) {
    const child = path.join(directory, entry.name);
    const target = entry.isSymbolicLink() ? await stat(child).catch(() => undefined) : entry;
    if (entry.isDirectory() || target?.isFile()) kept.push(entry);
    else findings.unreadable(child, "it is neither a file nor a directory");
  }
  return kept;
}

/** Whether a file holds a value, as V8 writes it; JSON never starts like that. */
async function isValue(file: string): Promise<boolean> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes?.[0] === 0xff;
}

async function isDatabase(directory: string, entries: Dirent[]): Promise<boolean> {
  if (!entries.some(({ name }) => name === "CURRENT")) return false;
  const current = await readFile(path.join(directory, "CURRENT"), "latin1").catch(() => "");
  return current.startsWith("MANIFEST-");
}
