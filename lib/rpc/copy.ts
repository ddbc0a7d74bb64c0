/** Copies a value that crosses from one host to another; what cannot be copied becomes a stub, or an error. */
import { types } from "node:util";
import { serialize } from "node:v8";
import { isObjectPrototype } from "../codec/ordinary";
import { copyBody } from "./bodies";
import { type Copying, copyBuiltIn, isBuiltIn } from "./built-ins";
import { constructorName, dataCloneError, notSerializable } from "./error-kinds";
import { currentHost, type Host } from "./host";
import type { Realm } from "./realm";
import { cannotPass, kService, type Ref, refOf, type Service, type Side, StubRef } from "./refs";
import { Exported, type Remote } from "./remote";
import { RpcTarget } from "./target";

/** Makes the proxies of the receiver. */
export interface Proxies {
  stub(ref: StubRef, side: Side): object;
  service(service: Service, side: Side): object;
}

/** A copy, and the stubs in it. */
export interface Parcel<T = unknown> {
  value: T;
  stubs: StubRef[];
}

const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
/** At least what V8 needs for a number, and for the frame of a string. */
const PRIMITIVE_BYTES = 9;
const UNCLONABLE = /^\[object (Intl\.|WebAssembly\.|WeakRef|FinalizationRegistry|.* Iterator)/;

/** Between whom a value crosses. */
export interface Crossing {
  /** The realm of the sender, for calls of what it passes. */
  from: Realm;
  to: Side;
  proxies: Proxies;
  /** Whether stubs in the value become the receiver's, and end here. */
  transfer?: boolean;
}

/**
 * Copies a value for its receiver.
 *
 * # Errors A `DataCloneError` for a value that can neither be copied nor referred to. What a getter throws. An `Error`
 * over 32 MiB.
 */
export function pack<T>(value: T, crossing: Crossing): Parcel<T> {
  const copier = new Copier(crossing);
  try {
    const copy = copier.copy(value) as T;
    copier.checkSize(value);
    return { value: copy, stubs: copier.stubs };
  } catch (error) {
    for (const stub of copier.stubs) stub.dispose();
    throw error;
  } finally {
    copier.finish();
  }
}

class Copier implements Copying {
  readonly realm: Realm;
  readonly enhanced: boolean;
  readonly stubs: StubRef[] = [];
  readonly #crossing: Crossing;
  readonly #transferred: StubRef[] = [];
  readonly #seen = new Map<object, unknown>();
  #remembering: object | undefined;
  #host: Host | undefined;
  #bytes = 0;

  constructor(crossing: Crossing) {
    this.realm = crossing.to.realm;
    this.enhanced = crossing.to.style.enhancedErrors;
    this.#crossing = crossing;
  }

  readonly copy = (value: unknown): unknown => {
    if (typeof value === "object" && value !== null) return this.#copyObject(value);
    if (typeof value === "function")
      return this.#seen.get(value) ?? this.#refer(value, refOf(value));
    if (typeof value === "symbol") throw dataCloneError(`${String(value)} could not be cloned.`);
    this.#bytes += typeof value === "string" ? 2 * value.length : PRIMITIVE_BYTES;
    return value;
  };

  readonly remember = (copy: object): void => {
    this.#seen.set(this.#remembering!, copy);
  };

  readonly count = (bytes: number): void => {
    this.#bytes += bytes;
  };

  finish(): void {
    for (const ref of this.#transferred) ref.dispose();
  }

  /** Measures a value that may be too large. A value that holds a stub counts as it was counted. */
  checkSize(value: unknown): void {
    if (this.#bytes <= MESSAGE_BYTES_MAX) return;
    let bytes = this.#bytes;
    try {
      bytes = serialize(value).length;
    } catch {
      // V8 knows no stubs.
    }
    if (bytes <= MESSAGE_BYTES_MAX) return;
    throw new Error(
      `Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${bytes} bytes.`,
    );
  }

  #copyObject(value: object): unknown {
    const known = this.#seen.get(value);
    if (known !== undefined) return known;
    if (types.isProxy(value)) return this.#copyProxy(value);
    const copy = this.#copyOrdinary(value) ?? this.#copyOther(value);
    this.#seen.set(value, copy);
    return copy;
  }

  #copyOrdinary(value: object): unknown {
    const isPlain = isObjectPrototype(Object.getPrototypeOf(value)) && !isSpecial(value);
    if (!isPlain && !isBuiltIn(value)) return undefined;
    this.#remembering = value;
    return copyBuiltIn(value, this);
  }

  #copyOther(value: object): object {
    if (value instanceof RpcTarget) return this.#refer(value, undefined);
    const copy = copyBody(value, this) ?? this.#copyService(value);
    if (copy === undefined) throw refusal(value);
    return copy;
  }

  #copyProxy(proxy: object): unknown {
    const ref = refOf(proxy);
    if (ref !== undefined || emulatesTarget(proxy)) return this.#refer(proxy, ref);
    throw dataCloneError(
      "Proxy could not be serialized because it is not a valid RPC receiver type. " +
        "The Proxy must emulate either a plain object or an RpcTarget, as indicated by the Proxy's prototype chain.",
    );
  }

  #copyService(value: object): object | undefined {
    const service = (value as { [kService]?: Service })[kService];
    return service && this.#crossing.proxies.service(service, this.#crossing.to);
  }

  #refer(value: object, ref: Ref | undefined): object {
    if (ref?.kind === "passing") throw cannotPass(ref);
    const { proxies, to } = this.#crossing;
    let proxy: object;
    if (ref?.kind === "service") proxy = proxies.service(ref.service, to);
    else {
      const stub = new StubRef(ref === undefined ? this.#export(value) : this.#share(ref));
      this.stubs.push(stub);
      proxy = proxies.stub(stub, to);
    }
    this.#seen.set(value, proxy);
    return proxy;
  }

  #share(ref: StubRef): Remote {
    const remote = ref.use().dup();
    if (this.#crossing.transfer) this.#transferred.push(ref);
    return remote;
  }

  #export(value: object): Remote {
    this.#host ??= currentHost();
    return new Exported(duplicate(value), this.#host, this.#crossing.from);
  }
}

/** A target that can be duplicated is: its stubs dispose of the duplicate. */
function duplicate(value: object): object {
  const { dup } = value as { dup?: unknown };
  if (!(value instanceof RpcTarget) || typeof dup !== "function") return value;
  return Reflect.apply(dup, value, []);
}

/** Whether what a proxy shows as its prototypes makes it something that can be called. */
export function emulatesTarget(proxy: object): boolean {
  return isObjectPrototype(Object.getPrototypeOf(proxy)) || proxy instanceof RpcTarget;
}

/** Objects of the language that V8 refuses, though their prototype may not show it. */
function isSpecial(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value) ||
    types.isArgumentsObject(value) ||
    types.isMapIterator(value) ||
    types.isSetIterator(value) ||
    types.isModuleNamespaceObject(value) ||
    types.isSharedArrayBuffer(value) ||
    types.isSymbolObject(value)
  );
}

function refusal(value: object): DOMException {
  const tag = Object.prototype.toString.call(value);
  if (types.isGeneratorObject(value))
    return dataCloneError("[object Generator] could not be cloned.");
  if (isSpecial(value) || UNCLONABLE.test(tag)) {
    return dataCloneError(`#<${constructorName(value)}> could not be cloned.`);
  }
  return notSerializable(value);
}
