/**
 * What V8's wire format looks like in this Node: the header, the tags that the codec knows, the range of integers.
 *
 * Source: `src/objects/value-serializer.cc` of V8.
 */
import { serialize } from "node:v8";

export const Tag = {
  PADDING: 0x00,
  UNDEFINED: 0x5f,
  NULL: 0x30,
  TRUE: 0x54,
  FALSE: 0x46,
  INT32: 0x49,
  DOUBLE: 0x4e,
  ONE_BYTE_STRING: 0x22,
  TWO_BYTE_STRING: 0x63,
  DATE: 0x44,
  OBJECT: 0x6f,
  OBJECT_END: 0x7b,
  ARRAY: 0x41,
  ARRAY_END: 0x24,
} as const;

const nothing = serialize(null);

/** The first two bytes of every value: a marker and the version of the format (13 to 15 in Node 18 to 24). */
export const HEADER_MARK = nothing[0]!;
export const HEADER_VERSION = nothing[1]!;
export const HEADER_IS_KNOWN =
  nothing.length === 3 && HEADER_MARK === 0xff && nothing[2] === Tag.NULL;

/** V8 writes small integers as `INT32` and the others as `DOUBLE`; a build with compressed pointers has 31 bits. */
export const INT_MAX = serialize(2 ** 30)[2] === Tag.INT32 ? 2 ** 31 - 1 : 2 ** 30 - 1;
export const INT_MIN = -INT_MAX - 1;
