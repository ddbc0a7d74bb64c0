/** Stubs that a worker makes of its own values. */
import { types } from "node:util";
import { isObjectPrototype } from "../codec/ordinary";
import { RpcStub } from "./classes";
import { emulatesTarget } from "./copy";
import { currentHost } from "./host";
import { proxies } from "./proxies";
import { realmOfValue } from "./realm";
import { refOf, type Side, StubRef } from "./refs";
import { Exported } from "./remote";
import { RpcTarget } from "./target";

/** The class `RpcStub` as a worker sees it: its stubs of its own values are on its side. */
export function stubClass(side: () => Side): typeof RpcStub {
  return new Proxy(RpcStub, {
    apply() {
      throw new TypeError(
        "Failed to construct 'JsRpcStub': Please use the 'new' operator, this object constructor cannot be called as a function.",
      );
    },
    construct: (_target, [value]: unknown[]) => stubOf(value, side()),
  });
}

/**
 * A stub for a value of one's own.
 *
 * # Errors
 * A `TypeError` if the value cannot be referred to.
 */
export function stubOf(value: unknown, side: Side): object {
  if (Object(value) !== value) {
    throw new TypeError(
      "Failed to construct 'JsRpcStub': constructor parameter 1 is not of type 'Object'.",
    );
  }
  if (!isReferable(value as object)) {
    throw new TypeError(
      "RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.",
    );
  }
  const realm = realmOfValue(value) ?? side.realm;
  return proxies.stub(new StubRef(new Exported(value as object, currentHost(), realm)), side);
}

function isReferable(value: object): boolean {
  if (refOf(value)?.kind === "stub" || typeof value === "function") return true;
  if (types.isProxy(value)) return refOf(value) === undefined && emulatesTarget(value);
  return value instanceof RpcTarget || isObjectPrototype(Object.getPrototypeOf(value));
}
