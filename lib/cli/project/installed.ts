/** Looks into a project: which Miniflare 2 is installed, whose Durable Objects it uses, and whether they share one set of gates. */

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { ownDirectory } from "../../shared/own-package";
import { CommandError } from "../errors";
import { REPLACED } from "./overrides";

/** A package as it is installed. */
export interface Installed {
  name: string;
  version: string;
  directory: string;
}

/** A package of Miniflare 2, and the packages that lead from it to the Durable Objects. */
const USERS: readonly (readonly string[])[] = [
  ["miniflare"],
  ["jest-environment-miniflare", "@miniflare/shared-test-environment"],
  ["vitest-environment-miniflare", "@miniflare/shared-test-environment"],
];

/** Packages whose module state everything has to share: gates, and the context of a request. */
const SINGLETONS = ["@miniflare/shared", "@miniflare/core"];

/** A package that uses Durable Objects, and whose it uses. */
export interface User {
  user: Installed;
  objects: Installed;
}

/** The package `name` as code in `directory` would load it; `undefined` if it would not find it. */
export function installed(name: string, directory: string): Installed | undefined {
  const { resolve } = createRequire(path.join(directory, "package.json"));
  const candidates = (resolve.paths(name) ?? []).map((place) => path.join(place, name));
  const file = [...candidates.map((place) => path.join(place, "package.json")), resolved()].find(
    (candidate) => candidate !== undefined && existsSync(candidate),
  );
  if (file === undefined) return undefined;
  const manifest: { name: string; version: string } = JSON.parse(readFileSync(file, "utf8"));
  const { name: real, version } = manifest;
  return { name: real, version, directory: realpathSync(path.dirname(file)) };

  /** Where there are no folders of packages (Yarn's Plug'n'Play), only the resolver knows. */
  function resolved(): string | undefined {
    try {
      return manifestAbove(resolve(name));
    } catch {
      return undefined;
    }
  }
}

/** The manifest of the package that a file is in. */
function manifestAbove(file: string): string | undefined {
  const directory = path.dirname(file);
  if (directory === file) return undefined;
  const manifest = path.join(directory, "package.json");
  const found = existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).name;
  return found ? manifest : manifestAbove(directory);
}

/** The packages of Miniflare 2 that a project may depend on. */
export function usersNamed(): string[] {
  return USERS.map(([name]) => name!);
}

/** Those packages of a project that use Durable Objects as Miniflare 2 does. */
export function usersIn(root: string): User[] {
  return USERS.flatMap(([first, ...through]) => {
    const user = installed(first!, root);
    if (user === undefined) return [];
    let last: Installed | undefined = user;
    for (const name of [...through, REPLACED]) last = last && installed(name, last.directory);
    return last === undefined ? [] : [{ user, objects: last }];
  });
}

/** # Errors `CommandError` if a package uses other Durable Objects than this package's. */
export function checkReplaced({ user, objects }: User, entry: string | undefined): void {
  if (objects.name === "ferroflare") return;
  const advice =
    entry === undefined
      ? 'Run "ferroflare init", then install.'
      : `The entry is written (${entry}) but not installed: install again, and if that changes nothing, remove ${objects.directory} and the lock file first.`;
  throw new CommandError(
    `The override is not in effect: ${user.name} ${user.version} uses ${objects.name} ${objects.version} in ${objects.directory}. ${advice}`,
  );
}

/** # Errors `CommandError` if a package and its Durable Objects load two copies of what they must share. */
export function checkShared({ user, objects }: User): Installed[] {
  return SINGLETONS.flatMap((name) => {
    const theirs = installed(name, user.directory);
    const ours = installed(name, objects.directory);
    if (ours === undefined) {
      throw new CommandError(`${objects.directory} does not find ${name}: install again.`);
    }
    if (theirs === undefined || theirs.directory === ours.directory) return [ours];
    throw new CommandError(
      `There are two copies of ${name}, and gates of one are unknown to the other: ${user.name} ${user.version} loads ${theirs.version} in ${theirs.directory}, ` +
        `ferroflare ${ours.version} in ${ours.directory}. ferroflare ${objects.version} is for ${ours.version}: use that version of ${user.name}, and install again.`,
    );
  });
}

/** The installed package that a project uses directly, or the one that this command is a part of. */
export function ownIn(root: string | undefined): Installed {
  const found = root === undefined ? undefined : installed("ferroflare", root);
  return found ?? installed("ferroflare", ownDirectory) ?? selfAt(ownDirectory);
}

function selfAt(directory: string): Installed {
  const manifest: { name: string; version: string } = JSON.parse(
    readFileSync(path.join(directory, "package.json"), "utf8"),
  );
  return { ...manifest, directory };
}
