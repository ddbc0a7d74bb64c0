/** What is behind the proxies that callers hold. Our own code asks, to tell proxies from a user's own objects. */
import { dataCloneError } from "./error-kinds";
import type { Realm } from "./realm";
import type { Remote } from "./remote";

/** Whose stub it is: the realm of its results, and how values cross by its worker's compatibility date and flags. */
export interface Side {
  readonly realm: Realm;
  readonly style: Style;
}

export interface Style {
  /** Errors keep what users have added to them. */
  readonly enhancedErrors: boolean;
  /** A stub that is passed as an argument stays the caller's; otherwise it is disposed. */
  readonly dupStubs: boolean;
}

/** A stub that counts as a user of what it refers to until it is disposed. */
export class StubRef {
  readonly kind = "stub";
  readonly remote: Remote;
  #disposed = false;
  /** Makes a proxy like the one of this stub. */
  proxied!: (ref: StubRef) => object;

  constructor(remote: Remote) {
    this.remote = remote;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * The remote, to make a call on.
   *
   * # Errors
   * If the stub has been disposed.
   */
  use(): Remote {
    if (this.#disposed) throw new Error("RPC stub used after being disposed.");
    return this.remote;
  }

  /** One more stub of the same; of a disposed one, a disposed one. */
  dup(): StubRef {
    if (!this.#disposed) return new StubRef(this.remote.dup());
    const copy = new StubRef(this.remote);
    copy.#disposed = true;
    return copy;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.remote.dispose();
  }
}

/** A promise or property of RPC, which cannot be passed on. */
export interface PassingRef {
  readonly kind: "passing";
  readonly name: "RpcPromise" | "RpcProperty";
}

/** An object that is reached by a binding or an id: there is nothing to dispose. */
export interface ServiceRef {
  readonly kind: "service";
  readonly service: Service;
}

/** What a service stub needs, wherever it is passed to. */
export interface Service {
  readonly remote: Remote;
  fetch(input: unknown, init: unknown): Promise<unknown>;
}

export type Ref = StubRef | PassingRef | ServiceRef;

/** On an object that can be passed as a service: the service. */
export const kService = Symbol("kService");

const refs = new WeakMap<object, Ref>();

export function setRef(proxy: object, ref: Ref): void {
  refs.set(proxy, ref);
}

export function refOf(value: object): Ref | undefined {
  return refs.get(value);
}

export function cannotPass({ name }: PassingRef): DOMException {
  return dataCloneError(
    `Could not serialize object of type "${name}". This type does not support serialization.`,
  );
}
