/**
 * Watches sources for `MiniflareCore`, as Miniflare's own watcher does, but ignores the directories of stored data.
 *
 * Objects write while the worker runs. With Miniflare's watcher each write in a watched directory builds and reloads.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import path from "node:path";
import { clearTimeout, setTimeout } from "../../shared/real-timers";
import { WatchedPath } from "./path";

/** Changes that follow each other faster than this are one. */
const DEBOUNCE_MS = 50;

interface Watched {
  path: WatchedPath;
  /** The path that a change is reported as. */
  reported: string;
  timer: NodeJS.Timeout | undefined;
}

type Paths = string | Iterable<string>;

/** Watchers that have not been disposed of. */
const watchers = new Set<Watcher>();

const following = new AsyncLocalStorage<true>();

const owners = new AsyncLocalStorage<Set<Watcher>>();

/**
 * Watchers that are constructed from now on, until the function that is returned is called, or by what is started until
 * then, are in `owned` until they are disposed of.
 */
export function beginOwning(owned: Set<Watcher>): () => void {
  const before = owners.getStore() as Set<Watcher>;
  owners.enterWith(owned);
  return () => owners.enterWith(before);
}

/** Whether this runs because a watched source has changed, and not because a caller has asked for it. */
export function followsChange(): boolean {
  return following.getStore() === true;
}

/** Reports a change of `file`, to all that watch it, also when one of the missing files is created. */
export function watchForMissing(missing: string[], file: string): void {
  for (const watcher of watchers) watcher.watchForMissing(missing, path.resolve(file));
}

/** Has the methods of the `Watcher` of `@miniflare/watcher`. */
export class Watcher {
  readonly #callback: (path: string) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #owned = owners.getStore();

  /** `callback` gets the watched path in or at which something has changed. */
  constructor(callback: (path: string) => void) {
    this.#callback = callback;
    watchers.add(this);
    this.#owned?.add(this);
  }

  watch(paths: Paths): void {
    for (const file of resolved(paths)) {
      // It was missing, and does not only stand for another one any more.
      if (this.#watched.get(file)?.reported !== file) this.unwatch(file);
      this.#watch(file, file);
    }
  }

  watchForMissing(missing: string[], file: string): void {
    if (!this.#watched.has(file)) return;
    for (const candidate of missing) this.#watch(candidate, file);
  }

  /** A change of `file` is reported as one of `reported`. */
  #watch(file: string, reported: string): void {
    if (this.#watched.has(file)) return;
    const report = () => {
      if (file !== reported) this.unwatch(file);
      following.run(true, () => this.#callback(reported));
    };
    const changed = () => {
      clearTimeout(watched.timer);
      watched.timer = setTimeout(report, DEBOUNCE_MS);
    };
    const path = new WatchedPath(file, changed);
    const watched: Watched = { path, reported, timer: undefined };
    this.#watched.set(file, watched);
  }

  unwatch(paths: Paths): void {
    for (const file of resolved(paths)) {
      const watched = this.#watched.get(file);
      clearTimeout(watched?.timer);
      watched?.path.close();
      this.#watched.delete(file);
    }
  }

  dispose(): void {
    watchers.delete(this);
    this.#owned?.delete(this);
    this.unwatch([...this.#watched.keys()]);
  }
}

function resolved(paths: Paths): string[] {
  return Array.from(typeof paths === "string" ? [paths] : paths, (file) => path.resolve(file));
}

let installed = false;

/**
 * Lets `MiniflareCore` use this watcher. It requires `@miniflare/watcher` when it first watches anything, and takes no
 * other, so that this class has to be what that module exports.
 */
export function installWatcher(): void {
  if (installed) return;
  installed = true;
  const requireFrom = createRequire(require.resolve("@miniflare/core"));
  const file = requireFrom.resolve("@miniflare/watcher");
  const theirs: { Watcher: unknown } = requireFrom(file);
  const loaded = requireFrom.cache[file];
  if (loaded !== undefined) loaded.exports = { ...theirs, Watcher };
}
