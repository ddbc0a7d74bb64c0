/** Deserializes V8's wire format: the common types here, everything else by `node:v8`. */
import { deserialize } from "node:v8";
import { decodeNatively, REFUSED } from "./decoder";
import { decoderAgrees } from "./selfcheck";

const isNative = decoderAgrees();

/**
 * Returns the value in `bytes[start..end)`. Nothing in it shares memory with `bytes`.
 *
 * # Errors
 * What `v8.deserialize` throws for corrupt bytes.
 */
export function decode(bytes: Uint8Array, start: number, end: number): unknown {
  const value = isNative ? decodeNatively(bytes, start, end) : REFUSED;
  return value === REFUSED ? deserialize(new Uint8Array(bytes.subarray(start, end))) : value;
}

/** Whether `decode` does without `node:v8` for these bytes. */
export function decodesNatively(bytes: Uint8Array, start: number, end: number): boolean {
  return isNative && decodeNatively(bytes, start, end) !== REFUSED;
}
