/** Writes strings in V8's wire format: Latin-1 where every character fits, else UTF-16 at an even position. */
import { Buffer } from "node:buffer";
import { Tag } from "./wire";
import type { ByteWriter } from "./writer";

/** Up to here a loop in JavaScript beats a call into C++. */
const LOOP_CHARS_MAX = 24;
/** Costs nothing on a string that V8 stores as Latin-1: its matcher for those knows that there is no match. */
const BEYOND_LATIN1 = /[^\0-\xff]/;

type EncodedWrite = (this: Uint8Array, text: string, offset: number, bytesMax: number) => number;
const { latin1Write, ucs2Write } = Buffer.prototype as unknown as {
  latin1Write: EncodedWrite;
  ucs2Write: EncodedWrite;
};

/** Appends `text`, of a value whose header is at `base`. */
export function writeText(out: ByteWriter, text: string, base: number): void {
  const chars = text.length;
  if (chars <= LOOP_CHARS_MAX) {
    if (!writeShortLatin1(out, text)) writeTwoByte(out, text, base);
  } else if (BEYOND_LATIN1.test(text)) {
    writeTwoByte(out, text, base);
  } else {
    out.writeByte(Tag.ONE_BYTE_STRING);
    out.writeVarint(chars);
    out.ensure(chars);
    latin1Write.call(out.bytes, text, out.length, chars);
    out.length += chars;
  }
}

/** Writes nothing and returns `false` when a character does not fit. */
function writeShortLatin1(out: ByteWriter, text: string): boolean {
  const chars = text.length;
  out.ensure(chars + 2);
  const bytes = out.bytes;
  let at = out.length;
  bytes[at++] = Tag.ONE_BYTE_STRING;
  bytes[at++] = chars;
  for (let i = 0; i < chars; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff) return false;
    bytes[at++] = code;
  }
  out.length = at;
  return true;
}

function writeTwoByte(out: ByteWriter, text: string, base: number): void {
  const textBytes = text.length * 2;
  const start = out.length - base + 1 + varintBytes(textBytes);
  if (start % 2 === 1) out.writeByte(Tag.PADDING);
  out.writeByte(Tag.TWO_BYTE_STRING);
  out.writeVarint(textBytes);
  out.ensure(textBytes);
  ucs2Write.call(out.bytes, text, out.length, textBytes);
  out.length += textBytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}
