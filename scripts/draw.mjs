/** `npm run draw`: draws every image in `docs/images`, and the figures of README.md and docs/benchmarks.md, from `bench/results`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { drawings } from "./lib/drawing/drawings.mjs";
import { root } from "./lib/paths.mjs";
import { runMain } from "./lib/program.mjs";

runMain(async () => {
  for (const [name, text] of await drawings()) {
    const file = join(root, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(name);
  }
});
