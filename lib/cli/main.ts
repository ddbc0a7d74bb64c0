/** The `ferroflare` command: reads the command line, starts the worker's server, and ends when it is told to. */
import { EXEC_NAME, lineOf, UsageError } from "./errors";
import "./run/warnings";

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type http from "node:http";
import path from "node:path";
import { type Log, LogLevel, MiniflareError } from "@miniflare/shared";
import open from "open";
import { Miniflare } from "../miniflare/miniflare";
import type { MiniflareOptions, WorkerOptions } from "../miniflare/options";
import { createREPL } from "../miniflare/repl";
import { updateCheck } from "../miniflare/update-check";
import { FirstStart } from "../shared/first-start";
import { nearest } from "../shared/nearest";
import { ownPackage } from "../shared/own-package";
import { describeThrown, isError, messageOf, printable } from "../shared/thrown";
import { doctorCommand } from "./doctor/command";
import { importCommand } from "./import/command";
import { initCommand } from "./init/command";
import { red } from "./look";
import { objectsCommand } from "./objects/command";
import { parseCommand } from "./run/arguments";
import { banner } from "./run/banner";
import { commandLog } from "./run/command-log";
import { withEnvironment } from "./run/environment";
import { endOnSignal } from "./run/shutdown";
import { describeStartError } from "./run/start-errors";
import { endWithReader, suggestion } from "./subcommand";

/** Requests that are being answered get this long to finish when the command is told to end. */
const DRAIN_MS_MAX = 1000;

const LOOPBACK = "127.0.0.1";

/** What may stand in the place of a script; a script of such a name is run as `./objects`. */
const SUBCOMMANDS: Record<string, (argv: string[]) => Promise<void>> = {
  init: initCommand,
  doctor: doctorCommand,
  objects: objectsCommand,
  import: importCommand,
};
const SUBCOMMANDS_HELP = `Commands:
  ${EXEC_NAME} init     Put this package in the place of Miniflare 2's Durable Objects, in this project
  ${EXEC_NAME} doctor   Print what is in use, and try it
  ${EXEC_NAME} objects  List, show, export, query and delete stored Durable Objects
  ${EXEC_NAME} import   Import Durable Objects that Miniflare 2 has stored`;

function fail(message: string): void {
  process.stderr.write(`${red(`${EXEC_NAME}: ${message}`, process.stderr)}\n`);
  process.exitCode = 1;
}

function logLevel(options: WorkerOptions): LogLevel {
  if (options.verbose) return LogLevel.VERBOSE;
  return options.debug ? LogLevel.DEBUG : LogLevel.INFO;
}

/** Adds what a command implies beyond its options: config files are looked for, and a class needs a module to be exported from. */
function withImpliedOptions(options: WorkerOptions, log: Log): WorkerOptions & MiniflareOptions {
  const implied: WorkerOptions & MiniflareOptions = {
    ...withEnvironment({ wranglerConfigPath: true, packagePath: true, ...options }),
    envPathDefaultFallback: true,
    log,
    sourceMap: true,
    logUnhandledRejections: true,
  };
  if (options.buildWatchPaths?.length || options.liveReload) implied.watch = true;
  if (Object.keys(options.durableObjects ?? {}).length > 0) implied.modules = true;
  if (options.repl) {
    implied.scriptRequired = false;
    implied.watch = false;
    implied.globalAsyncIO = true;
    implied.globalTimers = true;
    implied.globalRandom = true;
  }
  return implied;
}

/** Resolves when all requests are answered or `DRAIN_MS_MAX` is over; then no request is being answered any more. */
async function closeServer(server: http.Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const late = new Promise<void>((resolve) => setTimeout(resolve, DRAIN_MS_MAX).unref());
  server.closeIdleConnections();
  await Promise.race([closed, late]);
  server.closeAllConnections();
}

async function openBrowser(mf: Miniflare): Promise<void> {
  const url = await mf.getOpenURL();
  if (url === undefined) return;
  try {
    await open(url);
  } catch (error) {
    mf.log.warn(`Unable to open ${url} in a browser: ${messageOf(error)}`);
  }
}

