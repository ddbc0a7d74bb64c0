/** The proxies that callers hold: promises of results, properties of the other side, and stubs. */
import { types } from "node:util";
import { isObjectPrototype } from "../codec/ordinary";
import { dispose } from "../shared/dispose";
import { unsupported } from "../shared/error";
import { emulatesTarget, type Proxies } from "./copy";
import { callableTarget, PathHandler } from "./handlers";
import { currentHost } from "./host";
import { realmOfValue } from "./realm";
import { kService, type PassingRef, refOf, type Service, type Side, StubRef, setRef } from "./refs";
import { Exported, type Remote } from "./remote";
import { disposeResult, type Message, type Sent, send, unsent } from "./send";
import { RpcTarget } from "./target";

/** As in workerd: a first segment and 64 more. */
const PATH_SEGMENTS_MAX = 65;

/** Where a path of properties begins. */
export interface Source {
  readonly side: Side;
  /**
   * The remote to send to.
   *
   * # Errors
   * Why there is none any more.
   */
  use(): Remote;
}

type Callback = (value: unknown) => unknown;

interface PromiseLikeRef extends PassingRef {
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

/** The result of a call, and what calls can be made on before it is there. */
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
    return proxies.stub(stubRef(this).dup(), sides.get(this)!);
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

/** Whose stub it is. */
const sides = new WeakMap<object, Side>();

function defineDispose(prototype: object, run: (self: unknown) => void): void {
  const value = function (this: unknown): void {
    run(this);
  };
  Object.defineProperty(prototype, dispose, { value, writable: true, configurable: true });
}

defineDispose(RpcPromise.prototype, (self) => passing(self).dispose());
defineDispose(RpcStub.prototype, (self) => stubRef(self).dispose());

class PromiseHandler extends PathHandler<() => void> implements Source, PromiseLikeRef {
  readonly kind = "passing";
  readonly name = "RpcPromise";
  protected readonly prototype = RpcPromise.prototype;
  readonly side: Side;
  readonly #sent: Sent;
  #settled: { value: unknown } | undefined;
  #disposed = false;

  constructor(side: Side, sent: Sent) {
    super();
    this.side = side;
    this.#sent = sent;
    sent.result.then(
      (value) => {
        this.#settled = { value };
        if (this.#disposed) disposeResult(value);
      },
      () => {},
    );
  }

  promise(): Promise<unknown> {
    return this.#sent.result;
  }

  use(): Remote {
    if (this.#disposed) throw new Error("RPC promise used after being disposed.");
    if (this.#settled === undefined) return this.#sent.own;
    const { value } = this.#settled;
    if (Object(value) !== value) {
      throw new TypeError("Can't pipeline on RPC that did not return an object.");
    }
    const ref = refOf(value as object);
    return ref?.kind === "stub" ? ref.use() : this.#sent.own;
  }

  dispose(): void {
    this.#disposed = true;
    if (this.#settled !== undefined) disposeResult(this.#settled.value);
  }

  apply(_target: () => void, _this: unknown, args: unknown[]): object {
    return call(this, [], args, PromiseHandler.prototype.apply);
  }

  construct(_target: () => void, args: unknown[]): object {
    return call(this, [], args, PromiseHandler.prototype.construct);
  }

  protected property(name: string): object {
    return property(this, [name]);
  }
}

class PropertyHandler extends PathHandler<() => void> implements PromiseLikeRef {
  readonly kind = "passing";
  readonly name = "RpcProperty";
  protected readonly prototype = RpcProperty.prototype;
  readonly #source: Source;
  readonly #path: readonly string[];

  constructor(source: Source, path: readonly string[]) {
    super();
    this.#source = source;
    this.#path = path;
  }

  /** Reads the property, each time again. */
  promise(): Promise<unknown> {
    return request(this.#source, this.#path, undefined, PropertyHandler.prototype.promise).result;
  }

  dispose(): void {}

  apply(_target: () => void, _this: unknown, args: unknown[]): object {
    return call(this.#source, this.#path, args, PropertyHandler.prototype.apply);
  }

  construct(_target: () => void, args: unknown[]): object {
    return call(this.#source, this.#path, args, PropertyHandler.prototype.construct);
  }

  protected property(name: string): object {
    return property(this.#source, [...this.#path, name]);
  }
}

class StubHandler extends PathHandler<() => void> implements Source {
  protected readonly prototype = RpcStub.prototype;
  readonly side: Side;
  readonly #ref: StubRef;

  constructor(ref: StubRef, side: Side) {
    super();
    this.#ref = ref;
    this.side = side;
  }

  use(): Remote {
    return this.#ref.use();
  }

  apply(_target: () => void, _this: unknown, args: unknown[]): object {
    return call(this, [], args, StubHandler.prototype.apply);
  }

  construct(_target: () => void, args: unknown[]): object {
    return call(this, [], args, StubHandler.prototype.construct);
  }

  protected property(name: string): object | undefined {
    return name === "then" ? undefined : property(this, [name]);
  }
}

class ServiceHandler extends PathHandler<object> implements Source {
  protected readonly prototype = ServiceStub.prototype;
  readonly side: Side;
  readonly #service: Service;

  constructor(service: Service, side: Side) {
    super();
    this.#service = service;
    this.side = side;
  }

  use(): Remote {
    return this.#service.remote;
  }

  protected property(name: string): object | undefined {
    return name === "then" ? undefined : property(this, [name]);
  }
}

/** Makes the proxies that values of the other side become. */
const proxies: Proxies = {
  stub(ref, side) {
    const proxy = new Proxy(callableTarget(), new StubHandler(ref, side));
    setRef(proxy, ref);
    sides.set(proxy, side);
    return proxy;
  },
  service: serviceStub,
};

/** Something that a binding reaches, for a worker. */
export function serviceStub(service: Service, side: Side): object {
  const proxy = new Proxy({}, new ServiceHandler(service, side));
  setRef(proxy, { kind: "service", service });
  return proxy;
}

/**
 * A property of the other side.
 *
 * # Errors
 * A `TypeError` if the path is too long.
 */
export function property(source: Source, path: readonly string[]): object {
  if (path.length > PATH_SEGMENTS_MAX) {
    throw new TypeError("RPC pipelined property path is too deep (max 64).");
  }
  const handler = new PropertyHandler(source, path);
  const proxy = new Proxy(callableTarget(), handler);
  setRef(proxy, handler);
  return proxy;
}

function call(
  source: Source,
  path: readonly string[],
  args: unknown[],
  above: Message["above"],
): object {
  const handler = new PromiseHandler(source.side, request(source, path, args, above));
  const proxy = new Proxy(callableTarget(), handler);
  setRef(proxy, handler);
  return proxy;
}

function request(
  source: Source,
  path: readonly string[],
  args: unknown[] | undefined,
  above: Message["above"],
): Sent {
  const message = { side: source.side, path, args, proxies, above };
  let remote: Remote;
  try {
    remote = source.use();
  } catch (error) {
    return unsent(error, message);
  }
  return send(remote, message);
}

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
