/** Gives workers the ids of one binding, and stubs for them. */
import type { PluginContext } from "@miniflare/shared";
import { IdFactory } from "../native/addon";
import { received } from "../shared/error";
import { kObjectName } from "../shared/symbols";
import { DurableObjectId } from "./id";
import { ModernStub } from "./modern-stub";
import { type NamespaceSide, ObjectRemote } from "./object-rpc";
import { type DurableObjectFactory, DurableObjectStub } from "./stub";

export { DurableObjectId };

export interface NewUniqueIdOptions {
  jurisdiction?: string | null;
}

export interface GetOptions {
  /** Where the object should be constructed; everything is local. */
  locationHint?: string;
  routingMode?: string;
}

const JURISDICTIONS: readonly unknown[] = ["eu", "fedramp", "fedramp-high", "us"];
const HEX_ID = /^[A-Fa-f0-9]{64}$/;

function wrongArgument(method: string, type: string, value: unknown): TypeError {
  return new TypeError(
    `Failed to execute '${method}' on 'DurableObjectNamespace': parameter 1 is not of type '${type}'. (received ${received(value)})`,
  );
}

function checkJurisdiction(method: string, jurisdiction: unknown): void {
  if (jurisdiction === undefined || jurisdiction === null) return;
  if (JURISDICTIONS.includes(jurisdiction)) return;
  throw new TypeError(
    `${method} called with an unsupported jurisdiction: "${String(jurisdiction)}"`,
  );
}

function checkOptions(method: string, options: GetOptions | undefined | null): void {
  if (options === undefined || options === null) return;
  if (typeof options !== "object" && typeof options !== "function") {
    throw new TypeError(
      `Failed to execute '${method}' on 'DurableObjectNamespace': parameter 2 is not of type 'GetDurableObjectOptions'.`,
    );
  }
  const { routingMode } = options;
  if (routingMode === undefined || String(routingMode) === "primary-only") return;
  throw new RangeError(`unknown routingMode: ${String(routingMode)}`);
}

export class DurableObjectNamespace {
  readonly #objectName: string;
  readonly #factory: DurableObjectFactory;
  readonly #ctx: PluginContext | undefined;
  readonly #ids: IdFactory;
  readonly #side: NamespaceSide | undefined;
  readonly #jurisdiction: string | undefined;

  constructor(
    objectName: string,
    factory: DurableObjectFactory,
    ctx?: PluginContext,
    side?: NamespaceSide,
    jurisdiction?: string,
  ) {
    this.#objectName = objectName;
    this.#factory = factory;
    this.#ctx = ctx;
    this.#ids = new IdFactory(objectName);
    this.#side = side;
    this.#jurisdiction = jurisdiction;
  }

  get [kObjectName](): string {
    return this.#objectName;
  }

  /** Whether the worker has modern classes, or may have: another one sees nothing that Miniflare 2 does not have. */
  get #isModern(): boolean {
    return this.#side !== undefined && this.#side.hasRpc !== false;
  }

  /** Returns a namespace of the same objects whose ids name the jurisdiction; all data is local. */
  jurisdiction(name?: string | null): DurableObjectNamespace {
    checkJurisdiction("jurisdiction", name);
    if (name === undefined || name === null || !this.#isModern) return this;
    return new DurableObjectNamespace(this.#objectName, this.#factory, this.#ctx, this.#side, name);
  }

  newUniqueId(options?: NewUniqueIdOptions): DurableObjectId {
    checkJurisdiction("newUniqueId", options?.jurisdiction);
    const given = this.#isModern ? options?.jurisdiction : undefined;
    const jurisdiction = given ?? this.#jurisdiction;
    return this.#id(this.#ids.newUniqueId(Date.now()), undefined, jurisdiction);
  }

  idFromName(name: string): DurableObjectId {
    if (typeof name !== "string") throw wrongArgument("idFromName", "string", name);
    return this.#id(this.#ids.idFromName(name), name);
  }

  /**
   * # Errors
   * A `TypeError` if `hexId` is not 64 hex digits, or not an id of this binding. The end of an id tells the binding and
   * is compared as it is written, so an id in upper case is refused.
   */
  idFromString(hexId: string): DurableObjectId {
    const text = String(hexId);
    if (typeof hexId !== "string" && HEX_ID.test(text)) {
      throw wrongArgument("idFromString", "string", hexId);
    }
    return this.#id(this.#ids.idFromString(text));
  }

  /** The stub of an object. `Members` are those of its class that callers use, for TypeScript. */
  get<Members extends object = object>(
    id: DurableObjectId,
    options?: GetOptions,
  ): DurableObjectStub & Members {
    if (id === undefined || id === null) throw wrongArgument("get", "DurableObjectId", id);
    if (id[kObjectName] !== this.#objectName || !this.#ids.owns(id.toString())) {
      throw new TypeError("ID is not for this Durable Object class.");
    }
    if (this.#jurisdiction !== undefined && id.jurisdiction !== this.#jurisdiction) {
      throw new TypeError(
        "get called on jurisdictional subnamespace with an ID from a different jurisdiction",
      );
    }
    checkOptions("get", options);
    return this.#stub(id) as DurableObjectStub & Members;
  }

  /** The stub of the object of a name: `get(idFromName(name))` in one. */
  getByName<Members extends object = object>(
    ...given: [name: string, options?: GetOptions]
  ): DurableObjectStub & Members {
    const [name, options] = given;
    if (given.length < 1) {
      throw new TypeError(
        "Failed to execute 'getByName' on 'DurableObjectNamespace': parameter 1 is not of type 'string'.",
      );
    }
    checkOptions("getByName", options);
    return this.#stub(this.idFromName(asString(name))) as DurableObjectStub & Members;
  }

  #id(hexId: string, name?: string, jurisdiction = this.#jurisdiction): DurableObjectId {
    return new DurableObjectId(this.#objectName, hexId, name, jurisdiction);
  }

  #stub(id: DurableObjectId): DurableObjectStub {
    const side = this.#side;
    if (side === undefined || !this.#isModern) {
      return new DurableObjectStub(this.#factory, id, this.#ctx);
    }
    const remote = new ObjectRemote(this.#factory, id, side);
    return new ModernStub(this.#factory, id, this.#ctx, remote);
  }
}

function asString(value: unknown): string {
  if (typeof value === "symbol") throw new TypeError("Cannot convert a Symbol value to a string");
  return String(value);
}
