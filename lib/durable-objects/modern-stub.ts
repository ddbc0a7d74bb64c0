/** The stub of a worker with RPC: a member that it does not have itself is a member of its object. */
import type { PluginContext } from "@miniflare/shared";
import { kService, type Service } from "../rpc";
import { unsupported } from "../shared/error";
import type { DurableObjectId } from "./id";
import type { DurableObjectFactory, ObjectRemote } from "./object-rpc";
import { DurableObjectStub } from "./stub";

const INDEX = /^(0|[1-9][0-9]*)$/;

export class ModernStub extends DurableObjectStub {
  readonly #remote: ObjectRemote;

  static {
    putMembersBehind(ModernStub.prototype, (stub) =>
      #remote in stub && stub.#remote.hasRpc !== false ? stub.#remote : undefined,
    );
  }

  constructor(
    factory: DurableObjectFactory,
    id: DurableObjectId,
    ctx: PluginContext | undefined,
    remote: ObjectRemote,
  ) {
    super(factory, id, ctx, remote);
    this.#remote = remote;
    Object.defineProperty(this, "name", { value: id.name, enumerable: true });
  }

  get [Symbol.toStringTag](): string | undefined {
    return #remote in this && this.#remote.hasRpc !== false ? "DurableObject" : undefined;
  }

  connect(): never {
    throw unsupported("connect()");
  }

  /** What the stub becomes where it is passed to. */
  get [kService](): Service {
    const remote = this.#remote;
    return { remote, fetch: (input, init) => this.fetch(input as never, init as never) };
  }
}

Object.defineProperty(ModernStub, "name", { value: DurableObjectStub.name });

/** Lets a prototype inherit the members of objects, and after them what it inherits itself. */
function putMembersBehind(
  prototype: object,
  remoteOf: (stub: object) => ObjectRemote | undefined,
): void {
  const parent = Object.getPrototypeOf(prototype) as object;
  const members = new Proxy(Object.create(parent) as object, {
    get(target, key, stub) {
      if (typeof key === "symbol" || key in target) return Reflect.get(target, key, stub);
      return isMember(key) ? remoteOf(stub)?.property(key) : undefined;
    },
    has: (target, key) => key in target || (typeof key === "string" && isMember(key)),
  });
  const { fetch } = Object.getOwnPropertyDescriptors(parent) as { fetch: PropertyDescriptor };
  // Found before the proxy, which is slow.
  Object.defineProperty(prototype, "fetch", fetch);
  Object.setPrototypeOf(prototype, members);
}

/** Whether objects can have a member of this name: a stub is no thenable, no array, and can be shown as JSON. */
function isMember(name: string): boolean {
  return name !== "then" && name !== "toJSON" && !INDEX.test(name);
}
