// The environment that the plugin of `ferroflare/vitest` names to Vitest.
import { createRequire } from "node:module";
import vitest from "../dist/testing/vitest.js";

/** Vitest 4 warns of `transformMode`, and older versions need it. */
function needsTransformMode() {
  try {
    const { version } = createRequire(import.meta.url)("vitest/package.json");
    return Number.parseInt(version, 10) < 4;
  } catch {
    return true;
  }
}

export default {
  name: "ferroflare",
  viteEnvironment: "ssr",
  ...(needsTransformMode() ? { transformMode: "ssr" } : {}),
  async setup(global, options) {
    const { describe } = await import("vitest");
    return vitest.setup(global, options, describe);
  },
};
