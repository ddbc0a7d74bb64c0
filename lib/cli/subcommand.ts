/** What the subcommands share: reading their arguments, printing lines, and one line for each error. */
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { nearest } from "../shared/nearest";
import { EXEC_NAME, UsageError } from "./errors";
import { cyan } from "./look";

/** Options by name, without dashes, and whether each takes a value. */
export type Flags = Record<string, "flag" | "value" | "optional value">;

export interface Arguments {
  /** In order, without options. */
  words: string[];
  flags: Set<string>;
  values: Map<string, string>;
}

/**
 * Takes arguments apart; `-h` is short for `--help`, and what follows `--` is no option.
 *
 * # Errors
 * `UsageError` for an unknown option, a missing value or one too many.
 */
export function readArguments(argv: readonly string[], flags: Flags, command: string): Arguments {
  const known: Flags = { ...flags, help: "flag" };
  const found: Arguments = { words: [], flags: new Set(), values: new Map() };
  const rest = [...argv];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === "--") {
      found.words.push(...rest.splice(0));
    } else if (argument === "-h") {
      found.flags.add("help");
    } else if (!/^-./.test(argument)) {
      found.words.push(argument);
    } else {
      readOption(argument, rest, known, found, command);
    }
  }
  return found;
}

function readOption(
  argument: string,
  rest: string[],
  known: Flags,
  found: Arguments,
  command: string,
): void {
  const equals = argument.indexOf("=");
  const typed = equals === -1 ? argument : argument.slice(0, equals);
  const name = typed.slice(2);
  const kind = typed.startsWith("--") && Object.hasOwn(known, name) ? known[name] : undefined;
  if (kind === undefined) {
    const meant = nearest(typed.replace(/^-+/, ""), Object.keys(known));
    throw new UsageError(`Unknown option "${typed}".${suggestion(meant, "--")} ${hint(command)}`);
  }
  if (kind === "flag") {
    if (equals !== -1) throw new UsageError(`${typed} takes no value. ${hint(command)}`);
    found.flags.add(name);
    return;
  }
  const next = rest[0];
  if (equals !== -1) {
    found.values.set(name, argument.slice(equals + 1));
  } else if (next !== undefined && !/^-./.test(next)) {
    found.values.set(name, next);
    rest.shift();
  } else if (kind === "value") {
    throw new UsageError(`${typed} needs a value. ${hint(command)}`);
  }
}

/** The sentence that proposes what was meant, if anything was. */
export function suggestion(meant: string | undefined, prefix = ""): string {
  return meant === undefined ? "" : ` Did you mean "${prefix}${meant}"?`;
}

export function hint(command: string): string {
  return `Run "${EXEC_NAME} ${command} --help" to see how it is used.`;
}

/** Prints a line when the reader is ready for it. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}

/** Prints what commands are for, and each on a line of its own, as it can be copied. */
export async function printCommands(title: string, commands: readonly string[]): Promise<void> {
  await print(`\n${title}\n`);
  for (const command of commands) await print(`  ${cyan(command)}`);
}

/**
 * Whether the user says yes.
 *
 * # Errors
 * `UsageError` if there is no user to ask.
 */
export async function confirmed(question: string, command: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      `Nothing was written, because standard input is no terminal to ask on: add --yes. ${hint(command)}`,
    );
  }
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

/** Ends the process quietly when the reader of the output has seen enough, as `head` does. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? process.exitCode : 1);
  });
}
