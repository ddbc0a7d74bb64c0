/** Gives workers the ids of one binding, and stubs for them. */
import type { PluginContext } from "@miniflare/shared";
import { IdFactory } from "../native/addon";
import { received } from "../shared/error";
import { kObjectName } from "../shared/symbols";
import { DurableObjectId } from "./id";
import { type DurableObjectFactory, DurableObjectStub } from "./stub";

export { DurableObjectId };

export interface NewUniqueIdOptions {
  jurisdiction?: string;
}

const JURISDICTIONS: readonly unknown[] = [undefined, "eu", "fedramp"];
const HEX_ID = /^[A-Fa-f0-9]{64}$/;

function wrongArgument(method: string, type: string, value: unknown): TypeError {
  return new TypeError(
    `Failed to execute '${method}' on 'DurableObjectNamespace': parameter 1 is not of type '${type}'. (received ${received(value)})`,
  );
}

function checkJurisdiction(method: string, jurisdiction: unknown): void {
  if (JURISDICTIONS.includes(jurisdiction)) return;
  throw new TypeError(
    `${method} called with an unsupported jurisdiction: "${String(jurisdiction)}"`,
  );
}

export class DurableObjectNamespace {
  readonly #objectName: string;
  readonly #factory: DurableObjectFactory;
  readonly #ctx: PluginContext | undefined;
  readonly #ids: IdFactory;

  constructor(objectName: string, factory: DurableObjectFactory, ctx?: PluginContext) {
    this.#objectName = objectName;
    this.#factory = factory;
    this.#ctx = ctx;
    this.#ids = new IdFactory(objectName);
  }

  get [kObjectName](): string {
    return this.#objectName;
  }

  /** Returns this namespace: all data is local, so a jurisdiction is only checked. */
  jurisdiction(name?: string): DurableObjectNamespace {
    checkJurisdiction("jurisdiction", name);
    return this;
  }

  newUniqueId(options?: NewUniqueIdOptions): DurableObjectId {
    checkJurisdiction("newUniqueId", options?.jurisdiction);
    return new DurableObjectId(this.#objectName, this.#ids.newUniqueId(Date.now()));
  }

  idFromName(name: string): DurableObjectId {
    if (typeof name !== "string") throw wrongArgument("idFromName", "string", name);
    return new DurableObjectId(this.#objectName, this.#ids.idFromName(name), name);
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
    return new DurableObjectId(this.#objectName, this.#ids.idFromString(text));
  }

  get(id: DurableObjectId): DurableObjectStub {
    if (id === undefined || id === null) throw wrongArgument("get", "DurableObjectId", id);
    if (id[kObjectName] !== this.#objectName || !this.#ids.owns(id.toString())) {
      throw new TypeError("ID is not for this Durable Object class.");
    }
    return new DurableObjectStub(this.#factory, id, this.#ctx);
  }
}
