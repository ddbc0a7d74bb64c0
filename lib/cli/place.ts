/** Finds the directory or the Redis that a subcommand works on. */

import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { StoredObjects } from "../native/raw-objects";
import { PERSIST_DEFAULT } from "../shared/default-place";
import { wrongScheme } from "../shared/place-scheme";
import { shownUrl } from "../shared/redis-url";
import { CommandError } from "./errors";
import type { Arguments, Flags } from "./subcommand";

/** Where Miniflare 2 keeps data if no place is named. */
const OLD_DEFAULT = ".mf/durableobjects";

export const placeFlags: Flags = { "do-persist": "optional value" };

/**
 * An absolute path; a URL stays as it is.
 *
 * # Errors
 * `CommandError` if it is a URL of another kind than Redis.
 */
export function placeOf(given: string): string {
  const wrong = wrongScheme(given);
  if (wrong !== undefined) throw new CommandError(wrong);
  return /^[a-z]+:\/\//i.test(given) ? given : path.resolve(given);
}

/** # Errors `CommandError` if a path, which `where` has named, is no directory. */
export function checkDirectory(place: string, where: string): void {
  if (place.includes("://")) return;
  if (!existsSync(place)) {
    throw new CommandError(`There is no directory ${place} (${where}).${wayOut(place, where)}`);
  }
  if (!statSync(place).isDirectory())
    throw new CommandError(`${place} is not a directory (${where}).`);
}

/** Miniflare 2 keeps data elsewhere if no place is named, and so do workers without persistence. */
function wayOut(place: string, where: string): string {
  if (place !== path.resolve(PERSIST_DEFAULT)) return "";
  if (where !== "FROM") return " Name the place of the data: --do-persist PATH.";
  return existsSync(OLD_DEFAULT) ? ` Did you mean "${OLD_DEFAULT}"?` : "";
}

/** Opens the objects of the place that the options name; `place` is how it may be shown. */
export function openObjects({ values }: Arguments): { objects: StoredObjects; place: string } {
  const place = placeOf(values.get("do-persist") ?? PERSIST_DEFAULT);
  checkDirectory(place, "--do-persist");
  return { objects: StoredObjects.open(place), place: shownUrl(place) };
}
