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
type AsyncMethod = (typeof ASYNC_METHODS)[number];

/** The method of the class that is extended. */
type Inherited = (...args: unknown[]) => Promise<unknown>;

/** How a storage runs one of its methods. It adds few frames to the stack, of which V8 keeps ten: the last ones are the program's. */
type Run<S> = (storage: S, name: AsyncMethod, args: unknown[], inherited: Inherited) => unknown;

/** Gives a class its asynchronous methods, each of which is run by `run`. */
export function defineAsync<S extends ModernStorage>(Class: { prototype: S }, run: Run<S>): void {
  for (const name of ASYNC_METHODS) {
    const inherited = Reflect.get(ModernStorage.prototype, name) as Inherited;
    const value = {
      [name](this: S, ...args: unknown[]): unknown {
        return run(this, name, args, inherited);
      },
    }[name];
    const shape = { writable: true, configurable: true };
    Object.defineProperty(Class.prototype, name, { value, ...shape });
  }
}

/** Runs a method in parts, if it has more keys than the core takes at once; else returns nothing. */
export function inParts(
  storage: ModernStorage,
  name: AsyncMethod,
  [keys, options]: unknown[],
  inherited: Inherited,
): Promise<unknown> | undefined {
  if ((name !== "get" && name !== "delete") || !areMany(keys)) return undefined;
  const part = (some: string[]) => inherited.call(storage, some, options) as Promise<never>;
  return name === "get" ? getMany(keys, part) : removeMany(keys, part);
}
