/** Reads configuration files: JSON by this package, TOML as Miniflare 2 does. */
import { readFileSync } from "node:fs";
import { parse as parseToml } from "@iarna/toml";
import { prepareEnvironments } from "./environments";
import { ConfigError } from "./error";
import { isJson } from "./files";
import { parseJsonc } from "./json";
import type { Config } from "./types";

/** In a configuration: the file that it was read from. */
export const kFile = Symbol("ferroflare.configFile");

/** The text of a JSON configuration as an object that Miniflare takes options from. */
export function parseJsonConfig(file: string, text: string): Config {
  const config = parseJsonc(file, text) as Config;
  prepareEnvironments(config, file);
  return config;
}

/**
 * Reads a whole file of either kind.
 *
 * # Errors
 * `ConfigError` that names the file.
 */
export function readConfig(file: string): Config {
  const text = readFileSync(file, "utf8");
  if (isJson(file)) return parseJsonConfig(file, text);
  try {
    return parseToml(text) as Config;
  } catch (error) {
    throw new ConfigError(`Cannot parse ${file}: ${(error as Error).message}`);
  }
}
