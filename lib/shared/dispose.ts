/** `Symbol.dispose` and `Symbol.asyncDispose`, also where Node.js or a context does not define them yet. */

/** What is used of a realm's `Symbol`. */
interface SymbolConstructorLike {
  dispose?: symbol;
  asyncDispose?: symbol;
}

/** Defines the two symbols on a realm's `Symbol`: the host's, so that both realms mean the same method. */
export function defineDisposeSymbols(target: SymbolConstructorLike): void {
  for (const [name, value] of [
    ["dispose", dispose],
    ["asyncDispose", asyncDispose],
  ] as const) {
    if (target[name] === undefined) Object.defineProperty(target, name, { value });
  }
}

const host = Symbol as SymbolConstructorLike;

/** The key of the method that ends the use of an object. */
export const dispose: symbol = host.dispose ?? Symbol("Symbol.dispose");
export const asyncDispose: symbol = host.asyncDispose ?? Symbol("Symbol.asyncDispose");

defineDisposeSymbols(host);
