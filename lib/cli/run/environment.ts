/** Reads `--env NAME` as an environment of the configuration file, as wrangler does, if `NAME` is no file. */
import { existsSync } from "node:fs";
import path from "node:path";
import { findConfig } from "../../config/files";
import { readConfig } from "../../config/reading";
import type { WorkerOptions } from "../../miniflare/options";

/** Miniflare's `--env` is the path of a file with variables, which comes first. */
export function withEnvironment<O extends WorkerOptions>(options: O): O {
  const { envPath, rootPath = ".", wranglerConfigEnv } = options;
  if (typeof envPath !== "string" || wranglerConfigEnv !== undefined) return options;
  if (existsSync(path.resolve(rootPath, envPath)) || !hasEnvironment(options, envPath)) {
    return options;
  }
  const { envPath: _name, ...others } = options;
  return { ...others, wranglerConfigEnv: envPath } as O;
}

/** A configuration that cannot be read has none: the start says why. */
function hasEnvironment({ rootPath = ".", wranglerConfigPath }: WorkerOptions, name: string) {
  const file =
    typeof wranglerConfigPath === "string"
      ? path.resolve(rootPath, wranglerConfigPath)
      : findConfig(path.resolve(rootPath))?.file;
  if (!wranglerConfigPath || file === undefined) return false;
  try {
    return Object.hasOwn(readConfig(file).env ?? {}, name);
  } catch {
    return false;
  }
}
