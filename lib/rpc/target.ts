/** `RpcTarget`: the base of classes whose instances are passed by reference. */

export class RpcTarget {
  get [Symbol.toStringTag](): string {
    return "JsRpcTarget";
  }
}

/** Whether a class is a base that users extend, so that what it defines itself is none of their methods. */
const bases = new Set<object>([RpcTarget.prototype]);

export function addBase(prototype: object): void {
  bases.add(prototype);
}

export function isBase(prototype: object): boolean {
  return bases.has(prototype);
}
