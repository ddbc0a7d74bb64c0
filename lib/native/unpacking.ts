/** Reads what the native core has packed: numbers of four bytes, and bytes preceded by their length. */

const NUMBER_BYTES = 4;

export class Unpacker {
  readonly #bytes: Buffer;
  readonly #length: number;
  #place = 0;

  /** Reads the first `length` of some bytes. */
  constructor(bytes: Buffer, length: number) {
    this.#bytes = bytes;
    this.#length = length;
  }

  get atEnd(): boolean {
    return this.#place >= this.#length;
  }

  number(): number {
    const bytes = this.#bytes;
    const at = this.#place;
    this.#place = at + NUMBER_BYTES;
    const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
    return (low | (bytes[at + 3]! << 24)) >>> 0;
  }

  /** What `read` makes of the next sized bytes; it gets where they start and end. */
  sized<T>(read: (bytes: Buffer, start: number, end: number) => T): T {
    const length = this.number();
    const start = this.#place;
    this.#place = start + length;
    return read(this.#bytes, start, this.#place);
  }

  text(): string {
    return this.sized(textIn);
  }

  /** The next sized bytes, not copied. */
  bytes(): Buffer {
    return this.sized(partOf);
  }
}

function textIn(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("utf8", start, end);
}

function partOf(bytes: Buffer, start: number, end: number): Buffer {
  return bytes.subarray(start, end);
}
