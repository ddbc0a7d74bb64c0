/** Why a worker cannot run, as an error that a test runner shows with the place in the worker. */
import path from "node:path";
import { MiniflareError } from "@miniflare/shared";
import { withoutOwnFrames } from "../shared/frames";
import { describeThrown, isInstanceOf } from "../shared/thrown";

/** So many frames that the test is among them, beyond those that are hidden. */
export const STACK_FRAMES = 100;

/** Takes the frames of Miniflare and of this package out of what a test has thrown, and of its causes. */
export function hideOwnFrames(thrown: unknown): void {
  try {
    for (let error = thrown; isObject(error); error = (error as Error).cause) {
      const { stack } = error as Error;
      if (typeof stack !== "string") return;
      const shown = withoutOwnFrames(stack);
      // Jest takes the lines before the first frame for the message.
      if (shown !== stack && /\n\s+at /.test(shown)) (error as Error).stack = shown;
    }
  } catch {
    // It resists; the runner shows what it can.
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** File, line, source line and marker, as they stand before the stack of an error that V8 has for code. */
const PLACE = /^(.+):(\d+)\n(.*)\n( *)(\^+)\n\n/;
/** The first place in the message of a failed build. */
const BUILT = /^Cannot build ".*?": (.+?):(\d+):(\d+): /;

/**
 * The error in a form whose place runners show. `inMessage` is for code that the runner cannot show itself: the message
 * has the place, the source line and a marker.
 */
export function startFailure(thrown: unknown, inMessage: boolean): unknown {
  if (!isErrorOfAnyRealm(thrown)) return thrown;
  const stack = describeThrown(thrown);
  const found = PLACE.exec(stack);
  const text = found !== null && inMessage ? withPlace(found, thrown) : thrown.message;
  const error = new Error(text, { cause: causeOf(thrown, inMessage) });
  error.name = thrown.name;
  const frames = withoutOwnFrames(stack.slice(found?.[0].length ?? 0))
    .split("\n")
    .filter((line) => /^\s+at (?!.*(?:node:internal|<anonymous>))/.test(line));
  const frame = placeFrame(found, thrown.message);
  if (frame !== undefined && !(found && inMessage)) frames.unshift(frame);
  error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
  return error;
}

function withPlace(found: RegExpExecArray, thrown: Error): string {
  const [, file, line, source, indent = "", marker] = found;
  return `${file}:${line}:${indent.length + 1}: ${thrown.message}\n\n  ${source}\n  ${indent}${marker}`;
}

/** A frame for a place that is none of a call. */
function placeFrame(found: RegExpExecArray | null, message: string): string | undefined {
  if (found !== null) {
    const [, file, line, , indent = ""] = found;
    return `    at ${file}:${line}:${indent.length + 1}`;
  }
  const [, file, line, column] = BUILT.exec(message) ?? [];
  return file && `    at ${path.resolve(file)}:${line}:${column}`;
}

/** Errors of Miniflare say what has failed, and their cause why. */
function causeOf(thrown: Error, inMessage: boolean): unknown {
  return isInstanceOf(thrown, MiniflareError) && thrown.cause
    ? startFailure(thrown.cause, inMessage)
    : undefined;
}

function isErrorOfAnyRealm(thrown: unknown): thrown is Error {
  try {
    const { name, message, stack } = thrown as Error;
    return [name, message, stack].every((part) => typeof part === "string");
  } catch {
    return false;
  }
}
