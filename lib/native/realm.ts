/**
 * Makes the errors of the native core in the realm that has loaded this module.
 *
 * Node.js gives all realms of a thread (those of `node:vm`, and so those of test runners) one and the same addon. An error
 * object that the addon makes belongs to the realm of the process, and is no `RangeError` of the program that called.
 */
import type * as Binding from "../../binding.js";

export type Failure = Binding.Failure;
type Native = (...given: unknown[]) => unknown;
type NativeClass = new (...given: never[]) => object;
/** Gives methods that already throw errors of this realm; it gets the methods of the addon, made so. */
type Ready<T> = (methods: T) => object;

const classes: Record<string, ErrorConstructor | undefined> = { TypeError, RangeError };
/** The prototypes of this realm, by those of the addon. */
const prototypes = new WeakMap<object, object>();
/** The same, and what makes methods ready, by the names of the classes. */
const named = new Map<string, { prototype: object; ready: Ready<never> }>();

/** The error that a failure of the core stands for. With `entry`, its stack begins at the caller of that function. */
export function errorOf(
  { name, code, message }: Failure,
  entry?: CallableFunction | NativeClass,
): Error {
  const error = new (classes[name] ?? Error)(message);
  if (code !== undefined) Object.assign(error, { code });
  if (entry !== undefined) Error.captureStackTrace(error, entry);
  return error;
}

/** A function of the addon whose errors are of this realm. What it throws after a panic is an error, with the same properties as a failure. */
export function functionInRealm<F>(native: F): F {
  const call = native as Native;
  const entry = function (this: unknown, ...given: unknown[]): unknown {
    try {
      const result = Reflect.apply(call, this, given);
      return typeof result === "object" ? adopted(result) : result;
    } catch (failure) {
      throw errorOf(failure as Failure, entry);
    }
  };
  return entry as F;
}

/** A class of the addon whose constructor, methods and factories throw errors of this realm. */
export function classInRealm<C extends NativeClass>(
  Original: C,
  ready: Ready<InstanceType<C>> = () => ({}),
): C {
  class Own extends (Original as unknown as new (...given: unknown[]) => object) {
    constructor(...given: unknown[]) {
      try {
        super(...given);
      } catch (failure) {
        throw errorOf(failure as Failure, Own);
      }
    }
  }
  takeOver(Original, Own);
  takeOver(Original.prototype, Own.prototype, ready);
  prototypes.set(Original.prototype, Own.prototype);
  named.set(Original.name, { prototype: Own.prototype, ready });
  return Own as unknown as C;
}

/** Gives `own` the functions of `original`, or those that are ready. */
function takeOver(original: object, own: object, ready?: Ready<never>): void {
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(original))) {
    if (name === "constructor" || typeof descriptor.value !== "function") continue;
    Object.defineProperty(own, name, { ...descriptor, value: functionInRealm(descriptor.value) });
  }
  const known = Object.getOwnPropertyDescriptors(ready?.(own as never) ?? {});
  for (const [name, descriptor] of Object.entries(known)) {
    if (name !== "constructor") Object.defineProperty(own, name, descriptor);
  }
}

/** Makes what the addon has made an instance of the class of this realm, if it is an instance of one. */
function adopted(made: object | null): object | null {
  if (made === null) return made;
  const original: object | null = Object.getPrototypeOf(made);
  const prototype = original && (prototypes.get(original) ?? prototypeFor(original));
  return prototype ? Object.setPrototypeOf(made, prototype) : made;
}

/**
 * A prototype for a class that is known by name alone. Each time a program loads the addon, the addon makes its classes
 * again. What it makes later belongs to the newest classes, whose methods take nothing else.
 */
function prototypeFor(original: object): object | undefined {
  const known = named.get(original.constructor?.name);
  if (known === undefined) return undefined;
  const own = Object.create(known.prototype);
  takeOver(original, own, known.ready);
  prototypes.set(original, own);
  return own;
}
