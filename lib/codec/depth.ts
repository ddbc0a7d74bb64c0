/**
 * Measures how deep a serialized value is nested, because V8 writes values that it cannot read again.
 *
 * V8's reader calls itself for each level, as its writer does, but takes more of the stack. How deep it gets depends on
 * the version of Node.js and on the type: 1,543 levels of objects with numeric names in Node.js 18 are the fewest.
 */
import { Tag } from "./wire";

/** The deepest value that can be stored. A reader that begins deep in the stack still has a third of it. */
export const DEPTH_MAX = 1000;
/** No level takes fewer bytes: those of a set are its tag, the tag of its end, and its size. */
const LEVEL_BYTES_MIN = 3;

/** Tags of containers, and of what else is not one tag with a number. The first two are from `wire.ts`. */
const Container = {
  SPARSE_ARRAY: 0x61,
  MAP: 0x3b,
  SET: 0x27,
  ERROR: 0x72,
  SPARSE_ARRAY_END: 0x40,
  MAP_END: 0x3a,
  SET_END: 0x2c,
} as const;
const Leaf = {
  UINT32: 0x55,
  BIGINT: 0x5a,
  UTF8_STRING: 0x53,
  REFERENCE: 0x5e,
  HOLE: 0x2d,
  TRUE_OBJECT: 0x79,
  FALSE_OBJECT: 0x78,
  NUMBER_OBJECT: 0x6e,
  BIGINT_OBJECT: 0x7a,
  STRING_OBJECT: 0x73,
  REGEXP: 0x52,
  BUFFER: 0x42,
  RESIZABLE_BUFFER: 0x7e,
  HOST_OBJECT: 0x5c,
} as const;
/** Parts of an error that come with text, and the one that is a value. */
const Part = { MESSAGE: 0x6d, STACK: 0x73, CAUSE: 0x63, END: 0x2e } as const;

/** Whether the value in `bytes[start..end)` is nested too deep to be read for certain. */
export function isTooDeep(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= DEPTH_MAX * LEVEL_BYTES_MIN) return false;
  return new Walk(bytes, start + 2, end).isTooDeep();
}

/** Goes over a value without calling itself. What it does not know ends it: such a value is V8's business. */
class Walk {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #depth = 0;
  /** The depths of the errors in whose causes the walk is. */
  readonly #causes: number[] = [];
  /** Whether a cause begins with the next tag. */
  #begins = false;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  isTooDeep(): boolean {
    while (this.#at < this.#end) {
      const tag = this.#bytes[this.#at++]!;
      if (tag === Tag.PADDING) continue;
      this.#begins = false;
      if (!this.#step(tag)) return false;
      if (this.#depth > DEPTH_MAX) return true;
      while (!this.#begins && this.#causes.at(-1) === this.#depth) {
        this.#causes.pop();
        if (!this.#parts()) return false;
      }
    }
    return false;
  }

  /** Goes over one tag and what belongs to it alone; `false` if it is unknown. */
  #step(tag: number): boolean {
    switch (tag) {
      case Tag.OBJECT:
      case Container.MAP:
      case Container.SET:
        this.#depth++;
        return true;
      case Tag.ARRAY:
      case Container.SPARSE_ARRAY:
        this.#depth++;
        this.#varint();
        return true;
      case Tag.OBJECT_END:
      case Container.MAP_END:
      case Container.SET_END:
        this.#depth--;
        this.#varint();
        return true;
      case Tag.ARRAY_END:
      case Container.SPARSE_ARRAY_END:
        this.#depth--;
        this.#varint();
        this.#varint();
        return true;
      case Container.ERROR:
        this.#depth++;
        return this.#parts();
      default:
        return this.#leaf(tag);
    }
  }

  #leaf(tag: number): boolean {
    switch (tag) {
      case Tag.UNDEFINED:
      case Tag.NULL:
      case Tag.TRUE:
      case Tag.FALSE:
      case Leaf.HOLE:
      case Leaf.TRUE_OBJECT:
      case Leaf.FALSE_OBJECT:
        return true;
      case Tag.INT32:
      case Leaf.UINT32:
      case Leaf.REFERENCE:
        this.#varint();
        return true;
      case Tag.DOUBLE:
      case Tag.DATE:
      case Leaf.NUMBER_OBJECT:
        this.#at += 8;
        return true;
      case Tag.ONE_BYTE_STRING:
      case Tag.TWO_BYTE_STRING:
      case Leaf.UTF8_STRING:
      case Leaf.BUFFER:
        this.#skip(this.#varint());
        return true;
      case Leaf.BIGINT:
      case Leaf.BIGINT_OBJECT:
        // The lowest bit is the sign.
        this.#skip(this.#varint() >>> 1);
        return true;
      default:
        return this.#rare(tag);
    }
  }

  #rare(tag: number): boolean {
    switch (tag) {
      case Leaf.STRING_OBJECT:
        return this.#text();
      case Leaf.REGEXP:
        if (!this.#text()) return false;
        this.#varint();
        return true;
      case Leaf.RESIZABLE_BUFFER: {
        const length = this.#varint();
        this.#varint();
        this.#at += length;
        return true;
      }
      case Leaf.HOST_OBJECT:
        // Node.js writes views of buffers: which kind, and so many bytes.
        this.#varint();
        this.#skip(this.#varint());
        return true;
      default:
        return false;
    }
  }

  /** Goes over the parts of an error, up to its end or to the value of its cause. */
  #parts(): boolean {
    while (this.#at < this.#end) {
      switch (this.#bytes[this.#at++]!) {
        case Part.END:
          this.#depth--;
          return true;
        case Part.MESSAGE:
        case Part.STACK:
          if (!this.#text()) return false;
          break;
        case Part.CAUSE:
          this.#causes.push(this.#depth);
          this.#begins = true;
          return true;
        default:
          // The kind of the error.
          break;
      }
    }
    return false;
  }

  #text(): boolean {
    let tag = this.#bytes[this.#at++];
    while (tag === Tag.PADDING) tag = this.#bytes[this.#at++];
    if (tag !== Tag.ONE_BYTE_STRING && tag !== Tag.TWO_BYTE_STRING && tag !== Leaf.UTF8_STRING) {
      return false;
    }
    this.#skip(this.#varint());
    return true;
  }

  #skip(bytes: number): void {
    this.#at += bytes;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; this.#at < this.#end; shift += 7) {
      const byte = this.#bytes[this.#at++]!;
      if (shift < 35) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value >>> 0;
  }
}

/** An error for a value that is nested too deep; `what` begins its message. */
export class ValueTooDeepError extends RangeError {
  readonly code = "ERR_VALUE_TOO_DEEP";

  constructor(what = "Values cannot be", cause?: unknown) {
    super(
      `${what} nested more than ${DEPTH_MAX} levels deep, because a deeper one could not be read again. Store it as JSON text, or its parts under keys of their own.`,
      cause === undefined ? undefined : { cause },
    );
  }
}
Object.defineProperty(ValueTooDeepError.prototype, "name", {
  value: "RangeError",
  writable: true,
  configurable: true,
});

/** Whether an error, of any realm, is that of a full stack. */
export function isStackOverflow(error: unknown): boolean {
  const { name, message } = Object(error) as { name?: unknown; message?: unknown };
  return name === "RangeError" && message === "Maximum call stack size exceeded";
}

/** # Errors A {@link ValueTooDeepError} if the serialized value in `bytes[start..end)` is nested too deep. */
export function checkDepth(bytes: Uint8Array, start: number, end: number): void {
  if (isTooDeep(bytes, start, end)) throw new ValueTooDeepError();
}
