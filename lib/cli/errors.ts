/** The errors of the command that have a line for the user. */
import { messageOf } from "../shared/thrown";

export const EXEC_NAME = "ferroflare";

/** The command line itself is wrong; the message is one line that names the option. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A failure that has a line for the user; the exit code is 1. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** What an error says, in one line. */
export function lineOf(error: unknown): string {
  return messageOf(error)
    .replace(/\s*\n\s*/g, " ")
    .trim();
}
