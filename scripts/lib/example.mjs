/** Lets an example of the repository import the package of the repository, as if it were installed there. */
import { existsSync, mkdirSync, realpathSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";

/** Links the repository into the `node_modules` of the example `name`; a package that is installed there stays. */
export function linkPackage(name) {
  const folder = join(root, "examples", name, "node_modules");
  const link = join(folder, "ferroflare");
  mkdirSync(folder, { recursive: true });
  if (existsSync(link)) return;
  // A link that leads nowhere is one of a clone that has moved.
  try {
    unlinkSync(link);
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  symlinkSync(realpathSync(root), link, "junction");
}
