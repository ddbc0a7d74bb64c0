// The two that are compared: this package, in memory or in files, and Miniflare 4, which runs workerd.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Miniflare } from "../../../index.mjs";
import { miniflare4 } from "../../support/miniflare4.mjs";
import { script } from "./worker.mjs";

const options = {
  durableObjects: { STORE: { className: "Store", useSQLite: true } },
  compatibilityDate: "2026-04-25",
};

export function openOurs(extra = {}) {
  return subject(new Miniflare({ modules: true, script, ...options, ...extra }), "ferroflare");
}

/** Where files cost no sync, if the system has such a place. */
const quick = existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();

/** Its objects are in files: in memory workerd can crash. */
export function openWorkerd() {
  const directory = mkdtempSync(path.join(quick, "ferroflare-workerd-"));
  const mf = miniflare4(script, { ...options, durableObjectsPersist: directory });
  const { run, name } = subject(mf, "miniflare@4");
  const dispose = async () => {
    await mf.dispose();
    rmSync(directory, { recursive: true, force: true });
  };
  return { run, name, dispose };
}

function subject(mf, name) {
  let runs = 0;
  return {
    name,
    /** What each request of a program gives, on an object of its own. */
    async run(program) {
      const body = JSON.stringify({ ...program, name: `object ${runs++}` });
      const response = await mf.dispatchFetch("http://localhost/", { method: "POST", body });
      const text = await response.text();
      if (!response.ok) throw new Error(`${name}: ${text}`);
      return JSON.parse(text);
    },
    dispose: () => mf.dispose(),
  };
}
