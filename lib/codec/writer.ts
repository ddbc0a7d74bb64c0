/** A byte buffer that grows as it is written, shared as scratch space by everything that packs bytes for the core. */
import { Buffer } from "node:buffer";

const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES_MAX = 1024 * 1024;
/** Up to here a loop in JavaScript beats a call into C++. */
const LOOP_CHARS_MAX = 32;
const NOTHING = Buffer.alloc(0);

const doubleCell = new Float64Array(1);
const doubleBytes = new Uint8Array(doubleCell.buffer);

/**
 * `bytes` is replaced when the writer grows, so read it after the last write. What lies beyond `length` is undefined.
 */
export class ByteWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  length = 0;

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.length = 0;
  }

  /** Makes room for `extraBytes` more. */
  ensure(extraBytes: number): void {
    if (this.bytes.length - this.length < extraBytes) this.#resize(this.length + extraBytes);
  }

  /** Gives memory back when the buffer has grown over 1 MiB and what is written needs less. */
  trim(): void {
    if (this.bytes.length > KEPT_BYTES_MAX) this.#resize(this.length);
  }

  writeByte(byte: number): void {
    this.ensure(1);
    this.bytes[this.length++] = byte;
  }

  writeBytes(bytes: Uint8Array): void {
    this.ensure(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Appends a little-endian 32-bit number; its offset, for `patchU32`, is the `length` before the call. */
  u32(value: number): void {
    this.ensure(4);
    const offset = this.length;
    this.length = offset + 4;
    this.patchU32(offset, value);
  }

  /** Overwrites the four bytes at `offset` with a little-endian 32-bit number. */
  patchU32(offset: number, value: number): void {
    const bytes = this.bytes;
    bytes[offset] = value;
    bytes[offset + 1] = value >>> 8;
    bytes[offset + 2] = value >>> 16;
    bytes[offset + 3] = value >>> 24;
  }

  /** Appends a 32-bit number in groups of seven bits, lowest first (V8's varint). */
  writeVarint(value: number): void {
    this.ensure(5);
    const bytes = this.bytes;
    let at = this.length;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      bytes[at++] = rest | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** Appends a double in the byte order of this machine, as V8 does. */
  writeDouble(value: number): void {
    this.ensure(8);
    doubleCell[0] = value;
    const bytes = this.bytes;
    const at = this.length;
    for (let i = 0; i < 8; i++) bytes[at + i] = doubleBytes[i]!;
    this.length = at + 8;
  }

  /** Appends `text` as UTF-8, lone surrogates as U+FFFD, and returns how many bytes that took. */
  writeUtf8(text: string): number {
    const chars = text.length;
    this.ensure(chars * 3);
    const bytes = this.bytes;
    const start = this.length;
    if (chars <= LOOP_CHARS_MAX) {
      let i = 0;
      for (; i < chars; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[start + i] = code;
      }
      if (i === chars) {
        this.length = start + chars;
        return chars;
      }
    }
    const written = bytes.write(text, start, "utf8");
    this.length = start + written;
    return written;
  }

  /**
   * Runs `run`, which may be user code that comes back to this very writer, with the bytes written so far out of its
   * reach. What it writes is dropped.
   */
  aside<T>(run: () => T): T {
    const { bytes, length } = this;
    this.bytes = NOTHING;
    this.length = 0;
    try {
      return run();
    } finally {
      this.bytes = bytes;
      this.length = length;
    }
  }

  #resize(bytesMin: number): void {
    let capacity = INITIAL_BYTES;
    while (capacity < bytesMin) capacity *= 2;
    if (capacity === this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(capacity);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
