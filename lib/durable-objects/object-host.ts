/** Runs functions of an object when others call them: as events, behind the gate where they were passed on. */
import { type Awaitable, getRequestContext } from "@miniflare/shared";
import { Broken, type Host, setObjectFinder } from "../rpc";
import { _kRunWithGates, kBroken, kOnEnd, kRetired } from "../shared/symbols";
import { currentEvents, type EventGate } from "./event-gate";
import { eventContext, type UsageModel } from "./request-context";
import type { DurableObjectState } from "./state";

const ENDED = "The execution context which hosts this callback is no longer running.";

export class ObjectHost implements Host {
  readonly #state: DurableObjectState;
  readonly #gate: EventGate | undefined;
  readonly #usageModel: UsageModel;

  constructor(state: DurableObjectState, gate?: EventGate, usageModel?: UsageModel) {
    this.#state = state;
    this.#gate = gate;
    this.#usageModel = usageModel;
  }

  async enter<T>(event: () => Awaitable<T>): Promise<T> {
    const state = this.#state as DurableObjectState & { [kRetired]?: boolean };
    if (state[kBroken] !== undefined || state[kRetired]) throw new Broken(new Error(ENDED), {});
    return runInContext(this.#usageModel, () => this.#run(event));
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#state.waitUntil(promise);
  }

  onEnd(callback: () => void): () => void {
    return this.#state[kOnEnd](callback);
  }

  async #run<T>(event: () => Awaitable<T>): Promise<T> {
    try {
      return await this.#state[_kRunWithGates](event, this.#gate);
    } catch (reason) {
      throw new Broken(reason, { durableObjectReset: true });
    }
  }
}

setObjectFinder(() => {
  const gate = currentEvents();
  return gate && new ObjectHost(gate.object as DurableObjectState, gate);
});

/** Runs an event of an object with the limits of one. */
async function runInContext<T>(usageModel: UsageModel, event: () => Promise<T>): Promise<T> {
  const caller = getRequestContext();
  caller?.incrementInternalSubrequests();
  const context = eventContext(usageModel, caller);
  const result = await context.runWith(event);
  caller?.advanceCurrentTime();
  return result;
}
