/** Finds the project that a command is run in, the directory whose overrides count, and the package manager in use. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { CommandError } from "../errors";

export const MANAGERS = ["npm", "pnpm", "yarn", "bun"] as const;
export type ManagerName = (typeof MANAGERS)[number];

export interface Manager {
  name: ManagerName;
  /** The major version, as far as anything tells it. */
  major: number | undefined;
  /** Why it is this one, as a text for users. */
  because: string;
}

export interface PackageFile {
  packageManager?: unknown;
  workspaces?: unknown;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** A package manager that has to be downloaded first does not answer so soon. */
const ANSWER_MS_MAX = 10_000;

const LOCK_FILES: Record<string, ManagerName> = {
  "package-lock.json": "npm",
  "npm-shrinkwrap.json": "npm",
  "pnpm-lock.yaml": "pnpm",
  "yarn.lock": "yarn",
  "bun.lock": "bun",
  "bun.lockb": "bun",
};

/**
 * The directory of the `package.json` in which package managers read overrides. It belongs to the project around
 * `from`, or to the workspace that the project is in. Without a project it is `undefined`.
 *
 * # Errors
 * `CommandError` if a `package.json` cannot be read.
 */
export function findRoot(from: string): string | undefined {
  const project = findProject(from);
  if (project === undefined) return undefined;
  const workspace = directoriesAbove(project).find(
    (directory) =>
      has(directory, "pnpm-workspace.yaml") ||
      (has(directory, "package.json") && readPackage(directory).workspaces !== undefined),
  );
  return workspace !== undefined && has(workspace, "package.json") ? workspace : project;
}

/** The directory of the nearest `package.json`. */
export function findProject(from: string): string | undefined {
  return directoriesAbove(from).find((directory) => has(directory, "package.json"));
}

/** # Errors `CommandError` if the file is no JSON object, or cannot be read. */
export function readPackage(directory: string): PackageFile {
  const file = path.join(directory, "package.json");
  const parsed = parse(file);
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw new CommandError(`${file} holds no JSON object.`);
}

function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8").replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new CommandError(`Cannot read ${file}: ${(error as Error).message}.`);
  }
}

/**
 * The package manager of a project; `given` decides if the user has named one.
 *
 * # Errors
 * `CommandError` if lock files contradict each other and nothing else decides.
 */
export function detectManager(root: string, given?: ManagerName): Manager {
  const declared = declaredManager(root);
  const manager = given === undefined ? (declared ?? managerByFiles(root)) : named(given, declared);
  // Where pnpm reads overrides depends on its version, and no file tells that.
  if (manager.name === "pnpm") manager.major ??= majorOnPath("pnpm", root);
  return manager;
}

function named(name: ManagerName, declared: Manager | undefined): Manager {
  const major = declared?.name === name ? declared.major : undefined;
  return { name, major, because: "--manager" };
}

function declaredManager(root: string): Manager | undefined {
  const declared = readPackage(root).packageManager;
  const found = typeof declared === "string" ? /^(\w+)@(\d+)?/.exec(declared) : null;
  if (found === null || !isManager(found[1])) return undefined;
  return { name: found[1], major: numberOf(found[2]), because: '"packageManager" in package.json' };
}

function managerByFiles(root: string): Manager {
  const agent = /^(\w+)\/(\d+)/.exec(process.env.npm_config_user_agent ?? "");
  const running = agent !== null && isManager(agent[1]) ? agent[1] : undefined;
  const majorOf = (name: ManagerName) => (name === running ? numberOf(agent?.[2]) : undefined);

  const locks = Object.keys(LOCK_FILES).filter((name) => has(root, name));
  const names = [...new Set(locks.map((lock) => LOCK_FILES[lock]!))];
  if (names.length > 1) {
    throw new CommandError(
      `${root} has lock files of several package managers: ${locks.join(", ")}. Say which one you use: --manager ${names.join("|")}.`,
    );
  }
  const [locked] = names;
  if (locked !== undefined)
    return { name: locked, major: majorOf(locked), because: locks.join(", ") };
  if (has(root, "pnpm-workspace.yaml")) {
    return { name: "pnpm", major: majorOf("pnpm"), because: "pnpm-workspace.yaml" };
  }
  if (has(root, ".yarnrc.yml")) return { name: "yarn", major: undefined, because: ".yarnrc.yml" };
  if (running === undefined) {
    return { name: "npm", major: undefined, because: "nothing names another one" };
  }
  return { name: running, major: majorOf(running), because: "it has started this command" };
}

/** Whether Yarn is version 2 or newer, whose overrides name what they replace in another way. */
export function isModernYarn(root: string, { major }: Manager): boolean {
  if (major !== undefined) return major >= 2;
  if (has(root, ".yarnrc.yml")) return true;
  const lock = path.join(root, "yarn.lock");
  return existsSync(lock) && /^__metadata:/m.test(readFileSync(lock, "utf8"));
}

export function isManager(name: string | undefined): name is ManagerName {
  return (MANAGERS as readonly (string | undefined)[]).includes(name);
}

/** The major version of a program that is found on the path. */
function majorOnPath(program: string, root: string): number | undefined {
  const { stdout } = spawnSync(program, ["--version"], {
    cwd: root,
    encoding: "utf8",
    shell: process.platform === "win32",
    timeout: ANSWER_MS_MAX,
    windowsHide: true,
  });
  return numberOf(/^(\d+)\./.exec(stdout ?? "")?.[1]);
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function has(directory: string, name: string): boolean {
  return existsSync(path.join(directory, name));
}

function directoriesAbove(from: string): string[] {
  const parent = path.dirname(from);
  return parent === from ? [from] : [from, ...directoriesAbove(parent)];
}
