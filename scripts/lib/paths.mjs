/** Folders that the scripts read and write. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Cargo's output, outside the clone so that the next clone finds it built: `CARGO_TARGET_DIR` decides if set. */
export const targetDirectory = process.env.CARGO_TARGET_DIR
  ? resolve(root, process.env.CARGO_TARGET_DIR)
  : join(cacheDirectory(), "ferroflare", "target");

/** The folder of this user for what can be made again. */
export function cacheDirectory() {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = process.env;
  if (process.platform === "win32" && LOCALAPPDATA) return LOCALAPPDATA;
  return XDG_CACHE_HOME || join(homedir(), ".cache");
}
