/** Defines the asynchronous methods of a storage in SQLite: each runs that of the storage it extends, when it may. */
import { ModernStorage } from "../modern-storage";
import { areMany, getMany, removeMany } from "./many";

const ASYNC_METHODS = [
  "get",
  "list",
  "put",
  "delete",
  "getAlarm",
  "setAlarm",
  "deleteAlarm",
  "sync",
] as const;
export type AsyncMethod = (typeof ASYNC_METHODS)[number];

/** Runs a method with its arguments. */
export type Operation = (...args: unknown[]) => Promise<unknown>;

/** How a storage runs one of its methods. */
type Run<S> = (storage: S, name: AsyncMethod, operation: Operation, args: unknown[]) => unknown;

/** Gives a class its asynchronous methods, each of which is run by `run`. */
export function defineAsync<S extends ModernStorage>(Class: { prototype: S }, run: Run<S>): void {
  for (const name of ASYNC_METHODS) {
    const inherited = Reflect.get(ModernStorage.prototype, name) as CallableFunction;
    const value = {
      [name](this: S, ...args: unknown[]): unknown {
        const once: Operation = (...given) => Reflect.apply(inherited, this, given);
        return run(this, name, once, args);
      },
    }[name];
    const shape = { writable: true, configurable: true };
    Object.defineProperty(Class.prototype, name, { value, ...shape });
  }
}

/** Runs an operation, in parts if it has more keys than the core takes at once. */
export function inParts(name: AsyncMethod, operation: Operation, args: unknown[]) {
  const [keys, options] = args;
  if ((name !== "get" && name !== "delete") || !areMany(keys)) return operation(...args);
  const part = (some: string[]) => operation(some, options) as Promise<never>;
  return name === "get" ? getMany(keys, part) : removeMany(keys, part);
}
