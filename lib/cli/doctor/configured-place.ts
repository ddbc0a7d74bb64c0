/** Reads where a project's configuration file keeps Durable Objects. */

import path from "node:path";
import { declaredClasses } from "../../config/classes";
import { aboutIgnored, CONFIG_NAMES, findConfig } from "../../config/files";
import { readConfig } from "../../config/reading";
import { PERSIST_DEFAULT } from "../../shared/default-place";
import { CommandError, lineOf } from "../errors";

export interface ConfiguredPlace {
  /** An absolute path or a URL; `undefined` for memory. */
  place: string | undefined;
  /** What says so, for people. */
  where: string;
}

/** A configuration file of a project, as the report has it. */
export interface ProjectConfig {
  file: string;
  /** The line about other files beside it. */
  ignored: string | undefined;
  /** The classes that it declares. */
  classes: string[];
  persist: unknown;
}

/** # Errors `CommandError` if the file cannot be read, or declares classes that cannot be. */
export function projectConfig(directory: string): ProjectConfig | undefined {
  const found = findConfig(directory);
  if (found === undefined) return undefined;
  try {
    const config = readConfig(found.file);
    const declared = Object.entries(declaredClasses(config) ?? {});
    const classes = declared.map(([name, { sqlite }]) => (sqlite ? `${name} (SQLite)` : name));
    const { durable_objects_persist: persist } = Object(config.miniflare);
    return { file: found.file, ignored: aboutIgnored(found), classes, persist };
  } catch (error) {
    throw new CommandError(lineOf(error));
  }
}

export function configuredPlace(config: ProjectConfig | undefined): ConfiguredPlace {
  if (config === undefined) {
    return {
      place: undefined,
      where: `the default; there is no ${CONFIG_NAMES.join(", ")} here`,
    };
  }
  const { file, persist } = config;
  const directory = path.dirname(file);
  const name = path.basename(file);
  const where = `durable_objects_persist in ${name}`;
  if (persist === true) return { place: path.resolve(directory, PERSIST_DEFAULT), where };
  if (typeof persist !== "string") return { place: undefined, where: `${name} names no place` };
  return { place: persist.includes("://") ? persist : path.resolve(directory, persist), where };
}
