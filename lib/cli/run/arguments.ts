/** Turns the command line into what to do: print a text, or run a worker with these options. */
import { buildHelp, ParseError, parseArgv } from "@miniflare/cli-parser";
import type { OptionMetadata } from "@miniflare/shared";
import { kebabCase, OptionType } from "@miniflare/shared";
import type { WorkerOptions } from "../../miniflare/options";
import { PLUGINS } from "../../miniflare/plugins";
import { nearest } from "../../shared/nearest";
import { EXEC_NAME, UsageError } from "../errors";

const HELP_HINT = `Run "${EXEC_NAME} --help" to see the options.`;
const HELP_COLUMNS_DEFAULT = 100;

export type Command =
  | { kind: "help"; text: string }
  | { kind: "version" }
  | { kind: "run"; options: WorkerOptions };

/** Returns the name of an option on the command line, without dashes, or `undefined` if it has none. */
export function optionName(key: string | symbol, meta: OptionMetadata): string | undefined {
  if (typeof key === "symbol") return undefined;
  if (meta.type === OptionType.NONE || meta.type === OptionType.STRING_POSITIONAL) return undefined;
  const name = meta.name ?? kebabCase(key);
  const repeatable = meta.type === OptionType.ARRAY || meta.type === OptionType.OBJECT;
  return repeatable && name.endsWith("s") ? name.slice(0, -1) : name;
}

/** Calls `visit` with each option that the plugins declare. */
export function eachOption(visit: (key: string | symbol, meta: OptionMetadata) => void): void {
  for (const plugin of Object.values(PLUGINS)) {
    for (const [key, meta] of plugin.prototype.opts ?? []) visit(key, meta);
  }
}

function optionNames(): string[] {
  const names = ["help", "version"];
  eachOption((key, meta) => {
    const name = optionName(key, meta);
    if (name === undefined) return;
    names.push(name);
    if (meta.negatable) names.push(`no-${name}`);
  });
  return names;
}

/** Writes `-o` as `--do`, for options that may be repeated: the parser drops one form where both are used. */
function withLongNames(argv: string[]): string[] {
  const longNames = new Map<string, string>();
  eachOption((key, meta) => {
    const name = optionName(key, meta);
    const repeatable = meta.type === OptionType.ARRAY || meta.type === OptionType.OBJECT;
    if (name !== undefined && repeatable && meta.alias) longNames.set(`-${meta.alias}`, name);
  });
  const optionsEnd = argv.includes("--") ? argv.indexOf("--") : argv.length;
  return argv.map((argument, i) => {
    const name = i < optionsEnd ? longNames.get(argument.slice(0, 2)) : undefined;
    if (name === undefined || !/^-.(=|$)/.test(argument)) return argument;
    return `--${name}${argument.slice(2)}`;
  });
}

function unknownOption(message: string): UsageError {
  const flag = message.slice(message.indexOf("-")).split("=", 1)[0] ?? "";
  const found = nearest(flag.replace(/^-+/, ""), optionNames());
  const suggestion = found === undefined ? "" : ` Did you mean "--${found}"?`;
  return new UsageError(`Unknown option "${flag}".${suggestion} ${HELP_HINT}`);
}

/**
 * # Errors
 * `UsageError` for an unknown option or for a value that an option does not take.
 */
export function parseCommand(argv: string[], columns = process.stdout.columns): Command {
  try {
    return { kind: "run", options: parseArgv(PLUGINS, withLongNames(argv)) as WorkerOptions };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    switch (error.code) {
      case "ERR_HELP":
        return {
          kind: "help",
          text: buildHelp(PLUGINS, EXEC_NAME, columns ?? HELP_COLUMNS_DEFAULT),
        };
      case "ERR_VERSION":
        return { kind: "version" };
      case "ERR_OPTION":
        throw unknownOption(error.message);
      default:
        throw new UsageError(`${error.message}. ${HELP_HINT}`);
    }
  }
}
