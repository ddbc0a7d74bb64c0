/** Says of a script that cannot be read what names it, and of a worker without a script where one was looked for. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { CONFIG_NAMES, findConfig } from "../config/files";

const REASONS: Record<string, string> = {
  ENOENT: "it does not exist",
  EACCES: "permission is denied",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
};

/** Where a worker looks for its script. */
export interface Place {
  root: string;
  /** The package.json that may name the script. */
  packageFile: string | undefined;
  /** Whether its key is `module`. */
  modules: boolean;
  /** Whether configuration files count. */
  configured: boolean;
}

/**
 * The error of reading a script, in words for its user; `undefined` for another error. `by` is what names the script, if
 * that is not package.json.
 */
export function unreadableScript(
  error: unknown,
  by: string | undefined,
  place: Place,
): Error | undefined {
  const { code, path: failed, syscall } = error as NodeJS.ErrnoException;
  const reason = REASONS[code ?? ""];
  if (reason === undefined || (syscall !== "open" && syscall !== "read")) return undefined;
  const inPackage = by === undefined ? namedInPackage(place) : undefined;
  const file = failed ?? inPackage;
  if (file !== undefined && file === place.packageFile) return undefined;
  const shown = file === undefined ? "" : ` "${path.resolve(file)}"`;
  const message = `Cannot read the worker's script${shown}: ${reason}. ${by ?? packageNames(place)}`;
  return Object.assign(new Error(message, { cause: error }), { code, path: file });
}

function packageNames({ packageFile, modules, root, configured }: Place): string {
  const looked =
    configured && findConfig(root) === undefined
      ? ` "${root}" has no ${CONFIG_NAMES.join(", ")}.`
      : "";
  return (
    `It is "${modules ? "module" : "main"}" in "${packageFile}".${looked} ` +
    'Create the file, or name another script: as "main" in wrangler.jsonc, as scriptPath, or on the command line.'
  );
}

function namedInPackage({ packageFile, modules }: Place): string | undefined {
  const named = packageFile && keyOf(packageFile, modules ? "module" : "main");
  return named ? path.resolve(path.dirname(packageFile), named) : undefined;
}

function keyOf(packageFile: string, key: string): string | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(packageFile, "utf8"))[key];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A sentence on where a script was looked for in vain. */
export function whereLooked({ root, packageFile, modules, configured }: Place): string {
  if (!existsSync(root)) return `The directory "${root}" does not exist.`;
  const config = findConfig(root)?.file;
  const key = modules ? "module" : "main";
  const found: string[] = [];
  if (configured) {
    found.push(config ? `${path.basename(config)} has no "main"` : `no ${CONFIG_NAMES.join(", ")}`);
  }
  if (packageFile !== undefined) {
    const name = path.relative(root, packageFile);
    found.push(existsSync(packageFile) ? `${name} has no "${key}"` : `no ${name}`);
  }
  const ofModules =
    !modules && packageFile && keyOf(packageFile, "module")
      ? ' ("module" is for modules: true)'
      : "";
  return `Looked in "${root}": ${found.join(", and ") || "no file names one"}${ofModules}.`;
}

/** A mount that has no script. */
export function mountWithoutScript(name: string, place: Place): string {
  return (
    `The mount "${name}" has no script. ${whereLooked(place)} ` +
    `Correct the path of the mount (mounts.${name}, --mount ${name}=…), or add a wrangler.jsonc with "main", or a package.json with "main".`
  );
}
