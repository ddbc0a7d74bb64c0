/** Watches a directory and everything in it, but for the directories of stored data. */
import { type FSWatcher, readdirSync, statSync, watch } from "node:fs";
import path from "node:path";
import { dataBelow, dataDirectoryCount } from "../../shared/data-directories";
import { warnOf } from "../../shared/error";

/** Whether the system reports what happens in directories further down. */
const RECURSIVE = process.platform === "darwin" || process.platform === "win32";

/** Errors of a directory that has been deleted, is no directory, or may not be read. */
const UNREADABLE = new Set(["ENOENT", "ENOTDIR", "EACCES", "EPERM"]);

export class WatchedDirectory {
  readonly #root: string;
  readonly #changed: () => void;
  readonly #gone: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #lastMtimes = new Map<string, number>();
  /** The data directories below the root, relative to it. */
  #data: string[] = [];
  #dataCount = -1;

  /** Calls `changed` for each change, and `gone` when the directory has been deleted or replaced. */
  constructor(root: string, changed: () => void, gone: () => void) {
    this.#root = root;
    this.#changed = changed;
    this.#gone = gone;
    this.#add(root);
  }

  close(): void {
    this.#remove(this.#root);
  }

  /** Watches a directory and those in it. Says whether it holds anything but data. */
  #add(directory: string): boolean {
    try {
      if (!this.#watchers.has(directory)) this.#watch(directory);
      if (RECURSIVE) return true;
      let holdsMore = false;
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        const file = path.join(directory, entry.name);
        if (this.#isData(file)) continue;
        const more = entry.isDirectory() && this.#add(file);
        holdsMore ||= more || !this.#leadsToData(file);
      }
      return holdsMore;
    } catch (error) {
      this.#watchers.get(directory)?.close();
      this.#watchers.delete(directory);
      if (UNREADABLE.has((error as NodeJS.ErrnoException).code ?? "")) return false;
      throw error;
    }
  }

  #watch(directory: string): void {
    const heard = (_event: string, name: string | null) => {
      try {
        this.#heard(directory, name);
      } catch (error) {
        warnOf(`Watching ${directory}`, error);
      }
    };
    const watcher = watch(directory, { recursive: RECURSIVE }, heard);
    watcher.on("error", () => this.#remove(directory));
    this.#watchers.set(directory, watcher);
  }

  #heard(directory: string, name: string | null): void {
    const file = name === null ? directory : path.join(directory, name);
    if (name === path.basename(directory) && !exists(file)) {
      this.#replaced(directory);
    } else if (this.#isData(file)) {
      this.#remove(file);
    } else if (this.#leadsToData(file)) {
      if (!RECURSIVE && !this.#watchers.has(file) && this.#add(file)) this.#changed();
    } else {
      this.#look(file);
    }
  }

  /** A directory has been deleted, and another one may have its name by now: the system reports that under its own name. */
  #replaced(directory: string): void {
    this.#remove(directory);
    if (directory === this.#root) this.#gone();
    else if (exists(directory)) this.#add(directory);
  }

  /** Follows up a change of a file that is not stored data. */
  #look(file: string): void {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) {
      this.#remove(file);
    } else {
      if (this.#lastMtimes.get(file) === found.mtimeMs) return;
      this.#lastMtimes.set(file, found.mtimeMs);
      if (!RECURSIVE && found.isDirectory()) this.#add(file);
    }
    this.#changed();
  }

  /** Ends the watching of `file` and of everything in it. */
  #remove(file: string): void {
    this.#lastMtimes.delete(file);
    for (const [directory, watcher] of this.#watchers) {
      if (directory !== file && !directory.startsWith(file + path.sep)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
  }

  /** Whether a file is a data directory, or lies in one. */
  #isData(file: string): boolean {
    const relative = path.relative(this.#root, file) + path.sep;
    return this.#dataDirectories().some((data) => relative.startsWith(data + path.sep));
  }

  /** Whether a directory holds a data directory, so that it changes when that comes into being. */
  #leadsToData(file: string): boolean {
    const relative = path.relative(this.#root, file) + path.sep;
    return this.#dataDirectories().some((data) => data.startsWith(relative));
  }

  #dataDirectories(): string[] {
    const count = dataDirectoryCount();
    if (this.#dataCount !== count) {
      this.#dataCount = count;
      this.#data = dataBelow(this.#root);
    }
    return this.#data;
  }
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
