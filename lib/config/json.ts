/** Parses JSON with comments and trailing commas, and says where it is wrong. */
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { ConfigError } from "./error";

/** What is wrong, by the codes of the parser. */
const PROBLEMS: Record<string, string> = {
  InvalidSymbol: "this is no value",
  InvalidNumberFormat: "this is no number",
  PropertyNameExpected: 'a key in "double quotes" was expected',
  ValueExpected: "a value was expected",
  ColonExpected: 'a colon (":") was expected',
  CommaExpected: 'a comma (",") was expected',
  CloseBraceExpected: 'a closing brace ("}") was expected',
  CloseBracketExpected: 'a closing bracket ("]") was expected',
  EndOfFileExpected: "the end of the file was expected",
  InvalidCommentToken: "this is no comment",
  UnexpectedEndOfComment: "a comment does not end",
  UnexpectedEndOfString: "a string does not end",
  UnexpectedEndOfNumber: "a number does not end",
  InvalidUnicode: "this is no Unicode escape",
  InvalidEscapeCharacter: "this is no escape sequence",
  InvalidCharacter: "a string has a character that must be escaped",
};

/**
 * # Errors
 * `ConfigError` with the file, the line, the column and a caret.
 */
export function parseJsonc(file: string, text: string): Record<string, unknown> {
  const errors: ParseError[] = [];
  const source = text.replace(/^\uFEFF/, "");
  const value: unknown = parse(source, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) throw describe(file, source, first);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new ConfigError(`Cannot parse "${file}": it must hold one object, { … }.`);
}

function describe(file: string, source: string, error: ParseError): ConfigError {
  const before = source.slice(0, error.offset).split("\n");
  const row = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const code = printParseErrorCode(error.error);
  const line = source.split("\n")[row - 1]?.replace(/\r$/, "") ?? "";
  const caret = line.slice(0, column - 1).replace(/[^\t]/g, " ");
  const problem = PROBLEMS[code] ?? code;
  return new ConfigError(
    `Cannot parse "${file}": ${problem} at ${row}:${column}.\n\n  ${line}\n  ${caret}^`,
  );
}
