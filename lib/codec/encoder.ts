/**
 * Writes the common types of value in V8's wire format, and refuses the others before any user code has run.
 *
 * V8 keeps equal values in different forms that JavaScript cannot see. An integer may be kept as a double, an array may
 * have room for holes, Latin-1 text may be stored as UTF-16. V8's bytes show that form. The bytes of this module are
 * always those of V8's canonical form, and never longer.
 */
import { types } from "node:util";
import { serialize } from "node:v8";
import { isOrdinary } from "./ordinary";
import { SeenObjects } from "./seen";
import { writeText } from "./text";
import { HEADER_MARK, HEADER_VERSION, INT_MAX, INT_MIN, Tag } from "./wire";
import type { ByteWriter } from "./writer";

const { isDate, isProxy } = types;
const { getOwnPropertyDescriptor, isExtensible, keys } = Object;
const lookupGetter = (
  Object.prototype as unknown as { __lookupGetter__(key: PropertyKey): unknown }
).__lookupGetter__;
const timeOf = Date.prototype.getTime;

/**
 * So many objects, properties and elements are written here; V8 writes larger values. For each of them, looking for
 * getters costs as much as V8's whole work. What is saved is V8's start, which no longer counts in a larger value. The
 * limit bounds the depth, too.
 */
const PARTS_MAX = 48;
const EMPTY_OBJECT = serialize({});

const seen = new SeenObjects(PARTS_MAX);
let base = 0;
let partsLeft = 0;

/** Appends `value`, or returns `false` with an undefined tail in `out`. */
export function encodeNatively(value: unknown, out: ByteWriter): boolean {
  base = out.length;
  partsLeft = PARTS_MAX;
  try {
    out.writeByte(HEADER_MARK);
    out.writeByte(HEADER_VERSION);
    return writeValue(out, value);
  } catch {
    return false;
  } finally {
    seen.forget();
  }
}

function writeValue(out: ByteWriter, value: unknown): boolean {
  switch (typeof value) {
    case "string":
      writeText(out, value, base);
      return true;
    case "number":
      return writeNumber(out, value);
    case "boolean":
      out.writeByte(value ? Tag.TRUE : Tag.FALSE);
      return true;
    case "undefined":
      out.writeByte(Tag.UNDEFINED);
      return true;
    case "object":
      if (value !== null) return writeObject(out, value);
      out.writeByte(Tag.NULL);
      return true;
    default:
      return false;
  }
}

function isInt(value: number): boolean {
  return (
    (value | 0) === value && value <= INT_MAX && value >= INT_MIN && (value !== 0 || 1 / value > 0)
  );
}

/** Refuses NaN, whose bits JavaScript does not see. */
function writeNumber(out: ByteWriter, value: number): boolean {
  if (isInt(value)) {
    out.writeByte(Tag.INT32);
    out.writeVarint((value << 1) ^ (value >> 31));
    return true;
  }
  out.writeByte(Tag.DOUBLE);
  out.writeDouble(value);
  return !Number.isNaN(value);
}

function writeObject(out: ByteWriter, object: object): boolean {
  if (isProxy(object) || !seen.admits(object)) return false;
  if (Array.isArray(object)) return writeArray(out, object);
  if (isOrdinary(object)) return writeProperties(out, object);
  if (!isDate(object)) return false;
  const time = timeOf.call(object);
  out.writeByte(Tag.DATE);
  out.writeDouble(time);
  return !Number.isNaN(time);
}

/** Whether there is room for one more object that has `count` parts. */
function spend(count: number): boolean {
  partsLeft -= count + 1;
  return partsLeft >= 0;
}

function writeProperties(out: ByteWriter, object: object): boolean {
  const names = keys(object);
  const count = names.length;
  if (!spend(count) || (count === 0 && !writesAsEmptyObject(object))) return false;
  out.writeByte(Tag.OBJECT);
  for (let i = 0; i < count; i++) {
    const name = names[i]!;
    const property = getOwnPropertyDescriptor(object, name)!;
    if (property.get !== undefined || property.set !== undefined) return false;
    if (isIntegerLike(name)) return false;
    writeText(out, name, base);
    if (!writeValue(out, property.value)) return false;
  }
  out.writeByte(Tag.OBJECT_END);
  out.writeVarint(count);
  return true;
}

/** Integer-like names come first, and as numbers. */
function isIntegerLike(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return name.length > 0;
}

/** An object without properties shows nothing that tells it from an exotic one: V8 itself is asked. */
function writesAsEmptyObject(object: object): boolean {
  return EMPTY_OBJECT.equals(serialize(object));
}

function writeArray(out: ByteWriter, array: unknown[]): boolean {
  const length = array.length;
  if (!spend(length) || !isExtensible(array)) return false;
  if (!hasElementsOnly(array, length)) return false;
  out.writeByte(Tag.ARRAY);
  out.writeVarint(length);
  let ints = 0;
  let doubles = 0;
  for (let i = 0; i < length; i++) {
    if (lookupGetter.call(array, i) !== undefined) return false;
    const value = array[i];
    if (typeof value === "number") {
      if (isInt(value)) ints++;
      else doubles++;
    }
    if (!writeValue(out, value)) return false;
  }
  if (ints > 0 && doubles > 0) return false;
  out.writeByte(Tag.ARRAY_END);
  out.writeVarint(0);
  out.writeVarint(length);
  return true;
}

/** No hole and no further property: index keys come first and in order, so the count and the last one tell. */
function hasElementsOnly(array: unknown[], length: number): boolean {
  const names = keys(array);
  return names.length === length && (length === 0 || names[length - 1] === String(length - 1));
}