/** Only if it is asked for. Never fails and never holds up the end of the process: news of an update is not worth that. */
async function checkForUpdate(mf: Miniflare): Promise<void> {
  const { CorePlugin } = await mf.getPlugins();
  const { CI, NODE_ENV, NO_UPDATE_NOTIFIER } = process.env;
  const pkg = ownPackage();
  if (!CorePlugin.updateCheck || CI || NODE_ENV === "test" || NO_UPDATE_NOTIFIER) return;
  if (!existsSync("node_modules")) return;
  try {
    const directory = path.resolve("node_modules", ".mf");
    await mkdir(directory, { recursive: true });
    const lastCheckFile = path.join(directory, `${pkg.name}-update-check`);
    const registry = process.env.npm_config_registry?.replace(/\/*$/, "/");
    await updateCheck({ pkg, lastCheckFile, log: mf.log, registry });
  } catch (error) {
    mf.log.debug(`Unable to check for updates: ${messageOf(error)}`);
  }
}

/** Nothing if an option is refused at once. */
function newMiniflare(options: MiniflareOptions, start: FirstStart): Miniflare | undefined {
  try {
    return start.run(() => new Miniflare(options));
  } catch (error) {
    fail(describeStartError(error, options));
    return undefined;
  }
}

/** What keeps a worker from running, in the words of a start that ends the command. */
function shownFailure(failure: unknown, options: MiniflareOptions): Error {
  if (!(failure instanceof MiniflareError)) return printable(failure);
  const shown = new Error(failure.message);
  shown.stack = describeStartError(failure, options);
  return shown;
}

async function run(given: WorkerOptions): Promise<void> {
  const { log, ready, wait } = commandLog(logLevel(given));
  const options = withImpliedOptions(given, log);
  const start = new FirstStart();
  const mf = newMiniflare(options, start);
  if (mf === undefined) return;
  const closers: (() => Promise<unknown>)[] = [() => mf.dispose()];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  endOnSignal(close, (error) => fail(lineOf(error)));
  try {
    if (options.repl) {
      const repl = await createREPL(mf);
      repl.on("exit", () => void close());
    } else {
      const plugins = await mf.getPlugins();
      start.end();
      for (const line of banner(plugins)) console.log(line);
      for (const failure of start.failures) log.error(shownFailure(failure, options));
      if (start.failures.size === 0) ready();
      else wait();
      // Others reach the worker only where a host is named.
      plugins.HTTPPlugin.host ??= LOOPBACK;
      const server = await mf.startServer();
      closers.push(() => closeServer(server));
      const scheduler = await mf.startScheduler();
      closers.push(() => scheduler.dispose());
    }
  } catch (error) {
    fail(describeStartError(error, options));
    if (options.verbose && isError(error)) console.error(describeThrown(error));
    await close().catch(() => {});
    // The plugins may have begun to fetch something; that must not hold up the end.
    process.exit();
  }
  await openBrowser(mf);
  await checkForUpdate(mf);
}

/** Runs a subcommand; its errors say all there is to say in one line. */
async function runSubcommand(word: string, argv: string[]): Promise<void> {
  endWithReader();
  try {
    await SUBCOMMANDS[word]?.(argv);
  } catch (error) {
    fail(lineOf(error));
  }
}

/** # Errors `UsageError` if a word is no script but nearly the name of a subcommand. */
function checkMistyped(word: string): void {
  if (!/^[a-z]+$/i.test(word) || existsSync(word)) return;
  const meant = nearest(word, Object.keys(SUBCOMMANDS));
  if (meant === undefined) return;
  throw new UsageError(
    `There is no script "${word}", and no such command.${suggestion(meant)} Run "${EXEC_NAME} --help" to see the commands.`,
  );
}

/** Runs the command. The exit code is 1 if the command line is wrong or the worker cannot be started. */
export async function main(argv: string[]): Promise<void> {
  process.env.MINIFLARE_EXEC_NAME ??= EXEC_NAME;
  try {
    const [word = "", ...rest] = argv;
    if (Object.hasOwn(SUBCOMMANDS, word)) return await runSubcommand(word, rest);
    checkMistyped(word);
    const command = parseCommand(argv);
    if (command.kind === "help") console.log(`${command.text}\n\n${SUBCOMMANDS_HELP}`);
    else if (command.kind === "version") console.log(ownPackage().version);
    else await run(command.options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    fail(error.message);
  }
}
