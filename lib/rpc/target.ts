/** `RpcTarget`: the base of classes whose instances are passed by reference. */

export class RpcTarget {
  get [Symbol.toStringTag](): string {
    return "JsRpcTarget";
  }
}

/** Prototypes of the bases that users extend. What a base defines itself is not a method of the user's class. */
const bases = new Set<object>([RpcTarget.prototype]);

export function addBase(prototype: object): void {
  bases.add(prototype);
}

export function isBase(prototype: object): boolean {
  return bases.has(prototype);
}
