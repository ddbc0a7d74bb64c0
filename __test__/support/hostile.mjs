// What a call comes to, in a form that a row of a table can be compared with.
import assert from "node:assert/strict";

/** The sizes of the long form: `FERROFLARE_HOSTILE=long`. */
export const isLong = process.env.FERROFLARE_HOSTILE === "long";

/** The value of a call, or the class, the code and the message of its error. */
export async function outcome(call) {
  try {
    return { value: await call() };
  } catch (error) {
    if (error === null || typeof error !== "object") return { thrown: error };
    const { name, code, message } = error;
    return code === undefined ? { name, message } : { name, code, message };
  }
}

/** Compares what a call came to with a row; a regular expression stands for a message. */
export function assertOutcome(found, expected, what) {
  const { message, ...rest } = expected;
  if (!(message instanceof RegExp)) return assert.deepEqual(found, expected, what);
  const { message: said, ...other } = found;
  assert.deepEqual(other, rest, `${what}: ${said}`);
  assert.match(said, message, what);
}

/** A value that is nested as deep as given; `wrap` makes one level. */
export function nested(levels, wrap = (inner) => ({ a: inner })) {
  let value = 0;
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
}

/** A proxy of which nothing can be read. */
export function revoked(target = {}) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
