// Runs the tests in ferroflare's environment.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "ferroflare/vitest",
    environmentOptions: {
      modules: true,
      scriptPath: "worker.mjs",
      durableObjects: { COUNTER: "Counter" },
    },
  },
});
