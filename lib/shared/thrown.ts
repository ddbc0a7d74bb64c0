/**
 * Describes what a program has thrown. That may be any value, also one that throws when it is looked at, so each
 * function here catches that.
 */
import { inspect } from "node:util";

/** What `look` returns as a string, or `undefined` if there is nothing or the value resists. */
function shown(look: () => unknown): string | undefined {
  try {
    const found = look();
    return found === undefined || found === null ? undefined : String(found);
  } catch {
    return undefined;
  }
}

/** The stack of an error, or `undefined` where there is none. */
export function stackOf(thrown: unknown): string | undefined {
  return shown(() => (Object(thrown) as { stack?: unknown }).stack);
}

/** The value as one would print it, without a stack. */
function textOf(thrown: unknown): string {
  return (
    shown(() => String(thrown)) ??
    // This looks behind a proxy without calling it.
    shown(() => inspect(thrown, { customInspect: false, getters: false })) ??
    `a value of type ${typeof thrown} that cannot be shown`
  );
}

/** The stack of an error, or the value itself. */
export function describeThrown(thrown: unknown): string {
  return stackOf(thrown) ?? textOf(thrown);
}

/** Whether a value is an instance of a class. A proxy whose traps throw is an instance of none. */
export function isInstanceOf<C extends abstract new (...args: never[]) => unknown>(
  thrown: unknown,
  expected: C,
): thrown is InstanceType<C> {
  try {
    return thrown instanceof expected;
  } catch {
    return false;
  }
}

/** Whether a value is an error of this realm. */
export function isError(thrown: unknown): thrown is Error {
  return isInstanceOf(thrown, Error);
}

/** The message of an error, or the value itself. */
export function messageOf(thrown: unknown): string {
  const message = isError(thrown) ? shown(() => thrown.message) : undefined;
  return message ?? textOf(thrown);
}

/** Whether a log can print a value, and what has caused it, without an error of its own. */
function isPrintable(thrown: unknown): boolean {
  try {
    if (thrown === undefined || thrown === null) return false;
    const { stack, cause } = Object(thrown) as { stack?: unknown; cause?: unknown };
    if (stack) return typeof stack === "string" && (!cause || isPrintable(cause));
    return typeof String(thrown) === "string";
  } catch {
    return false;
  }
}

/** What a log can print: the value itself if possible, or else an error that describes it. */
export function printable(thrown: unknown): Error {
  if (isPrintable(thrown)) return thrown as Error;
  const error = new Error(textOf(thrown));
  error.stack = describeThrown(thrown);
  return error;
}
