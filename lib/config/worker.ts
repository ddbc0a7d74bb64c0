/** What a configuration says of the worker's script, beyond what Miniflare 2 reads. */
import path from "node:path";
import { ConfigError } from "./error";
import { isJson } from "./files";
import { kFile } from "./reading";
import type { Config, Rule } from "./types";

/** Settings of the build, by their names in the file. */
export interface BuildSettings {
  alias?: Record<string, string>;
  define?: Record<string, string>;
  jsx_factory?: string;
  jsx_fragment?: string;
  keep_names?: boolean;
  no_bundle?: boolean;
  tsconfig?: string;
}

const BUILD_KEYS = [
  "alias",
  "define",
  "jsx_factory",
  "jsx_fragment",
  "keep_names",
  "no_bundle",
  "tsconfig",
] as const;

/** How a configuration file is called in messages. */
export function nameOf(config: Config): string {
  const file = config[kFile] as string | undefined;
  return file === undefined ? "wrangler.toml" : path.basename(file);
}

/** Whether a file was written for today's wrangler: Miniflare 2 can do nothing with it. */
export function isOfToday(config: Config): boolean {
  const file = config[kFile] as string | undefined;
  return (file !== undefined && isJson(file)) || typeof config.main === "string";
}

/**
 * The worker's script, absolute, unless `build.upload` names one as Miniflare 2 reads it.
 *
 * # Errors `ConfigError` if it is no path, or if its language cannot be run.
 */
export function mainOf(config: Config, directory: string): string | undefined {
  const { main } = config;
  if (main === undefined) return undefined;
  const name = nameOf(config);
  if (typeof main !== "string" || main === "") {
    throw new ConfigError(
      `"main" in ${name} must be the path of the worker's script, not ${JSON.stringify(main)}.`,
    );
  }
  if (/\.py$/i.test(main)) {
    throw new ConfigError(
      `"main" in ${name} is "${main}": only JavaScript and TypeScript can be run. Name such a script, or run "wrangler dev".`,
    );
  }
  return path.resolve(directory, main);
}

/** Whether a class of the worker's own script is bound. */
export function bindsOwnClass({ durable_objects }: Config): boolean {
  const bindings: unknown = durable_objects?.bindings;
  return Array.isArray(bindings) && bindings.some((binding) => !Object(binding).script_name);
}

/**
 * The module rules at the top level.
 *
 * # Errors `ConfigError` if `rules` are no module rules.
 */
export function rulesOf(config: Config) {
  const { rules } = config;
  if (rules === undefined) return undefined;
  const isRule = (rule: Rule) => typeof rule?.type === "string" && Array.isArray(rule.globs);
  if (!Array.isArray(rules) || !rules.every(isRule)) {
    throw new ConfigError(
      `"rules" in ${nameOf(config)} must be an array of { "type": "Text", "globs": ["**/*.md"] }.`,
    );
  }
  return rules.map(({ type, globs, fallthrough }) => ({ type, include: globs, fallthrough }));
}

export function buildSettings(config: Config, directory: string): BuildSettings {
  const given = BUILD_KEYS.filter((key) => config[key] !== undefined);
  const settings: BuildSettings = Object.fromEntries(given.map((key) => [key, config[key]]));
  if (settings.tsconfig) settings.tsconfig = path.resolve(directory, settings.tsconfig);
  return settings;
}
