// Workers with modern Durable Objects, for tests: a script, and the namespace of its class.
import { Miniflare } from "../../index.mjs";

/** From this date errors keep their properties and stubs that are passed stay the caller's. */
export const TODAY = "2026-04-25";

/** A `Miniflare` with `script`, whose classes are bound under their own names. */
export function serve(t, script, classes, options = {}) {
  const durableObjects = Object.fromEntries(classes.map((name) => [name, name]));
  const mf = new Miniflare({
    modules: true,
    script,
    durableObjects,
    compatibilityDate: TODAY,
    ...options,
  });
  t?.after(() => mf.dispose());
  return mf;
}

/** The JSON that a worker answers with. */
export async function answer(mf, path = "/") {
  const response = await mf.dispatchFetch(`http://localhost${path}`);
  return response.json();
}

/** The error that a promise rejects with. */
export async function failure(promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`This did not reject, but gave ${String(value)}`);
}
