/** Gives the classes of the SQL API the properties that production's have: enumerable, and functions without parameters. */

import { refuseObjectsOf } from "./storable";

/** Makes what programs see of a class what it is in production, and leaves the rest. */
export function likeProduction(Class: { prototype: object; name: string }, name: string): void {
  refuseObjectsOf(Class, name);
  const { prototype } = Class;
  Object.defineProperty(Class, "name", { value: name, configurable: true });
  withoutParameters(Class as unknown as () => void);
  for (const key of Object.getOwnPropertyNames(prototype)) {
    if (key === "constructor") continue;
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!;
    if (typeof descriptor.value === "function") withoutParameters(descriptor.value);
    Object.defineProperty(prototype, key, { ...descriptor, enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, {
    value: name,
    writable: true,
    configurable: true,
  });
}

function withoutParameters(value: () => void): void {
  Object.defineProperty(value, "length", { value: 0, configurable: true });
}

/** # Errors Always, as a method that was taken from its object. */
export function illegalInvocation(): never {
  throw new TypeError(
    "Illegal invocation: function called with incorrect `this` reference. See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.",
  );
}

/** # Errors Always, as the constructor of a class whose objects the program cannot make. */
export function illegalConstructor(): never {
  throw new TypeError("Illegal constructor");
}

/** The error of a call without an argument, in production's words. */
export function wrongArgument(method: string, owner: string, position: number, type: string) {
  return new TypeError(
    `Failed to execute '${method}' on '${owner}': parameter ${position} is not of type '${type}'.`,
  );
}
