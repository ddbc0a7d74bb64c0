/** Packs keys and values into one buffer for the native core: each preceded by its length. */
import { ByteWriter } from "../codec";

/** Bytes on their way in and out; every call uses them again, and nothing keeps them. */
export const scratch = new ByteWriter();

/** Appends a string, and returns where its length stands. */
export function packString(text: string): number {
  const place = scratch.length;
  scratch.u32(0);
  scratch.patchU32(place, scratch.writeUtf8(text));
  return place;
}

/** Appends what `write` appends, preceded by the number of bytes that it returns. */
export function packSized(write: () => number): void {
  const place = scratch.length;
  scratch.u32(0);
  const length = write();
  scratch.patchU32(place, length);
}

/** Sorts distinct keys as the storage does, by their UTF-8 bytes. */
export function inKeyOrder(keys: string[]): string[] {
  // Code units order as UTF-8 bytes do, except for surrogates and what lies above them.
  if (!keys.some((key) => /[\ud800-\uffff]/.test(key))) return keys.sort();
  return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
