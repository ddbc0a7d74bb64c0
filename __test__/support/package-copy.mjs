/** Second copies of this package, as a program has them when two of its dependencies bring their own. */
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { packageRoot } from "./cli.mjs";

const PARTS = ["index.js", "index.mjs", "binding.js", "package.json", "dist"];

/**
 * Copies what runs of the package to a directory of its own, which is deleted when the process ends. The addon is copied
 * too: of a link to it the system would load no second copy.
 */
export function copyPackage() {
  const copy = mkdtempSync(path.join(os.tmpdir(), "ferroflare-copy-"));
  process.on("exit", () => rmSync(copy, { recursive: true, force: true }));
  const addons = readdirSync(packageRoot).filter((file) => file.endsWith(".node"));
  for (const part of [...PARTS, ...addons]) {
    cpSync(path.join(packageRoot, part), path.join(copy, part), { recursive: true });
  }
  symlinkSync(path.join(packageRoot, "node_modules"), path.join(copy, "node_modules"));
  return copy;
}
