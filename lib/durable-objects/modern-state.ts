/** The state of an object of a modern class: what `ctx` has beyond Miniflare 2's, and where its callbacks run. */
import type { Request, Response } from "@miniflare/core";
import {
  type Awaitable,
  getRequestContext,
  RequestContext,
  usageModelExternalSubrequestLimit,
} from "@miniflare/shared";
import { Broken, EventHost, givenHost, type Host, runAsHost } from "../rpc";
import { unsupported } from "../shared/error";
import { _kRunWithGates, kEnd, kFetch, kHost, kIdle, kInstance, kReset } from "../shared/symbols";
import type { DurableObjectStorage } from "../storage/storage";
import type { DurableObjectId } from "./id";
import { DurableObjectState, type StateOwner } from "./state";

/** As in production. */
const BLOCKS_MAX = 64;

const NO_CALLBACKS = "The execution context which hosts this callback is no longer running.";

/** What the worker that defines the class gives its objects. */
export interface ModernContext {
  exports: object | undefined;
  usageModel: Parameters<typeof usageModelExternalSubrequestLimit>[0];
}

export class ModernState extends DurableObjectState {
  readonly props = {};
  readonly exports!: object;
  readonly facets = FACETS;
  readonly container = undefined;
  readonly #host: ObjectHost;
  readonly #report: StateOwner["report"];
  /** What keeps the object busy besides its requests. */
  readonly #background = new Set<Promise<void>>();

  constructor(
    id: DurableObjectId,
    storage: DurableObjectStorage,
    owner: StateOwner,
    { exports, usageModel }: ModernContext,
  ) {
    super(id, storage, owner);
    if (exports === undefined) Reflect.deleteProperty(this, "exports");
    else this.exports = exports;
    this.#report = owner.report;
    this.#host = new ObjectHost(this, usageModel);
  }

  /** Keeps the object busy until a promise has settled; what it rejects with is logged. */
  override waitUntil(...promises: [Promise<unknown>]): void {
    if (promises.length < 1) throw wrongArgument("waitUntil", "Promise");
    const settled = Promise.resolve(promises[0]).then(() => {}, this.#report);
    this.#background.add(settled);
    settled.finally(() => this.#background.delete(settled));
  }

  override blockConcurrencyWhile<T>(closure: () => Promise<T>): Promise<T> {
    if (typeof closure !== "function") throw wrongArgument("blockConcurrencyWhile", "function");
    const around = givenHost();
    const depth = around instanceof BlockHost && around.state === this ? around.depth + 1 : 1;
    return super.blockConcurrencyWhile(() => {
      if (depth > BLOCKS_MAX) {
        throw new Error("blockConcurrencyWhile() calls are nested too deeply.");
      }
      const host = new BlockHost(this, depth);
      return runAsHost(host, () => host.run(closure));
    });
  }

  /** Runs `closure` as an event: functions that it passes to others come back as events. */
  override [_kRunWithGates]<T>(closure: () => Awaitable<T>): Promise<T> {
    return super[_kRunWithGates](() => runAsHost(this.#host, closure));
  }

  /** The object is not used any more: what it has passed to others ends too. */
  [kEnd](): void {
    this.#host.ended = true;
  }

  override [kReset](reason: unknown): void {
    this[kEnd]();
    super[kReset](reason);
  }

  override async [kIdle](): Promise<void> {
    do {
      await super[kIdle]();
      await Promise.all(this.#background);
    } while (this.#background.size > 0);
  }

  override [kFetch](request: Request): Promise<Response> {
    return this[_kRunWithGates](() => {
      const instance = this[kInstance];
      if (instance?.fetch) return instance.fetch(request);
      throw new Error("Handler does not export a fetch() function.");
    });
  }

  /** Where the object's functions run when others call them. */
  get [kHost](): Host {
    return this.#host;
  }
}

for (const name of [
  "abort",
  "acceptWebSocket",
  "getHibernatableWebSocketEventTimeout",
  "getTags",
  "getWebSocketAutoResponse",
  "getWebSocketAutoResponseTimestamp",
  "getWebSockets",
  "setHibernatableWebSocketEventTimeout",
  "setWebSocketAutoResponse",
]) {
  const value = () => {
    throw unsupported(`ctx.${name}()`);
  };
  Object.defineProperty(ModernState.prototype, name, { value, writable: true, configurable: true });
}

const FACETS = Object.fromEntries(
  ["get", "abort", "delete"].map((name) => [
    name,
    () => {
      throw unsupported(`ctx.facets.${name}()`);
    },
  ]),
);

function wrongArgument(method: string, type: string): TypeError {
  return new TypeError(
    `Failed to execute '${method}' on 'DurableObjectState': parameter 1 is not of type '${type}'.`,
  );
}

/** A running object: what others call runs behind its gates, in a context of its own. */
class ObjectHost implements Host {
  ended = false;
  readonly #state: ModernState;
  readonly #usageModel: ModernContext["usageModel"];

  constructor(state: ModernState, usageModel: ModernContext["usageModel"]) {
    this.#state = state;
    this.#usageModel = usageModel;
  }

  async enter<T>(event: () => Awaitable<T>): Promise<T> {
    if (this.ended) throw new Broken(new Error(NO_CALLBACKS), {});
    return runInContext(this.#usageModel, () => this.#run(event));
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#state.waitUntil(promise);
  }

  async #run<T>(event: () => Awaitable<T>): Promise<T> {
    try {
      return await this.#state[_kRunWithGates](event);
    } catch (reason) {
      throw new Broken(reason, { durableObjectReset: true });
    }
  }
}

/** The closure of a `blockConcurrencyWhile()`: while it runs, what it has passed to others may come back. */
class BlockHost implements Host {
  readonly state: ModernState;
  readonly depth: number;
  #event: EventHost | undefined;

  constructor(state: ModernState, depth: number) {
    this.state = state;
    this.depth = depth;
  }

  waitUntil(promise: Promise<unknown>): void {
    this.state.waitUntil(promise);
  }

  async run<T>(closure: () => Promise<T>): Promise<T> {
    this.#event = new EventHost();
    try {
      return await closure();
    } finally {
      this.#event = undefined;
    }
  }

  enter<T>(event: () => Awaitable<T>): Promise<T> {
    return (this.#event ?? this.state[kHost]).enter(event);
  }
}

/** Runs an event of an object with the limits of one. */
export async function runInContext<T>(
  usageModel: ModernContext["usageModel"],
  event: () => Promise<T>,
): Promise<T> {
  const caller = getRequestContext();
  caller?.incrementInternalSubrequests();
  const context = new RequestContext({
    requestDepth: (caller?.requestDepth ?? 0) + 1,
    pipelineDepth: 1,
    durableObject: true,
    externalSubrequestLimit: usageModelExternalSubrequestLimit(usageModel),
  });
  const result = await context.runWith(event);
  caller?.advanceCurrentTime();
  return result;
}
