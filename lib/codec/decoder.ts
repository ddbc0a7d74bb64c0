/**
 * Reads the common tags of V8's wire format, and refuses everything else, so that V8 decides what is an error.
 *
 * Objects are made in the realm of this module.
 */
import { readLatin1, readName, readUtf16 } from "./strings";
import { HEADER_MARK, HEADER_VERSION, Tag } from "./wire";

/** What `decodeNatively` returns for bytes that it leaves to V8. */
export const REFUSED: unique symbol = Symbol("refused");

/** Values nested deeper than this are V8's business, so that a deep one overflows the stack where V8's would. */
const DEPTH_MAX = 64;
const NOTHING = new Uint8Array(0);
const OwnDate = Date;

const doubleCell = new Float64Array(1);
const doubleBytes = new Uint8Array(doubleCell.buffer);

let bytes: Uint8Array = NOTHING;
let at = 0;
let limit = 0;

/** Reads the value in `source[start..end)`; bytes after the value are ignored, as V8 does. */
export function decodeNatively(source: Uint8Array, start: number, end: number): unknown {
  if (!(start >= 0 && start + 2 < end && end <= source.length)) return REFUSED;
  if (source[start] !== HEADER_MARK || source[start + 1] !== HEADER_VERSION) return REFUSED;
  bytes = source;
  at = start + 2;
  limit = end;
  try {
    return readValue(readTag(), 0);
  } catch {
    return REFUSED;
  } finally {
    bytes = NOTHING;
  }
}

function readValue(tag: number, depth: number): unknown {
  switch (tag) {
    case Tag.ONE_BYTE_STRING: {
      const length = readLength();
      return length < 0 ? REFUSED : readLatin1(bytes, at - length, at);
    }
    case Tag.TWO_BYTE_STRING: {
      const length = readLength();
      return length < 0 || length % 2 === 1 ? REFUSED : readUtf16(bytes, at - length, at);
    }
    case Tag.INT32: {
      const zigzag = readVarint();
      return zigzag < 0 ? REFUSED : (zigzag >>> 1) ^ -(zigzag & 1);
    }
    case Tag.DOUBLE:
      return readDouble();
    case Tag.OBJECT:
      return depth < DEPTH_MAX ? readObject(depth) : REFUSED;
    case Tag.ARRAY:
      return depth < DEPTH_MAX ? readArray(depth) : REFUSED;
    case Tag.TRUE:
      return true;
    case Tag.FALSE:
      return false;
    case Tag.NULL:
      return null;
    case Tag.UNDEFINED:
      return undefined;
    case Tag.DATE:
      return readDate();
    default:
      return REFUSED;
  }
}

/** The next tag that is not padding, or -1 at the end. */
function readTag(): number {
  while (at < limit) {
    const tag = bytes[at++]!;
    if (tag !== Tag.PADDING) return tag;
  }
  return -1;
}

/** An unsigned 32-bit number, or -1 when it is cut off or longer than five bytes. */
function readVarint(): number {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    if (at >= limit) return -1;
    const byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  return -1;
}

/**
 * Reads a varint, steps over as many bytes as it says, and returns their number. Returns -1 when fewer bytes are left.
 */
function readLength(): number {
  const length = readVarint();
  if (length < 0 || length > limit - at) return -1;
  at += length;
  return length;
}

function readDouble(): number | typeof REFUSED {
  if (limit - at < 8) return REFUSED;
  for (let i = 0; i < 8; i++) doubleBytes[i] = bytes[at + i]!;
  at += 8;
  return doubleCell[0]!;
}

function readDate(): unknown {
  const time = readDouble();
  return time === REFUSED ? REFUSED : new OwnDate(time);
}

/** A name the object has already, itself (corrupt) or from `Object.prototype` (maybe a setter), is left to V8. */
function readObject(depth: number): unknown {
  const object: Record<string, unknown> = {};
  for (let count = 0; ; count++) {
    const tag = readTag();
    if (tag === Tag.OBJECT_END) return readVarint() === count ? object : REFUSED;
    let name: string;
    if (tag === Tag.ONE_BYTE_STRING) {
      const length = readLength();
      if (length < 0) return REFUSED;
      name = readName(bytes, at - length, at);
    } else if (tag === Tag.TWO_BYTE_STRING) {
      const length = readLength();
      if (length < 0 || length % 2 === 1) return REFUSED;
      name = readUtf16(bytes, at - length, at);
    } else {
      return REFUSED;
    }
    const value = readValue(readTag(), depth + 1);
    if (value === REFUSED || name in object) return REFUSED;
    object[name] = value;
  }
}

/** Every element takes a byte at least, so a length that lies ends with the bytes. */
function readArray(depth: number): unknown {
  const length = readVarint();
  if (length < 0 || length > limit - at) return REFUSED;
  const array: unknown[] = [];
  for (let i = 0; i < length; i++) {
    const value = readValue(readTag(), depth + 1);
    if (value === REFUSED) return REFUSED;
    array.push(value);
  }
  const isEnd = readTag() === Tag.ARRAY_END && readVarint() === 0 && readVarint() === length;
  return isEnd ? array : REFUSED;
}
