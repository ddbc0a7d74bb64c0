/**
 * Follows storage factories that stack their storages for tests: `pop()` undoes what was written since `push()`.
 *
 * Miniflare 2's test environments have such a factory, and Durable Objects are not in it. So their stores become
 * overlays, and the factory's savepoints are theirs.
 */
import type { Store } from "./addon";

interface StackedFactory {
  push(): unknown;
  pop(): unknown;
}

const listeners = new WeakMap<Store, Set<(ended: boolean) => void>>();

/** Calls `listener` after a savepoint of an overlay began or ended. Returns a function that ends the calls. */
export function whenSavepointsChange(store: Store, listener: (ended: boolean) => void): () => void {
  const known = listeners.get(store) ?? new Set();
  listeners.set(store, known.add(listener));
  return () => known.delete(listener);
}

/** The savepoints of a factory, if it has any. */
export function savepointsOf(factory: object): Savepoints | undefined {
  const { push, pop } = factory as Partial<StackedFactory>;
  if (typeof push !== "function" || typeof pop !== "function") return undefined;
  return new Savepoints(factory as StackedFactory);
}

/** The savepoints of one factory, and the overlays that follow them. */
export class Savepoints {
  readonly #overlays: Store[] = [];
  #depth = 0;

  constructor(factory: StackedFactory) {
    const { push, pop } = factory;
    factory.push = () => {
      this.#push();
      return push.call(factory);
    };
    factory.pop = () => {
      this.#pop();
      return pop.call(factory);
    };
  }

  /** An overlay above `base`, in the newest savepoint. */
  above(base: Store): Store {
    const overlay = base.overlay();
    for (let savepoint = 0; savepoint < this.#depth; savepoint++) overlay.push();
    this.#overlays.push(overlay);
    return overlay;
  }

  /** Forgets an overlay that is being closed. */
  forget(overlay: Store): void {
    const at = this.#overlays.indexOf(overlay);
    if (at >= 0) this.#overlays.splice(at, 1);
  }

  /** Follows the factory's savepoints with another overlay, which has what `overlay` held. */
  replace(overlay: Store, renewed: Store): void {
    const at = this.#overlays.indexOf(overlay);
    if (at >= 0) this.#overlays[at] = renewed;
  }

  #push(): void {
    this.#depth++;
    for (const overlay of this.#overlays) overlay.push();
    this.#announce(false);
  }

  #pop(): void {
    this.#depth = Math.max(this.#depth - 1, 0);
    for (const overlay of this.#overlays) overlay.pop();
    this.#announce(true);
  }

  #announce(ended: boolean): void {
    for (const overlay of this.#overlays) {
      for (const listener of listeners.get(overlay) ?? []) listener(ended);
    }
  }
}
