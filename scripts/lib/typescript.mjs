/** The TypeScript of `lib/`. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { runNode } from "./process.mjs";

const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const output = /(\.js|\.js\.map|\.d\.ts)$/;

/** Compiles to `dist/` and removes what earlier builds left there. */
export async function buildTypeScript(options) {
  await runNode([compiler], { name: "tsc", minutesMax: 5, ...options });
  removeStale("");
}

/** Checks the types, writes nothing. */
export function checkTypeScript() {
  return runNode([compiler, "--noEmit"], { name: "tsc", minutesMax: 5 });
}

/** Removes the compiled files below `folder` whose source is gone. */
function removeStale(folder) {
  for (const entry of readdirSync(join(root, "dist", folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeStale(path);
    else if (!existsSync(join(root, "lib", path.replace(output, ".ts"))))
      rmSync(join(root, "dist", path));
  }
}
