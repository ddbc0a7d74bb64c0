// The two that are compared: this package, and Miniflare 4, which runs workerd.
import { Miniflare } from "../../../index.mjs";
import { miniflare4 } from "../../support/miniflare4.mjs";
import { script } from "./worker.mjs";

const durableObjects = { SUBJECT: "Subject", CLASSIC: "Classic", SILENT: "Silent" };

/** A compatibility date from which errors keep everything, and one before. */
export const DATES = ["2026-04-25", "2026-03-01"];

export async function openOurs(compatibilityDate, options = {}) {
  const mf = new Miniflare({
    modules: true,
    script,
    durableObjects,
    compatibilityDate,
    ...options,
  });
  return subject(mf, "ferroflare");
}

export async function openWorkerd(compatibilityDate) {
  return subject(miniflare4(script, { durableObjects, compatibilityDate }), "miniflare@4");
}

function subject(mf, name) {
  return {
    name,
    /** What each step of a program gives. */
    async run(program) {
      const response = await mf.dispatchFetch("http://localhost/", {
        method: "POST",
        body: JSON.stringify(program),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${name}: ${text}`);
      return JSON.parse(text);
    },
    dispose: () => mf.dispose(),
  };
}
