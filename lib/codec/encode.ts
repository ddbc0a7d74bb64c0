/** Serializes a value in V8's wire format: the common types here, everything else by `node:v8`. */
import { serialize } from "node:v8";
import { checkDepth, isStackOverflow, ValueTooDeepError } from "./depth";
import { encodeNatively } from "./encoder";
import { encoderAgrees } from "./selfcheck";
import { ByteWriter } from "./writer";

const isNative = encoderAgrees();

/**
 * Appends `value` to `out` and returns the number of bytes. User code (a getter, a proxy) runs as often as under
 * `v8.serialize`, and may come back to `out`: it finds it empty.
 *
 * `check` looks at a value that is more than plain objects, arrays, dates and primitives.
 *
 * # Errors
 * What `v8.serialize` throws for a value that cannot be cloned, and a `ValueTooDeepError`; `out` is then as before.
 */
export function encode(value: unknown, out: ByteWriter, check?: (value: unknown) => void): number {
  const start = out.length;
  if (!isNative || !encodeNatively(value, out)) {
    out.length = start;
    out.writeBytes(
      out.aside(() => {
        check?.(value);
        return serialized(value);
      }),
    );
  }
  return out.length - start;
}

function serialized(value: unknown): Buffer {
  let bytes: Buffer;
  try {
    bytes = serialize(value);
  } catch (error) {
    throw isStackOverflow(error) ? new ValueTooDeepError(undefined, error) : error;
  }
  checkDepth(bytes, 0, bytes.length);
  return bytes;
}

/** Whether `encode` does without `node:v8` for this value. */
export function encodesNatively(value: unknown): boolean {
  return isNative && encodeNatively(value, new ByteWriter());
}
