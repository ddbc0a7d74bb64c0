/** Finds the configuration files of a worker and its mounts before Miniflare's core looks for one. */
import path from "node:path";
import type { Log } from "@miniflare/shared";
import { expectConfig } from "./core-reader";
import { aboutIgnored, findConfig } from "./files";

/** The options that decide. */
export interface ConfigOptions {
  rootPath?: string;
  wranglerConfigPath?: boolean | string;
  mounts?: Record<string, unknown>;
  scriptRequired?: boolean;
}

type Told = Pick<Log, "warn">;

/**
 * The path for `wranglerConfigPath`. Where only `wrangler.toml` or no file exists, `true` stays, so that it means what
 * Miniflare 2 means by it.
 */
export function chooseConfig(options: ConfigOptions, log?: Told): boolean | string | undefined {
  const { wranglerConfigPath: given } = options;
  const root = path.resolve(options.rootPath ?? ".");
  if (typeof given === "string" && given !== "") expectConfig(path.resolve(root, given));
  if (given !== true) return given;
  const found = findConfig(root);
  if (found === undefined) return given;
  expectConfig(found.file);
  const about = aboutIgnored(found);
  if (about !== undefined) log?.warn(about);
  return found.file.endsWith(".toml") ? given : found.file;
}

/** The same options with the files chosen, those of mounts too. */
export function withConfigFiles<O extends ConfigOptions>(options: O, log?: Told): O {
  const chosen = { ...options };
  if (options.wranglerConfigPath) chosen.wranglerConfigPath = chooseConfig(options, log);
  if (options.mounts) {
    chosen.mounts = mountsWithConfigFiles(options.mounts, log, options.scriptRequired ?? true);
  }
  return chosen;
}

export function mountsWithConfigFiles(
  mounts: Record<string, unknown>,
  log?: Told,
  scriptRequired = true,
): Record<string, unknown> {
  const named = (name: string) => (scriptRequired ? { mountedAs: name } : {});
  const chosen = Object.entries(mounts).map(([name, mount]) => {
    const options = mountOptions(mount, log);
    return [name, typeof options === "object" ? { ...options, ...named(name) } : options];
  });
  return Object.fromEntries(chosen);
}

/** A directory stands for the options that Miniflare has for it. What is no mount at all stays as it is. */
function mountOptions(mount: unknown, log?: Told): unknown {
  if (typeof mount === "string") {
    const wranglerConfigPath = chooseConfig({ rootPath: mount, wranglerConfigPath: true }, log);
    return { rootPath: mount, packagePath: true, envPathDefaultFallback: true, wranglerConfigPath };
  }
  const options = mount as ConfigOptions | null;
  if (!options?.wranglerConfigPath) return mount;
  return { ...options, wranglerConfigPath: chooseConfig(options, log) };
}
