/** Installs the npm packages of package-lock.json when `node_modules` does not hold them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { npm } from "./npm.mjs";
import { root } from "./paths.mjs";
import { Failure } from "./program.mjs";

const ciArguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];

/** Runs `npm ci` unless every package of the lock file is installed in its version. */
export async function installDependencies() {
  if (missingPackage() === null) return "npm packages up to date";
  await npm(ciArguments, { name: "npm ci", minutesMax: 15, stdout: "pipe", stderr: "pipe" });
  const missing = missingPackage();
  if (missing !== null)
    throw new Failure(
      `npm ci ended well but did not install ${missing}: delete node_modules and try again.`,
    );
  return "npm packages installed";
}

/** The first package of the lock file that `node_modules` lacks or holds in another version, or null. */
function missingPackage() {
  const lockPath = join(root, "package-lock.json");
  if (!existsSync(lockPath))
    throw new Failure(
      "package-lock.json is missing: restore it with `git checkout package-lock.json`.",
    );
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  for (const [path, { version, integrity, optional }] of Object.entries(packagesOf(lockPath))) {
    if (path === "") continue;
    const found = installed[path];
    if (!found && optional) continue;
    if (!found || found.version !== version || found.integrity !== integrity)
      return `${path} ${version}`;
  }
  return null;
}

function packagesOf(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}
