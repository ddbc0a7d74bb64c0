/** The traps that all proxies of RPC share: what is neither local nor assigned is a property of the other side. */

type Assigned = Record<PropertyKey, unknown>;

const INDEX = /^(0|[1-9][0-9]*)$/;

/** Something callable without properties of its own that a proxy must show. */
const callable = () => {};

/** A fresh target for a proxy that can be called. */
export function callableTarget(): () => void {
  return Function.prototype.bind.call(callable, undefined) as () => void;
}

export abstract class PathHandler<T extends object> implements ProxyHandler<T> {
  #assigned: Assigned | undefined;

  /** The local members. */
  protected abstract readonly prototype: object;

  /** A property of the other side; undefined if there cannot be one of that name. */
  protected abstract property(name: string): unknown;

  get(_target: T, key: string | symbol, receiver: unknown): unknown {
    if (this.#assigned !== undefined && Object.hasOwn(this.#assigned, key)) {
      return this.#assigned[key];
    }
    if (typeof key === "symbol" || key in this.prototype) {
      return Reflect.get(this.prototype, key, receiver);
    }
    return INDEX.test(key) ? undefined : this.property(key);
  }

  has(_target: T, key: string | symbol): boolean {
    if (this.#assigned !== undefined && Object.hasOwn(this.#assigned, key)) return true;
    if (typeof key === "symbol" || key in this.prototype) return key in this.prototype;
    return !INDEX.test(key) && key !== "then";
  }

  set(_target: T, key: string | symbol, value: unknown): boolean {
    this.#own()[key] = value;
    return true;
  }

  defineProperty(_target: T, key: string | symbol, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(this.#own(), key, { ...descriptor, configurable: true });
  }

  deleteProperty(_target: T, key: string | symbol): boolean {
    if (this.#assigned !== undefined) delete this.#assigned[key];
    return true;
  }

  ownKeys(): (string | symbol)[] {
    return this.#assigned === undefined ? [] : Reflect.ownKeys(this.#assigned);
  }

  getOwnPropertyDescriptor(_target: T, key: string | symbol): PropertyDescriptor | undefined {
    return this.#assigned && Reflect.getOwnPropertyDescriptor(this.#assigned, key);
  }

  getPrototypeOf(): object {
    return this.prototype;
  }

  #own(): Assigned {
    this.#assigned ??= Object.create(null) as Assigned;
    return this.#assigned;
  }
}
