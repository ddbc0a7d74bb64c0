/** `ferroflare init`: writes the overrides that make an unmodified `miniflare` run on this package, or takes them out again. */

import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ownPackage } from "../../shared/own-package";
import { CommandError, EXEC_NAME, UsageError } from "../errors";
import { diffLine, done } from "../look";
import { usersIn } from "../project/installed";
import { managerFlags, managerOf } from "../project/manager-option";
import {
  added,
  checkDirectDependency,
  coreEntry,
  current,
  type Entry,
  isInEffect,
  REPLACED,
  read,
  removed,
  type Target,
  targetOf,
  UNDICI_PATCHED,
  UNDICI_PINNED,
  undiciEntry,
} from "../project/overrides";
import {
  findProject,
  findRoot,
  MANAGERS,
  type Manager,
  readPackage,
} from "../project/package-manager";
import {
  type Arguments,
  confirmed,
  hint,
  print,
  printCommands,
  readArguments,
} from "../subcommand";
import { diff } from "./diff";
import { doctorCommandLine, installCommand, ownCommandLine } from "./next-steps";

const HELP = `Usage: ${EXEC_NAME} init [options]

Puts ${EXEC_NAME} in the place of ${REPLACED} in this project, so that miniflare@2 and
the test environments made for it run on the native core. It shows what it will write, and asks before it does.

Options:
  --yes                Write without asking
  --undici             Also replace undici ${UNDICI_PINNED}, which Miniflare 2 pins and which has known
                       vulnerabilities, by ${UNDICI_PATCHED}
  --remove             Take out what init has written
  --manager NAME       The package manager: ${MANAGERS.join(", ")}; detected by default`;

/** What Miniflare 2 is known by in a project, and the first major version that this package is not for. */
const USERS: Record<string, number> = {
  miniflare: 3,
  "jest-environment-miniflare": 3,
  "vitest-environment-miniflare": 3,
};

interface Change {
  target: Target;
  before: string;
  after: string;
}

/** Runs `ferroflare init` with what follows on the command line. */
export async function initCommand(argv: string[]): Promise<void> {
  const given = readArguments(
    argv,
    { yes: "flag", undici: "flag", remove: "flag", ...managerFlags },
    "init",
  );
  if (given.flags.has("help")) return print(HELP);
  const [extra] = given.words;
  if (extra !== undefined) throw new UsageError(`Unexpected argument "${extra}". ${hint("init")}`);
  const root = findRoot(process.cwd());
  if (root === undefined) {
    throw new CommandError(
      `There is no package.json in ${process.cwd()} or above it. Run this in your project; "npm init -y" makes a new one.`,
    );
  }
  const manager = managerOf(root, given, "init");
  await print(`Project: ${root} (${manager.name}: ${manager.because})`);
  if (given.flags.has("remove")) await remove(root, manager, given);
  else await add(root, manager, given);
}

async function add(root: string, manager: Manager, given: Arguments) {
  await warnOfVersions(root);
  const target = targetOf(root, manager);
  const core = coreEntry(root, manager, ownPackage().version);
  const before = current(target, core.key);
  if (isInEffect(root, before, core)) core.value = before as string;
  const undici = undiciEntry(root, manager);
  const entries: Entry[] = [core];
  if (given.flags.has("undici")) entries.push(undici);
  for (const entry of entries) checkDirectDependency(root, manager, entry);

  const written = await write(target, entries, given);
  if (!written) return;
  if (!given.flags.has("undici") && current(target, undici.key) === undefined) {
    await offerUndici(root, manager, target, undici, given);
  }
  await printCommands("Next, install it and see that it is in use:", [
    installCommand(root, manager),
    doctorCommandLine(root, manager),
  ]);
}

/** Shows the change and makes it; says whether it has been made. */
async function write(target: Target, entries: Entry[], given: Arguments): Promise<boolean> {
  const before = read(target.file);
  const change = { target, before, after: added(target, entries) };
  if (before === change.after) {
    await print(done(`Nothing to do: ${path.basename(target.file)} has ${list(entries)} already.`));
    return true;
  }
  return apply(change, given);
}

async function offerUndici(
  root: string,
  manager: Manager,
  target: Target,
  entry: Entry,
  given: Arguments,
): Promise<void> {
  await print(
    `Miniflare 2 pins undici ${UNDICI_PINNED}, which has known vulnerabilities; ${UNDICI_PATCHED} fixes those that can be fixed there.`,
  );
  if (given.flags.has("yes") || !process.stdin.isTTY) {
    return printCommands("To replace it as well:", [
      ownCommandLine(root, manager, "init --undici"),
    ]);
  }
  const before = read(target.file);
  await apply({ target, before, after: added(target, [entry]) }, given);
}

async function remove(root: string, manager: Manager, given: Arguments) {
  const target = targetOf(root, manager);
  const ours = [REPLACED, undiciEntry(root, manager).key].filter((key) =>
    isOurs(key, current(target, key)),
  );
  if (ours.length === 0) {
    const other = current(target, REPLACED);
    const left =
      other === undefined
        ? ""
        : ` "${REPLACED}" is set to ${JSON.stringify(other)}, which is left as it is.`;
    return print(
      `Nothing to do: ${path.basename(target.file)} has no entry of ${EXEC_NAME}.${left}`,
    );
  }
  const change = { target, before: read(target.file), after: removed(target, ours) };
  if (await apply(change, given)) {
    await printCommands("Next, go back to Miniflare's own:", [installCommand(root, manager)]);
  }
}

function isOurs(key: string, value: unknown): boolean {
  if (key === REPLACED) return typeof value === "string" && /\bferroflare\b/.test(value);
  return value === UNDICI_PATCHED;
}

async function apply({ target, before, after }: Change, given: Arguments): Promise<boolean> {
  for (const line of diff(target.file, before, after)) await print(diffLine(line));
  if (!given.flags.has("yes") && !(await confirmed("Write this?", "init"))) {
    await print("Nothing was written.");
    return false;
  }
  try {
    if (after === "") rmSync(target.file);
    else writeFileSync(target.file, after);
  } catch (error) {
    throw new CommandError(`Cannot write ${target.file}: ${(error as Error).message}.`);
  }
  await print(done(`Wrote ${target.file}.`));
  return true;
}

/** Says when the entry will have no effect: nothing here uses Miniflare 2. */
async function warnOfVersions(root: string): Promise<void> {
  const all: Record<string, string> = {};
  for (const directory of new Set([root, findProject(process.cwd()) ?? root])) {
    const pkg = readPackage(directory);
    Object.assign(all, pkg.optionalDependencies, pkg.devDependencies, pkg.dependencies);
  }
  const others = Object.entries(USERS).flatMap(([name, majorEnd]) => {
    const major = /^[\^~]?(\d+)/.exec(all[name] ?? "")?.[1];
    return major === undefined || Number(major) < majorEnd ? [] : [name];
  });
  for (const name of others) {
    await print(
      `Note: ${name} ${all[name]} does not use ${REPLACED}; the entry has an effect on miniflare 2 only.`,
    );
  }
  const used = Object.keys(USERS).some((name) => all[name] !== undefined);
  if (used || usersIn(root).length > 0) return;
  await print(
    `Note: there is no miniflare 2 here: the entry has no effect until miniflare@2, jest-environment-miniflare@2 or vitest-environment-miniflare@2 is installed. ` +
      `${EXEC_NAME} itself needs no entry.`,
  );
}

function list(entries: readonly Entry[]): string {
  return entries.map(({ key, value }) => `"${key}": "${value}"`).join(" and ");
}
