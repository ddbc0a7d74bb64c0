/**
 * Watches sources for `MiniflareCore`, as Miniflare's own watcher does, but is deaf to the directories of stored data.
 *
 * Objects write while the worker runs. With Miniflare's watcher each write in a watched directory builds and reloads.
 */
import { createRequire } from "node:module";
import path from "node:path";
import { clearTimeout, setTimeout } from "../../shared/real-timers";
import { WatchedPath } from "./path";

/** Changes that follow each other faster than this are one. */
const DEBOUNCE_MS = 50;

interface Watched {
  path: WatchedPath;
  timer: NodeJS.Timeout | undefined;
}

type Paths = string | Iterable<string>;

/** Has the methods of the `Watcher` of `@miniflare/watcher`. */
export class Watcher {
  readonly #callback: (path: string) => void;
  readonly #watched = new Map<string, Watched>();

  /** `callback` gets the watched path in or at which something has changed. */
  constructor(callback: (path: string) => void) {
    this.#callback = callback;
  }

  watch(paths: Paths): void {
    for (const file of resolved(paths)) {
      if (this.#watched.has(file)) continue;
      const changed = () => {
        clearTimeout(watched.timer);
        watched.timer = setTimeout(this.#callback, DEBOUNCE_MS, file);
      };
      const watched: Watched = { path: new WatchedPath(file, changed), timer: undefined };
      this.#watched.set(file, watched);
    }
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
