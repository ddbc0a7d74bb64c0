/** What stands for a worker whose changed script cannot run: requests get the error until the script is fixed. */
import type { Context, ScriptRunnerResult } from "@miniflare/shared";
import { noteBroken, survive } from "../shared/first-start";
import { downToScript } from "../shared/frames";
import { describeThrown, isError, messageOf } from "../shared/thrown";

/** File, line, source line and caret, as Node.js writes them before the stack of a syntax error. */
const PLACE = /^(.+):(\d+)\n.*\n( *)\^/;

/**
 * The result of running such a script. Miniflare registers the handlers in this order, and ends the reload with the error
 * that the last one throws.
 */
export function brokenScript(thrown: unknown): ScriptRunnerResult {
  const error = shownError(thrown);
  const fail = () => {
    throw error;
  };
  const handlers = { fetch: fail, scheduled: fail };
  Object.defineProperty(handlers, "queue", { get: fail });
  return { exports: { default: handlers } as Context };
}

/** The same for a script that could never run. The start goes on, so that the watcher sees the script being fixed. */
export function brokenAtStart(thrown: unknown): ScriptRunnerResult {
  const error = shownError(thrown);
  const fail = () => {
    throw error;
  };
  const exports = { default: { fetch: fail, scheduled: fail, queue: fail } } as Context;
  noteBroken(exports, error);
  survive(error);
  return { exports };
}

/** An error with the same words, whose stack leads to the script alone. */
function shownError(thrown: unknown): Error {
  const error = new Error(messageOf(thrown));
  if (isError(thrown)) error.name = thrown.name;
  const stack = downToScript(describeThrown(thrown));
  const found = PLACE.exec(stack);
  const column = (found?.[3]?.length ?? 0) + 1;
  const frame = found === null ? "" : `\n    at ${found[1]}:${found[2]}:${column}`;
  const hint = "The worker runs again as soon as the script has been fixed.";
  error.stack = `${stack.trimEnd()}${frame}\n\n${hint}`;
  return error;
}
