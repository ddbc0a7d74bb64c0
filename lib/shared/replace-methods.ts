/** Replaces methods of a class of Miniflare's, so that the class looks as before. */

type Method = (...args: never[]) => unknown;
// biome-ignore lint/suspicious/noExplicitAny: the methods of all classes
type AnyMethod = (this: any, ...args: any[]) => any;

/** `replacements` make a method of the one that it takes the place of. It keeps name and length. */
export function replaceMethods(
  prototype: object,
  replacements: Record<PropertyKey, (method: AnyMethod) => AnyMethod>,
): void {
  for (const key of Reflect.ownKeys(replacements)) {
    const method = Reflect.get(prototype, key) as Method;
    const value = replacements[key]!(method as AnyMethod);
    Object.defineProperties(value, {
      name: { value: method.name, configurable: true },
      length: { value: method.length, configurable: true },
    });
    Object.defineProperty(prototype, key, { value, writable: true, configurable: true });
  }
}
