/** The classes of what callers hold: their prototypes have what is local, and they tell kinds apart. */
import { dispose } from "../shared/dispose";
import { unsupported } from "../shared/error";
import { kService, type PassingRef, refOf, type StubRef } from "./refs";

type Callback = (value: unknown) => unknown;

/** What is behind a promise or a property. */
export interface PromiseLikeRef extends PassingRef {
  promise(): Promise<unknown>;
  dispose(): void;
}

function passing(proxy: unknown): PromiseLikeRef {
  const ref = Object(proxy) === proxy ? refOf(proxy as object) : undefined;
  if (ref?.kind !== "passing") throw new TypeError("Illegal invocation");
  return ref as PromiseLikeRef;
}

function checkFunction(method: string, { name }: PassingRef, place: number, value: unknown): void {
  if (typeof value === "function") return;
  throw new TypeError(
    `Failed to execute '${method}' on 'Js${name}': parameter ${place} is not of type 'Function'.`,
  );
}

/** What promises and properties have in common. */
class Thenable {
  constructor() {
    throw new TypeError("Illegal constructor");
  }

  // biome-ignore lint/suspicious/noThenProperty: it stands for a result
  then(resolved: Callback, rejected?: Callback): Promise<unknown> {
    const ref = passing(this);
    checkFunction("then", ref, 1, resolved);
    if (rejected !== undefined) checkFunction("then", ref, 2, rejected);
    return ref.promise().then(resolved, rejected);
  }

  catch(rejected: Callback): Promise<unknown> {
    const ref = passing(this);
    checkFunction("catch", ref, 1, rejected);
    return ref.promise().catch(rejected);
  }

  finally(settled: () => void): Promise<unknown> {
    const ref = passing(this);
    checkFunction("finally", ref, 1, settled);
    return ref.promise().finally(settled);
  }
}

/** The result of a call. Calls can be made on it before it has come. */
export class RpcPromise extends Thenable {
  get [Symbol.toStringTag](): string {
    return "JsRpcPromise";
  }
}

/** A property of the other side: it can be called, and reading it means waiting for it. */
export class RpcProperty extends Thenable {
  get [Symbol.toStringTag](): string {
    return "JsRpcProperty";
  }
}

function stubRef(proxy: unknown): StubRef {
  const ref = Object(proxy) === proxy ? refOf(proxy as object) : undefined;
  if (ref?.kind !== "stub") throw new TypeError("Illegal invocation");
  return ref;
}

/** Refers to a function or an object of another host, or of this one. */
export class RpcStub {
  get [Symbol.toStringTag](): string {
    return "JsRpcStub";
  }

  /** Another stub of the same, which has to be disposed too. */
  dup(): object {
    const ref = stubRef(this);
    return ref.proxied(ref.dup());
  }
}

/** Reaches an object or a service by a binding. */
export class ServiceStub {
  static [Symbol.hasInstance](value: unknown): boolean {
    if (Object(value) !== value) return false;
    return refOf(value as object)?.kind === "service" || kService in (value as object);
  }

  constructor() {
    throw new TypeError("Illegal constructor");
  }

  get [Symbol.toStringTag](): string {
    return "Fetcher";
  }

  fetch(input: unknown, init?: unknown): Promise<unknown> {
    const ref = refOf(this);
    if (ref?.kind !== "service") throw new TypeError("Illegal invocation");
    return ref.service.fetch(input, init);
  }

  connect(): never {
    throw unsupported("connect()");
  }
}

function defineDispose(prototype: object, run: (self: unknown) => void): void {
  const value = function (this: unknown): void {
    run(this);
  };
  Object.defineProperty(prototype, dispose, { value, writable: true, configurable: true });
}

defineDispose(RpcPromise.prototype, (self) => passing(self).dispose());
defineDispose(RpcStub.prototype, (self) => stubRef(self).dispose());
