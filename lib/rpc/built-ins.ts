/**
 * Copies objects of the classes that the language itself defines into a realm, as far as structured cloning knows them.
 */
import { types } from "node:util";
import {
  copyProperties,
  dataCloneError,
  headOf,
  isDomException,
  kindOf,
  messageOf,
  nameOf,
  newDomException,
  newError,
} from "./error-kinds";
import type { Realm } from "./realm";

export interface Copying {
  realm: Realm;
  /** Whether errors keep what users have added to them. */
  enhanced?: boolean;
  /** Is called with the copy of what has parts before they are copied: a value may hold itself. */
  remember(copy: object): void;
  copy(part: unknown): unknown;
  /** Is told of bytes that the value takes, at least. */
  count?(bytes: number): void;
}

type View = Exclude<NodeJS.ArrayBufferView, Buffer>;
type ViewConstructor = new (buffer: ArrayBufferLike, start: number, length: number) => View;

const VIEWS = new Map<string, ViewConstructor>(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((View) => [View.name, View as unknown as ViewConstructor]),
);

const tagOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** Copies one object; an object that is none of the language's own is taken for a list of properties. */
export function copyBuiltIn(value: object, copying: Copying): unknown {
  if (Array.isArray(value)) return copyArray(value, copying);
  if (types.isMap(value)) return copyMap(value, copying);
  if (types.isSet(value)) return copySet(value, copying);
  if (types.isNativeError(value) || isDomException(value)) return copyError(value, copying);
  return copySimple(value, copying) ?? copyOwn(value, copying.realm.object(), copying);
}

function copySimple(value: object, copying: Copying): object | undefined {
  const { realm } = copying;
  if (types.isDate(value)) return realm.make(Date, Date.prototype.getTime.call(value));
  if (types.isRegExp(value)) return realm.make(RegExp, value.source, value.flags);
  if (types.isArrayBuffer(value)) return copyBuffer(value, copying);
  if (ArrayBuffer.isView(value)) return copyView(value as NodeJS.ArrayBufferView, copying);
  if (types.isBoxedPrimitive(value)) return copyBoxed(value, realm);
  return undefined;
}

/** Whether an object is one of those above, so that its prototype does not matter. */
export function isBuiltIn(value: object): boolean {
  return (
    Array.isArray(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isNativeError(value) ||
    isDomException(value) ||
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    (types.isBoxedPrimitive(value) && !types.isSymbolObject(value))
  );
}

function copyArray(value: unknown[], copying: Copying): unknown[] {
  const { length } = value;
  const array = copying.realm.array(length);
  copying.remember(array);
  copying.count?.(length);
  let dense = 0;
  for (; dense < length && dense in value; dense++) array[dense] = copying.copy(value[dense]);
  const keys = Object.keys(value);
  if (dense !== length || keys.length > length) {
    for (const key of keys) {
      if (!(key in array)) define(array, key, copying.copy(value[key as unknown as number]));
    }
  }
  return array;
}

function copyMap(value: Map<unknown, unknown>, copying: Copying): object {
  const map = copying.realm.make(Map<unknown, unknown>);
  copying.remember(map);
  for (const [key, part] of [...Map.prototype.entries.call(value)]) {
    Map.prototype.set.call(map, copying.copy(key), copying.copy(part));
  }
  return map;
}

function copySet(value: Set<unknown>, copying: Copying): object {
  const set = copying.realm.make(Set<unknown>);
  copying.remember(set);
  for (const part of [...Set.prototype.values.call(value)]) {
    Set.prototype.add.call(set, copying.copy(part));
  }
  return set;
}

function copyError(value: Error, copying: Copying): Error {
  if (isDomException(value)) return newDomException(copying.realm, value.message, value.name);
  const kind = kindOf(nameOf(value));
  const error = newError(copying.realm, kind, messageOf(value));
  copying.remember(error);
  if (copying.enhanced === false) {
    define(error, "stack", value.stack, false);
    const { cause } = value;
    if (Object.hasOwn(value, "cause")) define(error, "cause", copying.copy(cause), false);
  } else {
    copyProperties(value, error, copying.copy, kind === undefined);
    define(error, "stack", headOf(error), false);
  }
  if (!Object.hasOwn(value, "message")) Reflect.deleteProperty(error, "message");
  return error;
}

function copyBuffer(value: ArrayBuffer, { realm, count }: Copying): ArrayBuffer {
  count?.(value.byteLength);
  const buffer = realm.make(ArrayBuffer, value.byteLength);
  new Uint8Array(buffer).set(new Uint8Array(value));
  return buffer;
}

/** Views of one buffer share its copy, as in structured cloning; a pooled buffer of Node.js is not copied as a whole. */
function copyView(view: NodeJS.ArrayBufferView, copying: Copying): object {
  const { buffer, byteOffset, byteLength } = view;
  if (types.isSharedArrayBuffer(buffer)) {
    throw dataCloneError("#<SharedArrayBuffer> could not be cloned.");
  }
  const Class = types.isDataView(view) ? DataView : VIEWS.get(tagOf.call(view) as string)!;
  const unit = types.isDataView(view) ? 1 : (view as Uint8Array).BYTES_PER_ELEMENT;
  if (Buffer.isBuffer(view)) {
    const own = copyBuffer(buffer.slice(byteOffset, byteOffset + byteLength), copying);
    return copying.realm.make(Class as ViewConstructor, own, 0, byteLength);
  }
  const copy = copying.copy(buffer) as ArrayBuffer;
  return copying.realm.make(Class as ViewConstructor, copy, byteOffset, byteLength / unit);
}

function copyBoxed(value: object, realm: Realm): object | undefined {
  if (types.isNumberObject(value)) return realm.make(Number, Number.prototype.valueOf.call(value));
  if (types.isStringObject(value)) return realm.make(String, String.prototype.valueOf.call(value));
  if (types.isBooleanObject(value)) {
    return realm.make(Boolean, Boolean.prototype.valueOf.call(value));
  }
  if (types.isBigIntObject(value)) return Object(BigInt.prototype.valueOf.call(value));
  return undefined;
}

function copyOwn(value: object, copy: Record<string, unknown>, copying: Copying): object {
  copying.remember(copy);
  for (const key of Object.keys(value)) {
    copying.count?.(key.length);
    const part = copying.copy((value as Record<string, unknown>)[key]);
    if (key === "__proto__") define(copy, key, part);
    else copy[key] = part;
  }
  return copy;
}

function define(object: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable, configurable: true });
}
