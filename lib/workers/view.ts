/** An object that shows the members of another one, which can change. An async scope may show an object of its own. */
import { AsyncLocalStorage } from "node:async_hooks";

export interface View {
  /** What workers hold. */
  readonly proxy: object;
  /** Runs `closure` with another object shown. */
  with<T>(shown: object, closure: () => T): T;
}

const NOTHING = {};

/** Every operation is one on what `shown()` returns at that time. */
export function liveView(shown: () => object): View {
  const scoped = new AsyncLocalStorage<object>();
  const at = () => scoped.getStore() ?? shown();
  return {
    proxy: new Proxy({}, liveTraps(at)),
    with: (other, closure) => scoped.run(other, closure),
  };
}

/** As `liveView()`, for reading only: what would change it has no effect. */
export function readOnlyView(shown: () => object | undefined): View {
  const scoped = new AsyncLocalStorage<object>();
  const traps = liveTraps(() => scoped.getStore() ?? shown() ?? NOTHING);
  const ignored = () => true;
  const proxy = new Proxy(
    {},
    { ...traps, set: ignored, deleteProperty: ignored, defineProperty: ignored },
  );
  return { proxy, with: (other, closure) => scoped.run(other, closure) };
}

function liveTraps(at: () => object): ProxyHandler<object> {
  return {
    get: (_target, key) => Reflect.get(at(), key),
    set: (_target, key, value) => Reflect.set(at(), key, value),
    has: (_target, key) => Reflect.has(at(), key),
    deleteProperty: (_target, key) => Reflect.deleteProperty(at(), key),
    ownKeys: () => Reflect.ownKeys(at()),
    defineProperty: (_target, key, descriptor) =>
      Reflect.defineProperty(at(), key, { ...descriptor, configurable: true }),
    // A proxy may only show what its target has unless that can be removed.
    getOwnPropertyDescriptor(_target, key) {
      const descriptor = Reflect.getOwnPropertyDescriptor(at(), key);
      return descriptor && { ...descriptor, configurable: true };
    },
    getPrototypeOf: () => Reflect.getPrototypeOf(at()),
  };
}
