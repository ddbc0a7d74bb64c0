/** The class `DurableObject` of `cloudflare:workers`: a class that extends it is modern. */
import { addBase } from "../rpc";
import { DurableObjectState } from "./state";

export class DurableObject<Env = unknown> {
  ctx: DurableObjectState;
  env: Env;

  constructor(ctx: DurableObjectState, env: Env) {
    if (!(ctx instanceof DurableObjectState)) {
      throw new TypeError(
        "Failed to construct 'DurableObjectBase': constructor parameter 1 is not of type 'DurableObjectState'.",
      );
    }
    this.ctx = ctx;
    this.env = env;
  }
}

addBase(DurableObject.prototype);

/** Whether a class is modern: its objects have RPC, names, and production's behaviour. */
export function isModern(Class: unknown): boolean {
  if (typeof Class !== "function") return false;
  return Class === DurableObject || Object.prototype.isPrototypeOf.call(DurableObject, Class);
}
