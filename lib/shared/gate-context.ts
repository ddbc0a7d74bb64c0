/** Reaches the async contexts in which `@miniflare/shared` keeps the gates of the object whose code runs. */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type InputGate,
  type OutputGate,
  waitForOpenInputGate,
  waitForOpenOutputGate,
} from "@miniflare/shared";

const inputGates = contextAskedBy<InputGate>(waitForOpenInputGate);
const outputGates = contextAskedBy<OutputGate>(waitForOpenOutputGate);

/**
 * The package does not export its contexts, but asks one in each of these calls. A gate's own methods enter a context
 * only after a wait, and code of an object must run in it at once.
 */
function contextAskedBy<Gate>(ask: () => unknown): AsyncLocalStorage<Gate | undefined> {
  const { prototype } = AsyncLocalStorage;
  const { getStore } = prototype;
  let asked: AsyncLocalStorage<Gate | undefined> | undefined;
  prototype.getStore = function (this: AsyncLocalStorage<Gate | undefined>) {
    asked = this;
    return undefined;
  };
  try {
    ask();
  } finally {
    prototype.getStore = getStore;
  }
  if (asked === undefined) {
    throw new Error(
      "Cannot find the gates of @miniflare/shared: this package works with version 2. Install @miniflare/shared@2.14.4.",
    );
  }
  return asked;
}

export function currentInputGate(): InputGate | undefined {
  return inputGates.getStore();
}

export function currentOutputGate(): OutputGate | undefined {
  return outputGates.getStore();
}

/** Runs `closure` at once as code behind these gates, or behind none. */
export function runWithGates<T>(
  input: InputGate | undefined,
  output: OutputGate | undefined,
  closure: () => T,
): T {
  return inputGates.run(input, () => outputGates.run(output, closure));
}

export function runWithInputGate<T>(input: InputGate | undefined, closure: () => T): T {
  return inputGates.run(input, closure);
}

export function runWithOutputGate<T>(output: OutputGate | undefined, closure: () => T): T {
  return outputGates.run(output, closure);
}
