/** Watches one path, whether it is a file, a directory, or does not exist yet. */
import { type Stats, statSync, unwatchFile, watchFile } from "node:fs";
import { WatchedDirectory } from "./directory";

/** How often to look at a file. */
const POLL_MS = 250;
/** How often to look whether a path exists by now. */
const CREATE_POLL_MS = 1000;

export class WatchedPath {
  readonly #file: string;
  readonly #changed: () => void;
  #end: () => void = () => {};

  /** Calls `changed` for each change. */
  constructor(file: string, changed: () => void) {
    this.#file = file;
    this.#changed = changed;
    this.#start();
  }

  close(): void {
    this.#end();
    this.#end = () => {};
  }

  #start(): void {
    const found = statSync(this.#file, { throwIfNoEntry: false });
    if (found === undefined) this.#awaitCreation();
    else if (found.isDirectory()) this.#watchDirectory();
    else this.#watchFile();
  }

  #restart(): void {
    this.close();
    this.#changed();
    this.#start();
  }

  #awaitCreation(): void {
    this.#poll(CREATE_POLL_MS, (now) => exists(now) && this.#restart());
  }

  #watchFile(): void {
    this.#poll(POLL_MS, (now, before) => {
      if (!exists(now)) this.#restart();
      else if (now.mtimeMs !== before.mtimeMs) this.#changed();
    });
  }

  #watchDirectory(): void {
    const directory = new WatchedDirectory(this.#file, this.#changed, () => this.#restart());
    this.#poll(POLL_MS, (now) => now.isDirectory() || this.#restart());
    const endPoll = this.#end;
    this.#end = () => {
      endPoll();
      directory.close();
    };
  }

  #poll(interval: number, look: (now: Stats, before: Stats) => unknown): void {
    watchFile(this.#file, { interval }, look);
    this.#end = () => unwatchFile(this.#file, look);
  }
}

/** Node.js gives times of zero for a file that does not exist. */
function exists({ mtimeMs }: Stats): boolean {
  return mtimeMs !== 0;
}
