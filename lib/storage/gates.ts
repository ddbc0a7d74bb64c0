/** What storage asks of the gates of the object whose code runs, if it is code of an object. */
import { OutputGate } from "@miniflare/shared";
import { currentOutputGate } from "../shared/gate-context";
import { EffectGate } from "./effect-gate";

/** The gate that effects of the running code have to pass; nothing outside objects. */
export function currentEffects(): EffectGate | undefined {
  const gate = currentOutputGate();
  return gate instanceof EffectGate ? gate : undefined;
}

/** Inside an object a write is on its way when its promise resolves, and the output gate waits for it. */
export function isInside(): boolean {
  return currentEffects() !== undefined;
}

/** A gate for the closure of a transaction. */
export function transactionGate(): OutputGate {
  return currentEffects()?.insideTransaction() ?? new OutputGate();
}

/** Holds the effects of the object back until a transaction has ended, which may fail. */
export function holdEffectsFor(transaction: Promise<unknown>): void {
  currentEffects()?.holdFor(transaction);
}
