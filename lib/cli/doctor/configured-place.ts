/** Reads where a project's configuration file keeps Durable Objects. */

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "@iarna/toml";
import { PERSIST_DEFAULT } from "../../shared/default-place";
import { CommandError, lineOf } from "../errors";

const FILE = "wrangler.toml";

export interface ConfiguredPlace {
  /** An absolute path or a URL; `undefined` for memory. */
  place: string | undefined;
  /** What says so, for people. */
  where: string;
}

/** # Errors `CommandError` if the file cannot be read. */
export function configuredPlace(directory: string): ConfiguredPlace {
  const file = path.join(directory, FILE);
  if (!existsSync(file))
    return { place: undefined, where: `the default; there is no ${FILE} here` };
  const { miniflare } = read(file) as { miniflare?: { durable_objects_persist?: unknown } };
  const persist = miniflare?.durable_objects_persist;
  const where = `durable_objects_persist in ${FILE}`;
  if (persist === true) return { place: path.resolve(directory, PERSIST_DEFAULT), where };
  if (typeof persist !== "string") return { place: undefined, where: `${FILE} names no place` };
  return { place: persist.includes("://") ? persist : path.resolve(directory, persist), where };
}

function read(file: string): object {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CommandError(`Cannot parse ${file}: ${lineOf(error)}`);
  }
}
