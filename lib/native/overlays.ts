/**
 * Follows storage factories that stack their storages for tests: what is written between `push()` and `pop()` vanishes.
 *
 * Miniflare 2's test environments have such a factory, and Durable Objects are not in it. So their stores become
 * overlays, and the factory's levels are theirs.
 */
import type { Store } from "./addon";

interface StackedFactory {
  push(): unknown;
  pop(): unknown;
}

const listeners = new WeakMap<Store, Set<() => void>>();

/** Calls `listener` after a level of an overlay began or ended; returns a function that ends this. */
export function whenLevelsChange(store: Store, listener: () => void): () => void {
  const known = listeners.get(store) ?? new Set();
  listeners.set(store, known.add(listener));
  return () => known.delete(listener);
}

/** The levels of a factory, if it has any. */
export function levelsOf(factory: object): Levels | undefined {
  const { push, pop } = factory as Partial<StackedFactory>;
  if (typeof push !== "function" || typeof pop !== "function") return undefined;
  return new Levels(factory as StackedFactory);
}

/** The levels of one factory, and the overlays that follow them. */
export class Levels {
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

  /** An overlay above `base`, in the level that is on. */
  above(base: Store): Store {
    const overlay = base.overlay();
    for (let level = 0; level < this.#depth; level++) overlay.push();
    this.#overlays.push(overlay);
    return overlay;
  }

  /** Forgets an overlay that is being closed. */
  forget(overlay: Store): void {
    const at = this.#overlays.indexOf(overlay);
    if (at >= 0) this.#overlays.splice(at, 1);
  }

  /** Follows the factory's levels with another overlay, which has what `overlay` held. */
  replace(overlay: Store, renewed: Store): void {
    const at = this.#overlays.indexOf(overlay);
    if (at >= 0) this.#overlays[at] = renewed;
  }

  #push(): void {
    this.#depth++;
    for (const overlay of this.#overlays) overlay.push();
    this.#announce();
  }

  #pop(): void {
    this.#depth = Math.max(this.#depth - 1, 0);
    for (const overlay of this.#overlays) overlay.pop();
    this.#announce();
  }

  #announce(): void {
    for (const overlay of this.#overlays) {
      for (const listener of listeners.get(overlay) ?? []) listener();
    }
  }
}
