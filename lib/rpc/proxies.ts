/** The proxies that callers hold: promises of results, properties of the other side, and stubs. */
import { type PromiseLikeRef, RpcPromise, RpcProperty, RpcStub, ServiceStub } from "./classes";
import type { Proxies } from "./copy";
import { callableTarget, PathHandler } from "./handlers";
import { refOf, type Service, type Side, type StubRef, setRef } from "./refs";
import type { Remote } from "./remote";
import { disposeResult, type Message, type Sent, send, unsent } from "./send";

/** As in workerd: a first segment and 64 more. */
const PATH_SEGMENTS_MAX = 65;

/** Where a path of properties begins. */
export interface Source {
  readonly side: Side;
  /**
   * The remote to send to.
   *
   * # Errors Why no remote exists any more.
   */
  use(): Remote;
}

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
export const proxies: Proxies = {
  stub(ref, side) {
    const proxy = new Proxy(callableTarget(), new StubHandler(ref, side));
    setRef(proxy, ref);
    ref.proxied = (other) => proxies.stub(other, side);
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
