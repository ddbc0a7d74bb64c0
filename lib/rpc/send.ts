/** Makes one call, or reads one property: arguments there, the result back, and a handle for calls on the result. */
import type { Awaitable } from "@miniflare/shared";
import { dispose } from "../shared/dispose";
import { setImmediate } from "../shared/real-timers";
import { type Parcel, type Proxies, pack } from "./copy";
import { type ErrorMarks, errorAtCaller, errorForCaller } from "./errors";
import { asSubrequest, type Host } from "./host";
import { find, notCallable } from "./path";
import type { Realm } from "./realm";
import { refOf, type Side } from "./refs";
import { Broken, disposeOf, type Holder, type Remote, type RemoteEvent } from "./remote";

export interface Message {
  /** Whose result it will be. */
  side: Side;
  path: readonly string[];
  /** Without arguments a property is read. */
  args: unknown[] | undefined;
  proxies: Proxies;
  /** The function above which the caller's stack begins. */
  above: (...args: never[]) => unknown;
}

export interface Sent {
  /** The result, in the caller's realm. */
  result: Promise<unknown>;
  /** The callee's own result, to make calls on. */
  own: OwnResult;
}

/** The stubs in a result, by the result: disposing of it disposes of them. */
const resultStubs = new WeakMap<object, () => void>();

/** What a callee has returned, before it was copied. */
export class OwnResult implements Remote {
  readonly realm: Realm;
  readonly #holder: Promise<Holder>;
  resolve!: (holder: Holder) => void;
  reject!: (error: unknown) => void;

  constructor(realm: Realm) {
    this.realm = realm;
    this.#holder = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.#holder.catch(() => {});
  }

  enter<T>(event: RemoteEvent<T>): Promise<T> {
    return asSubrequest(() =>
      this.#holder.then((holder) => holder.host.enter(() => event(holder))),
    );
  }

  dup(): Remote {
    return this;
  }

  dispose(): void {}
}

export function send(remote: Remote, message: Message): Sent {
  const own = new OwnResult(remote.realm);
  const trace: { stack?: string } = {};
  Error.captureStackTrace(trace, message.above);
  const result = new Call(remote, message, own, trace).run();
  result.catch(own.reject);
  return { result, own };
}

/** A call that failed before it was sent. */
export function unsent(error: unknown, { side }: Message): Sent {
  const own = new OwnResult(side.realm);
  own.reject(error);
  const result = Promise.reject(error);
  result.catch(() => {});
  return { result, own };
}

/** Disposes of the stubs in a result of a call; what holds none is left alone. */
export function disposeResult(result: unknown): void {
  if (typeof result !== "object" && typeof result !== "function") return;
  if (result === null) return;
  const ref = refOf(result);
  if (ref?.kind === "stub") ref.dispose();
  resultStubs.get(result)?.();
}

type Outcome = { value: unknown } | { error: unknown };

class Call {
  readonly #remote: Remote;
  readonly #message: Message;
  readonly #own: OwnResult;
  readonly #trace: { stack?: string };
  #packed: Parcel<unknown[] | undefined> | undefined;

  constructor(remote: Remote, message: Message, own: OwnResult, trace: { stack?: string }) {
    this.#remote = remote;
    this.#message = message;
    this.#own = own;
    this.#trace = trace;
  }

  async run(): Promise<unknown> {
    const { args, side, proxies } = this.#message;
    const transfer = !side.style.dupStubs;
    try {
      this.#packed = pack(args, { from: side.realm, to: this.#calleeSide(), proxies, transfer });
    } catch (error) {
      throw errorAtCaller(error, side.realm);
    }
    try {
      const outcome = await this.#remote.enter((holder) => this.#execute(holder));
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    } catch (error) {
      throw error instanceof Broken ? this.#explain(error.reason, error.marks) : error;
    } finally {
      for (const stub of this.#packed.stubs) stub.dispose();
    }
  }

  #calleeSide(): Side {
    return { realm: this.#remote.realm, style: this.#message.side.style };
  }

  async #execute(holder: Holder): Promise<Outcome> {
    try {
      const value: unknown = await this.#evaluate(holder);
      const result = this.#deliver(value, holder.host);
      this.#own.resolve({ ...holder, value, reserved: undefined });
      return { value: result };
    } catch (thrown) {
      const marks: ErrorMarks = { remote: true };
      if (holder.objectId !== undefined) marks.durableObjectId = holder.objectId;
      return { error: this.#explain(thrown, marks) };
    }
  }

  #explain(thrown: unknown, marks: ErrorMarks): unknown {
    const { realm, style } = this.#message.side;
    return errorForCaller(thrown, realm, style.enhancedErrors, marks, this.#trace);
  }

  #evaluate(holder: Holder): Awaitable<unknown> {
    const { path } = this.#message;
    const found = find(holder, path);
    const args = this.#packed!.value;
    if (found.kind === "stub") return this.#forward(found.stub, found.rest, args);
    if (args === undefined) return found.value;
    if (typeof found.value !== "function") throw notCallable(path);
    return Reflect.apply(found.value, found.holder, args);
  }

  /** Goes on with a stub that the callee holds: as a call of the callee. */
  #forward(stub: object, path: readonly string[], args: unknown[] | undefined): Awaitable<unknown> {
    if (path.length === 0 && args === undefined) return stub;
    const { proxies, above } = this.#message;
    const ref = refOf(stub)!;
    if (ref.kind === "passing")
      throw new TypeError(`${ref.name} cannot be called through another call.`);
    const remote = ref.kind === "stub" ? ref.use() : ref.service.remote;
    return send(remote, { side: this.#calleeSide(), path, args, proxies, above }).result;
  }

  #deliver(value: unknown, host: Host): unknown {
    const { side, proxies } = this.#message;
    const parcel = pack(value, { from: this.#remote.realm, to: side, proxies, transfer: true });
    addDisposer(parcel.value, () => {
      for (const stub of parcel.stubs) stub.dispose();
      if (typeof value !== "object" || value === null || refOf(value) !== undefined) return;
      setImmediate(() => void host.enter(() => disposeOf(value)).catch(() => {}));
    });
    return parcel.value;
  }
}

/** Gives an object that was returned a disposer for all stubs in it. */
function addDisposer(result: unknown, run: () => void): void {
  if (typeof result !== "object" || result === null || refOf(result) !== undefined) return;
  let done = false;
  const value = () => {
    if (!done) run();
    done = true;
  };
  resultStubs.set(result, value);
  Object.defineProperty(result, dispose, { value, writable: true, configurable: true });
}
