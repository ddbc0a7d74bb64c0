// Runs the tests in ferroflare's environment, each with storage of its own.
import ferroflare from "ferroflare/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    ferroflare({
      modules: true,
      scriptPath: "worker.mjs",
      durableObjects: { COUNTER: "Counter" },
    }),
  ],
});
