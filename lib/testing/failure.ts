/** Why a worker cannot run, as an error that a test runner shows with the place in the worker. */
import { MiniflareError } from "@miniflare/shared";
import { withoutOwnFrames } from "../shared/frames";
import { describeThrown, isError, isInstanceOf, messageOf } from "../shared/thrown";

/** File, line, source line and marker, as they stand before the stack of an error that V8 has for code. */
const PLACE = /^(.+:\d+)\n(.*)\n( *)(\^+)\n\n/;

/** The error itself if it has a place in its stack alone; the message says it where the code could not be read. */
export function startFailure(thrown: unknown): unknown {
  if (!isError(thrown) && !isSyntaxError(thrown)) return thrown;
  const stack = describeThrown(thrown);
  const found = PLACE.exec(stack);
  const error = new Error(messageWith(found, thrown), { cause: causeOf(thrown) });
  error.name = thrown.name;
  const frames = withoutOwnFrames(stack.slice(found?.[0].length ?? 0))
    .split("\n")
    .filter((line) => /^\s+at /.test(line));
  error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
  return error;
}

function messageWith(found: RegExpExecArray | null, thrown: Error): string {
  if (found === null) return messageOf(thrown);
  const [, place, source, indent = "", marker] = found;
  return `${place}:${indent.length + 1}: ${thrown.message}\n\n  ${source}\n  ${indent}${marker}`;
}

/** Errors of Miniflare say what has failed, and their cause why. */
function causeOf(thrown: Error): unknown {
  return isInstanceOf(thrown, MiniflareError) && thrown.cause
    ? startFailure(thrown.cause)
    : undefined;
}

/** Also one of the realm of the worker. */
function isSyntaxError(thrown: unknown): thrown is Error {
  try {
    return (thrown as Error).name === "SyntaxError" && typeof (thrown as Error).stack === "string";
  } catch {
    return false;
  }
}
