/** What a stub does beyond Miniflare 2's, if the object's class is modern: RPC, and the object's resets. */
import type { PluginContext } from "@miniflare/shared";
import {
  Broken,
  type ErrorMarks,
  errorForCaller,
  type Holder,
  property,
  type Realm,
  type Remote,
  type RemoteEvent,
  type Side,
  type Source,
} from "../rpc";
import { kBroken, kEvicted, kInstance } from "../shared/symbols";
import type { DurableObjectId } from "./id";
import { ModernState } from "./modern-state";
import { ObjectHost } from "./object-host";
import type { DurableObjectState } from "./state";
import { subrequest } from "./subrequest";

/** Finds the state of an object, constructing the object if it is not running. */
export type DurableObjectFactory = (id: DurableObjectId) => Promise<DurableObjectState>;

/** What a namespace knows of the worker that uses it, and of the class that it is bound to. */
export interface NamespaceSide {
  /** The worker's own side, or that of code outside workers. */
  readonly side: Side;
  /** Whether stubs have RPC: the worker has a modern class and no flag against it. Unknown before it is loaded. */
  readonly hasRpc: boolean | undefined;
  /** Whether classes that do not extend `DurableObject` have RPC too. */
  readonly withoutBase: boolean;
  /** The realm of the class, if it is known. */
  readonly classRealm: Realm | undefined;
  readonly usageModel: PluginContext["usageModel"];
}

/** Methods that only the system may call. */
const RESERVED: ReadonlySet<string> = new Set([
  "fetch",
  "connect",
  "alarm",
  "webSocketMessage",
  "webSocketClose",
  "webSocketError",
  "dup",
  "constructor",
]);

const NO_RPC =
  "The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`. " +
  'In order to enable RPC, make sure your class extends the special class `DurableObject`, which can be imported from the module "cloudflare:workers".';

/** Errors that constructors of modern classes have thrown. */
const constructorErrors = new WeakSet<object>();

/** Notes that an object could not be constructed: callers are told that it was reset. */
export function failedToConstruct(error: unknown): void {
  if (typeof error === "object" && error !== null) constructorErrors.add(error);
}

/** One stub's way to its object: the same object until it is reset, then none any more. */
export class ObjectRemote implements Remote, Source {
  readonly #factory: DurableObjectFactory;
  readonly #id: DurableObjectId;
  readonly #namespace: NamespaceSide;
  #state: WeakRef<DurableObjectState> | undefined;
  /** Why the object could not be constructed: the stub never reaches another one. */
  #failure: { error: unknown } | undefined;

  constructor(factory: DurableObjectFactory, id: DurableObjectId, namespace: NamespaceSide) {
    this.#factory = factory;
    this.#id = id;
    this.#namespace = namespace;
  }

  get side(): Side {
    return this.#namespace.side;
  }

  get hasRpc(): boolean | undefined {
    return this.#namespace.hasRpc;
  }

  get realm(): Realm {
    return this.#namespace.classRealm ?? this.side.realm;
  }

  use(): Remote {
    return this;
  }

  /** A property of the object: something to call, or to wait for. */
  property(name: string): unknown {
    return property(this, [name]);
  }

  /**
   * # Errors
   * What `refuse` makes of it if the stub has seen the object's reset, or the constructor of a modern class has failed.
   */
  async connect(
    refuse: (error: Broken, inConstructor: boolean) => unknown,
  ): Promise<DurableObjectState> {
    if (this.#failure !== undefined) {
      throw refuse(new Broken(this.#failure.error, { durableObjectReset: true }), false);
    }
    const known = this.#state?.deref();
    if (known instanceof ModernState && known[kBroken] !== undefined && !known[kEvicted]) {
      throw refuse(new Broken(known[kBroken].reason, { durableObjectReset: true }), false);
    }
    try {
      let state = await this.#factory(this.#id);
      // The object may be evicted just now.
      while (state[kEvicted]) state = await this.#factory(this.#id);
      if (state !== known) this.#state = new WeakRef(state);
      return state;
    } catch (error) {
      if (!constructorErrors.has(Object(error))) throw error;
      this.#failure = { error };
      throw refuse(new Broken(error, { durableObjectReset: true }), true);
    }
  }

  enter<T>(event: RemoteEvent<T>): Promise<T> {
    return subrequest(() => this.#enter(event));
  }

  async #enter<T>(event: RemoteEvent<T>): Promise<T> {
    const state = await this.connect((error) => error);
    if (!(state instanceof ModernState) && !this.#namespace.withoutBase) {
      throw new Broken(new TypeError(NO_RPC), { remote: true });
    }
    const host = new ObjectHost(state, undefined, this.#namespace.usageModel);
    const objectId = this.#id.toString();
    const holder: Holder = { value: state[kInstance], host, reserved: RESERVED, objectId };
    return host.enter(() => event(holder));
  }

  dup(): Remote {
    return this;
  }

  dispose(): void {}

  /** As `connect()`, for a request: rejects with what the caller gets. */
  reach(): Promise<DurableObjectState> {
    return this.connect(({ reason, marks }, inConstructor) =>
      this.#explain(reason, inConstructor ? { remote: true, ...marks } : marks),
    );
  }

  /** Settles as the request that runs, but rejects with what the caller gets. */
  explained<T>(running: Promise<T>, state: DurableObjectState): Promise<T> {
    if (!(state instanceof ModernState)) return running;
    return running.catch((error) => {
      const isReset = state[kBroken] !== undefined && state[kBroken].reason === error;
      const durableObjectId = this.#id.toString();
      throw this.#explain(
        error,
        isReset ? { remote: true, durableObjectReset: true } : { remote: true, durableObjectId },
      );
    });
  }

  #explain(reason: unknown, marks: ErrorMarks): unknown {
    const { realm, style } = this.side;
    return errorForCaller(reason, realm, style.enhancedErrors, marks, undefined);
  }
}
