/** Says in one line why a worker could not be started, with the option or the path that caused it. */

import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { MiniflareError } from "@miniflare/shared";
import { BuildError } from "../../build/error";
import { ConfigError } from "../../config/error";
import { TOML_NAME } from "../../config/files";
import { ListenError } from "../../miniflare/listen";
import { whereLooked } from "../../miniflare/missing-script";
import type { WorkerOptions } from "../../miniflare/options";
import { downToScript } from "../../shared/frames";
import { describeThrown } from "../../shared/thrown";
import { EXEC_NAME } from "../errors";
import { eachOption, optionName } from "./arguments";

const REASONS: Record<string, string> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "it is a directory, not a file",
  ENOTDIR: "a part of the path is not a directory",
};

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}

interface NamedPath {
  /** The option, as typed. */
  option: string;
  file: string;
}

/** Returns the paths that options lead to; text that is no path at all does no harm here. */
function pathsOf(options: WorkerOptions): NamedPath[] {
  const root = path.resolve(options.rootPath ?? ".");
  const paths: NamedPath[] = [];
  const add = (option: string, value: unknown) => {
    if (typeof value === "string") paths.push({ option, file: path.resolve(root, value) });
  };
  add("the worker script", options.scriptPath);
  eachOption((key, meta) => {
    const name = optionName(key, meta);
    if (name === undefined || typeof key !== "string") return;
    const value: unknown = (options as Record<string, unknown>)[key];
    add(`--${name}`, value);
    if (typeof value !== "object" || value === null) return;
    for (const [entry, target] of Object.entries(value)) add(`--${name} ${entry}`, target);
  });
  return paths;
}

function isDirectory(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function describeSystemError(error: NodeJS.ErrnoException, options: WorkerOptions): string {
  const reason = REASONS[error.code ?? ""] ?? error.message;
  const given = error.path === undefined ? undefined : path.resolve(error.path);
  // Reading a directory is the one error that does not name its path.
  const blamed = pathsOf(options).find(({ file }) =>
    given === undefined ? error.code === "EISDIR" && isDirectory(file) : file === given,
  );
  const file = given ?? blamed?.file;
  if (file === undefined) return `Cannot read a file of the worker: ${reason}.`;
  return `Cannot read "${file}"${blamed === undefined ? "" : ` (${blamed.option})`}: ${reason}.`;
}

/** Returns what is wrong with the JSON file that supplies the script's path, if it is that file which cannot be parsed. */
function describePackageFile(error: SyntaxError, options: WorkerOptions): string | undefined {
  const given = options.packagePath;
  if (!given) return undefined;
  const file = path.resolve(options.rootPath ?? ".", given === true ? "package.json" : given);
  try {
    JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return `Cannot parse "${file}" (--package): ${error.message}.`;
  }
  return undefined;
}

function describeToml(error: Error, options: WorkerOptions): string {
  const given = options.wranglerConfigPath;
  const name = typeof given === "string" ? given : TOML_NAME;
  const file = path.resolve(options.rootPath ?? ".", name);
  const problem = error.message.split("\n", 1)[0]?.replace(/:$/, "") ?? "";
  return `Cannot parse "${file}" (--wrangler-config): ${problem}.`;
}

function describeMiniflareError(error: MiniflareError, options: WorkerOptions): string {
  if (error.code === "ERR_NO_SCRIPT") {
    if (error.message.startsWith("The mount")) return error.message;
    const root = path.resolve(options.rootPath ?? ".");
    const { packagePath = true, wranglerConfigPath: config = true, modules = false } = options;
    const packageFile = packagePath === true ? "package.json" : packagePath;
    const looked = whereLooked({
      root,
      packageFile: packageFile ? path.resolve(root, packageFile) : undefined,
      modules,
      configured: Boolean(config),
    });
    return (
      `No worker script. ${looked} Name it on the command line (${EXEC_NAME} worker.mjs), as "main" in wrangler.jsonc, ` +
      `or as "main" (or "module", for modules) in package.json.`
    );
  }
  const cause = error.cause === undefined ? "" : `: ${describeStartError(error.cause, options)}`;
  return `${oneLine(error.message)}${cause}`;
}

/** Returns the stack down to where the script was started from, which says nothing about the script. */
function describeScriptError(error: unknown): string {
  return downToScript(describeThrown(error));
}

/** Returns the line to show, also for a value that throws when it is looked at. */
export function describeStartError(error: unknown, options: WorkerOptions): string {
  try {
    return describeByKind(error, options);
  } catch {
    return describeThrown(error);
  }
}

/**
 * An error thrown by the worker itself keeps its stack: the user needs the place in the script.
 */
function describeByKind(error: unknown, options: WorkerOptions): string {
  if (error instanceof MiniflareError) return describeMiniflareError(error, options);
  if (error instanceof ListenError) return error.message;
  // Their place in the source takes several lines.
  if (error instanceof ConfigError || error instanceof BuildError) return error.message;
  if (!(error instanceof Error)) return describeScriptError(error);
  if ((error as NodeJS.ErrnoException).syscall !== undefined) {
    return describeSystemError(error, options);
  }
  if (error.name === "TomlError") return describeToml(error, options);
  if (error instanceof SyntaxError) {
    return describePackageFile(error, options) ?? describeScriptError(error);
  }
  return oneLine(error.message);
}
