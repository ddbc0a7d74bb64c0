// Miniflare 4, which runs workerd.
import { Miniflare } from "miniflare4";

/** A Miniflare 4 whose worker is this module. What the worker prints is none of the test's. */
export function miniflare4(contents, options) {
  return new Miniflare({
    modules: [{ type: "ESModule", path: "worker.mjs", contents }],
    handleRuntimeStdio(out, err) {
      out.resume();
      err.resume();
    },
    ...options,
  });
}
