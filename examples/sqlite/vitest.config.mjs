// The worker is that of wrangler.jsonc; each test has storage and objects of its own.
import ferroflare from "ferroflare/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [ferroflare()],
  test: { include: ["test/*.vitest.ts"] },
});
