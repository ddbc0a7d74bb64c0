/** What makes a script a program: how it starts, and how it ends, well or with a message. */
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** An expected failure: its message is all that the user needs, so it is printed without a stack. */
export class Failure extends Error {}

/** Runs a script's `main`, prints a `Failure` in one piece and sets the exit code. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Whether the module at `url` is the program itself, not imported by another one. */
export function isProgram(url) {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === realpathSync(fileURLToPath(url));
}
