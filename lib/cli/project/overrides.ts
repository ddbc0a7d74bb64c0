/** The entries that put this package in the place of Miniflare 2's, and how each package manager wants them written. */

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../errors";
import { withoutProperty, withProperty } from "./json-text";
import { findProject, isModernYarn, type Manager, readPackage } from "./package-manager";
import { withoutYamlOverride, withYamlOverride, yamlOverrides } from "./yaml-overrides";

export const REPLACED = "@miniflare/durable-objects";
/** The version that Miniflare 2 pins, and the last one of its line: Miniflare loads files that later lines lack. */
export const UNDICI_PINNED = "5.28.4";
export const UNDICI_PATCHED = "5.29.0";

/** pnpm 10 reads overrides from pnpm-workspace.yaml, pnpm 11 from nowhere else. */
const PNPM_YAML_MAJOR_MIN = 10;

export interface Entry {
  /** What is replaced, as the manager spells it. */
  key: string;
  value: string;
}

/** A file that overrides are written to. */
export interface Target {
  file: string;
  /** The path of the overrides in `package.json`; `undefined` for a YAML file. */
  property: readonly string[] | undefined;
}

export function targetOf(root: string, manager: Manager): Target {
  const json = (...property: string[]) => ({ file: path.join(root, "package.json"), property });
  if (manager.name === "yarn") return json("resolutions");
  if (manager.name !== "pnpm") return json("overrides");
  const { pnpm } = readPackage(root) as { pnpm?: { overrides?: unknown } };
  const { major = PNPM_YAML_MAJOR_MIN + 1 } = manager;
  const inPackage =
    major < PNPM_YAML_MAJOR_MIN || (major === PNPM_YAML_MAJOR_MIN && pnpm?.overrides);
  if (inPackage) return json("pnpm", "overrides");
  return { file: path.join(root, "pnpm-workspace.yaml"), property: undefined };
}

/** A dependency that is no version of the registry: a file, a folder or an address. */
const ELSEWHERE = /^(?:file:|link:|portal:|https?:|git|\.{0,2}\/)|\.tgz$/;

/**
 * The entry for this package, in the place of Miniflare's. Where the project depends on a packed file, the entry is that
 * file: its version need not be on the registry.
 */
export function coreEntry(root: string, manager: Manager, version: string): Entry {
  const own = ownDependency(root);
  if (own === undefined) return { key: REPLACED, value: `npm:ferroflare@${version}` };
  // npm refuses an entry for a direct dependency that is not the same, and this form always is.
  if (manager.name === "npm" && own.directory === root) {
    return { key: REPLACED, value: "$ferroflare" };
  }
  return { key: REPLACED, value: own.spec };
}

/** The packed file that the project depends on, as an entry in the root can name it, and the project that does. */
function ownDependency(root: string): { spec: string; directory: string } | undefined {
  for (const directory of new Set([root, findProject(process.cwd()) ?? root])) {
    const { dependencies, devDependencies, optionalDependencies } = readPackage(directory);
    const all = { ...optionalDependencies, ...devDependencies, ...dependencies };
    const { ferroflare: given } = all;
    if (given === undefined || !ELSEWHERE.test(given)) continue;
    const [, scheme = "file:", rest = given] = /^([a-z+]+:)(.*)$/.exec(given) ?? [];
    const isPath = /^(?:file|link|portal):$/.test(scheme);
    const moved = isPath && directory !== root && !path.isAbsolute(rest);
    return { spec: scheme + (moved ? path.resolve(directory, rest) : rest), directory };
  }
  return undefined;
}

/** Whether an entry puts this package there: of a file it has to exist, of the registry it has to be this version. */
export function isInEffect(root: string, value: unknown, wanted: Entry): boolean {
  if (value === wanted.value) return true;
  if (typeof value !== "string") return false;
  if (value === "$ferroflare") return ownDependency(root) !== undefined;
  const [, file] = /^file:(.*\bferroflare\b.*)$/.exec(value) ?? [];
  return file !== undefined && existsSync(path.resolve(root, file));
}

/** The entry that replaces what Miniflare pins, and no other package's undici. */
export function undiciEntry(root: string, manager: Manager): Entry {
  const modern = manager.name === "yarn" && isModernYarn(root, manager);
  const keys = {
    npm: `undici@${UNDICI_PINNED}`,
    pnpm: `undici@${UNDICI_PINNED}`,
    yarn: modern ? `undici@npm:${UNDICI_PINNED}` : "undici",
    bun: "undici",
  };
  return { key: keys[manager.name], value: UNDICI_PATCHED };
}

/** What a target holds under a key; `undefined` if nothing. */
export function current({ file, property }: Target, key: string): unknown {
  if (property === undefined) return yamlOverrides(read(file), file).get(key);
  let found: unknown = readPackage(path.dirname(file));
  for (const name of [...property, key]) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name))
      return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return found;
}

/** The text of the target with the entries in it. */
export function added({ file, property }: Target, entries: readonly Entry[]): string {
  return entries.reduce(
    (text, { key, value }) =>
      property === undefined
        ? withYamlOverride(text, key, value, file)
        : withProperty(text, [...property, key], value),
    read(file),
  );
}

/** The text of the target without the keys. */
export function removed({ file, property }: Target, keys: readonly string[]): string {
  return keys.reduce(
    (text, key) =>
      property === undefined
        ? withoutYamlOverride(text, key, file)
        : withoutProperty(text, [...property, key]),
    read(file),
  );
}

/** # Errors `CommandError` if npm would refuse the entry, because the project depends on the package itself. */
export function checkDirectDependency(root: string, manager: Manager, { key, value }: Entry): void {
  if (manager.name !== "npm") return;
  const pkg = readPackage(root);
  for (const group of ["dependencies", "devDependencies", "optionalDependencies"] as const) {
    const direct = pkg[group]?.[key];
    if (direct === undefined || direct === value) continue;
    throw new CommandError(
      `${path.join(root, "package.json")} has "${key}" under "${group}", and npm does not override what a project itself depends on. ` +
        `Set it to "${value}" there, or remove it, and run this again.`,
    );
  }
}

/** The text of a file; nothing for one that is not there yet. */
export function read(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}
