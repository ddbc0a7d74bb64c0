// Miniflare 4, which runs workerd: what modern objects and those with SQL are compared with.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Miniflare as Miniflare4 } from "miniflare4";

/** A Miniflare 4 whose worker is this module. What the worker prints is none of the test's. */
export function miniflare4(contents, options) {
  return new Miniflare4({
    modules: [{ type: "ESModule", path: "worker.mjs", contents }],
    handleRuntimeStdio(out, err) {
      out.resume();
      err.resume();
    },
    ...options,
  });
}

/** The same with its objects in files, where a sync costs nothing if the system has such a place. */
export function miniflare4InFiles(contents, options) {
  const place = existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();
  const directory = mkdtempSync(path.join(place, "ferroflare-workerd-"));
  const mf = miniflare4(contents, { ...options, durableObjectsPersist: directory });
  const dispose = async () => {
    await mf.dispose();
    rmSync(directory, { recursive: true, force: true });
  };
  return { dispatchFetch: (...args) => mf.dispatchFetch(...args), dispose };
}
