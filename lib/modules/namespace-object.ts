/** Makes objects that behave as module namespaces do: fixed names, values that are looked up at each use. */

import type { Realm } from "./realm";

interface Namespace {
  object: object;
  /** Copies the values to where `console.log` finds them: it looks behind the proxy. */
  fill(): void;
}

/** `read` reads an export by its name, and throws as long as it is uninitialized. */
export function namespaceObject(
  names: Iterable<string>,
  read: (name: string) => unknown,
  realm: Realm,
): Namespace {
  const sorted = [...names].sort();
  const exported = new Set<PropertyKey>(sorted);
  const target = Object.create(null);
  for (const name of sorted) {
    Object.defineProperty(target, name, { value: undefined, writable: true, enumerable: true });
  }
  Object.defineProperty(target, Symbol.toStringTag, { value: "Module" });
  Object.preventExtensions(target);

  const readFor = (key: PropertyKey, trap: object) => {
    try {
      return read(key as string);
    } catch {
      return realm.refuseEarlyUse(key as string, trap);
    }
  };
  const traps: ProxyHandler<object> = {
    get: (_, key) => (exported.has(key) ? readFor(key, traps.get!) : target[key]),
    set: () => false,
    getOwnPropertyDescriptor(_, key) {
      const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
      if (exported.has(key)) {
        descriptor!.value = readFor(key, traps.getOwnPropertyDescriptor!);
      }
      return descriptor;
    },
    /** Only what changes nothing is possible. */
    defineProperty(_, key, wanted) {
      if (!exported.has(key)) return Reflect.defineProperty(target, key, wanted);
      const { configurable = false, enumerable = true, writable = true } = wanted;
      if (configurable || !enumerable || !writable || wanted.get || wanted.set) return false;
      return !("value" in wanted) || Object.is(wanted.value, readFor(key, traps.defineProperty!));
    },
  };
  const object = new Proxy(target, traps);
  const fill = () => {
    for (const name of sorted) {
      try {
        target[name] = read(name);
      } catch {
        // In a cycle, another module may have still to initialize it.
      }
    }
  };
  return { object, fill };
}
