/** `ferroflare doctor`: says what is in use, from the versions to the native core, and proves it by a round trip. */

import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { glibcVersion, platformName } from "../../native/platforms";
import { ownDirectory } from "../../shared/own-package";
import { shownUrl } from "../../shared/redis-url";
import { CommandError, EXEC_NAME, lineOf, UsageError } from "../errors";
import { ownCommandLine } from "../init/next-steps";
import { bold, done, green, isForPeople } from "../look";
import { placeOf } from "../place";
import {
  checkReplaced,
  checkShared,
  type Installed,
  installed,
  ownIn,
  type User,
  usersIn,
} from "../project/installed";
import { managerFlags, managerOf } from "../project/manager-option";
import { current, REPLACED, targetOf, UNDICI_PATCHED, UNDICI_PINNED } from "../project/overrides";
import { findRoot, MANAGERS, type Manager } from "../project/package-manager";
import { type Arguments, hint, print, readArguments } from "../subcommand";
import { configuredPlace, projectConfig } from "./configured-place";
import { load, roundTrip } from "./round-trip";

const HELP = `Usage: ${EXEC_NAME} doctor [options]

Prints what is in use: versions, the native core, the package of Miniflare's Durable Objects, and the place of the
data. Then it writes and reads an object in memory, in files and in that place. If anything is wrong, the exit code is
1, and standard error has the reason.

Options:
  --do-persist PLACE   The directory or redis:// URL to try; by default what wrangler.jsonc, .json or .toml says
  --manager NAME       The package manager: ${MANAGERS.join(", ")}; detected by default`;

const LABEL_COLUMNS = 12;

/** Runs `ferroflare doctor` with what follows on the command line. */
export async function doctorCommand(argv: string[]): Promise<void> {
  const options = { "do-persist": "value", ...managerFlags } as const;
  const asked = readArguments(argv, options, "doctor");
  const { words, flags, values } = asked;
  if (flags.has("help")) return print(HELP);
  const [extra] = words;
  if (extra !== undefined)
    throw new UsageError(`Unexpected argument "${extra}". ${hint("doctor")}`);

  const root = findRoot(process.cwd());
  const own = ownIn(root);
  await describeCore(own);
  const [miniflare, objects] = await describeProject(root, own, asked);
  await describeUndici(objects, root, asked);

  const inUse = load(miniflare.directory, objects.directory);
  await line("native core", `${inUse.objects.coreVersion}, ${loadedAddon(objects)}`);
  await attempt("memory", () => roundTrip(inUse));
  await attempt("files", () => inScratch((directory) => roundTrip(inUse, directory)));
  const given = values.get("do-persist");
  const config = await describeConfig();
  const place =
    given === undefined
      ? configuredPlace(config)
      : { place: placeOf(given), where: "--do-persist" };
  if (place.place === undefined) await line("data", `in memory (${place.where})`);
  else {
    await attempt(
      "data",
      () => roundTrip(inUse, place.place as string),
      `${shownUrl(place.place)} (${place.where})`,
    );
  }
  if (isForPeople()) await print(`\n${green("Everything works.")}`);
}

async function describeCore(own: Installed): Promise<void> {
  await line("ferroflare", `${own.version} in ${own.directory}`);
  const glibc = glibcVersion();
  await line(
    "Node.js",
    `${process.versions.node} on ${platformName()}${glibc === undefined ? "" : `, glibc ${glibc}`}`,
  );
}

/** Says whose Durable Objects are in use; returns the packages to try them through. */
async function describeProject(
  root: string | undefined,
  own: Installed,
  asked: Arguments,
): Promise<[Installed, Installed]> {
  if (root === undefined) {
    await line("project", "none: there is no package.json here or above");
    return [own, own];
  }
  const manager = managerOf(root, asked, "doctor");
  await line("project", `${root} (${manager.name}: ${manager.because})`);
  const users = usersIn(root);
  if (users.length === 0) await line("miniflare", "not installed: ferroflare is used directly");
  for (const { user, objects } of users) {
    await line(
      user.name,
      `${user.version} in ${user.directory}, on ${objects.name} ${objects.version}`,
    );
  }
  const replaced = await describeOverride(root, manager, users);
  const miniflare = replaced.find(({ user }) => user.name === "miniflare");
  if (miniflare !== undefined) return [miniflare.user, miniflare.objects];
  const [first] = replaced;
  return first === undefined ? [own, own] : [first.objects, first.objects];
}

/** Says whether the override is in effect; returns those that it has an effect on. */
async function describeOverride(root: string, manager: Manager, users: User[]): Promise<User[]> {
  const target = targetOf(root, manager);
  const entry = current(target, REPLACED);
  const written = entry === undefined ? undefined : `"${REPLACED}": "${entry}" in ${target.file}`;
  const replaced = users.filter(({ objects }) => objects.name === "ferroflare");
  // A project that uses the package directly may keep Miniflare's own beside it, to compare.
  const direct = installed("ferroflare", root) !== undefined || root === ownDirectory;
  if (direct && written === undefined && replaced.length === 0) {
    if (users.length > 0) await line("override", "none: only what imports ferroflare runs on it");
    return [];
  }
  for (const user of users) checkReplaced(user, written);
  for (const user of replaced) {
    for (const shared of checkShared(user)) {
      await line("one copy", `${shared.name} ${shared.version}`);
    }
  }
  return replaced;
}

/** Says which configuration file counts, and what it declares. */
async function describeConfig(): Promise<ReturnType<typeof projectConfig>> {
  const config = projectConfig(process.cwd());
  if (config === undefined) return undefined;
  const { file, ignored, classes } = config;
  await line("config", ignored === undefined ? file : `${file}: ${ignored}`);
  if (classes.length > 0) await line("classes", classes.join(", "));
  return config;
}

async function describeUndici(
  objects: Installed,
  root: string | undefined,
  asked: Arguments,
): Promise<void> {
  const undici = installed("undici", objects.directory);
  if (undici === undefined) return;
  const command =
    root === undefined
      ? `npx ${EXEC_NAME} init --undici`
      : ownCommandLine(root, managerOf(root, asked, "doctor"), "init --undici");
  const advice =
    undici.version === UNDICI_PINNED
      ? `; it has known vulnerabilities, and ${UNDICI_PATCHED} has fewer: ${command}`
      : "";
  await line("undici", `${undici.version}${advice}`);
}

/** The file of the addon that this process has loaded for a package. */
function loadedAddon(objects: Installed): string {
  const files = Object.keys(require.cache).filter(
    (file) => file.endsWith(".node") && /ferroflare/.test(file),
  );
  const own = files.find((file) => file.startsWith(objects.directory + path.sep));
  const other = files.filter((file) => !file.startsWith(ownDirectory + path.sep));
  const file = own ?? other.at(-1) ?? files.at(-1);
  if (file === undefined) throw new CommandError("No native core is loaded.");
  return `${file} (${(statSync(file).size / 2 ** 20).toFixed(1)} MiB)`;
}

/** # Errors `CommandError` that names what was tried, in one line. */
async function attempt(label: string, trip: () => Promise<void>, what = ""): Promise<void> {
  try {
    await trip();
  } catch (error) {
    throw new CommandError(`${label}${what && ` ${what}`}: ${lineOf(error)}`);
  }
  await line(label, `${what}${what && ": "}written and read back`);
}

async function inScratch(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(path.join(os.tmpdir(), "ferroflare-doctor-"));
  try {
    await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function line(label: string, text: string): Promise<void> {
  return print(done(`${bold(`${label}:`.padEnd(LABEL_COLUMNS))} ${text}`));
}
