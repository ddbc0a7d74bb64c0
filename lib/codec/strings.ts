/** Turns bytes into strings; property names, which repeat, come from a small table. */
import { Buffer } from "node:buffer";

/** Up to here joining characters beats a call into C++. */
const JOINED_CHARS_MAX = 12;
const NAME_CHARS_MAX = 24;
const NAMES = 1024;
const fromCodes = String.fromCharCode;

type EncodedSlice = (this: Uint8Array, start: number, end: number) => string;
const { latin1Slice, ucs2Slice } = Buffer.prototype as unknown as {
  latin1Slice: EncodedSlice;
  ucs2Slice: EncodedSlice;
};

const names: string[] = new Array(NAMES).fill("");

/** One character a byte. */
export function readLatin1(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > JOINED_CHARS_MAX) return latin1Slice.call(bytes, start, end);
  let text = "";
  let i = start;
  for (; i + 3 < end; i += 4) {
    text += fromCodes(bytes[i]!, bytes[i + 1]!, bytes[i + 2]!, bytes[i + 3]!);
  }
  for (; i < end; i++) text += fromCodes(bytes[i]!);
  return text;
}

/** One character every two bytes, in the byte order of this machine. */
export function readUtf16(bytes: Uint8Array, start: number, end: number): string {
  return ucs2Slice.call(bytes, start, end);
}

/** As `readLatin1`, but a name read lately is found again instead of made. */
export function readName(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > NAME_CHARS_MAX) return readLatin1(bytes, start, end);
  let hash = length;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
  const slot = (hash ^ (hash >>> 10)) & (NAMES - 1);
  const known = names[slot]!;
  if (equals(known, bytes, start, length)) return known;
  const name = interned(readLatin1(bytes, start, end));
  names[slot] = name;
  return name;
}

function equals(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

/** The same string in the form V8 keeps for property names, which makes every later look-up faster. */
function interned(text: string): string {
  for (const name in { [text]: 0 }) return name;
  return text;
}
