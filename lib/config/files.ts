/** Which configuration file a worker has: wrangler's names, in wrangler's order. */
import { existsSync } from "node:fs";
import path from "node:path";

/** The first that exists is the one that counts. */
export const CONFIG_NAMES = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"] as const;

/** The only one that Miniflare 2 looks for. */
export const TOML_NAME = "wrangler.toml";

export interface FoundConfig {
  file: string;
  /** The names of others beside it, which do not count. */
  ignored: string[];
}

export function findConfig(directory: string): FoundConfig | undefined {
  const found = CONFIG_NAMES.filter((name) => existsSync(path.join(directory, name)));
  const [first, ...ignored] = found;
  return first === undefined ? undefined : { file: path.resolve(directory, first), ignored };
}

/** The line about files that do not count, or `undefined` if there are none. */
export function aboutIgnored({ file, ignored }: FoundConfig): string | undefined {
  if (ignored.length === 0) return undefined;
  const others = ignored.join(" and ");
  return `${path.basename(file)} is used, and ${others} beside it is not. Delete one of them, or name one (--wrangler-config, wranglerConfigPath).`;
}

/** The ending of a path decides how it is read. */
export function isJson(file: string): boolean {
  return /\.jsonc?$/i.test(file);
}
