// The two that are compared: this package, in memory or in files, and Miniflare 4, which runs workerd.
import { Miniflare } from "../../../index.mjs";
import { miniflare4InFiles } from "../../support/workerd.mjs";
import { script } from "./worker.mjs";

const options = {
  durableObjects: { STORE: { className: "Store", useSQLite: true } },
  compatibilityDate: "2026-04-25",
};

export function openOurs(extra = {}) {
  return subject(new Miniflare({ modules: true, script, ...options, ...extra }), "ferroflare");
}

/** Its objects are in files: in memory workerd can crash. */
export function openWorkerd() {
  return subject(miniflare4InFiles(script, options), "miniflare@4");
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
