/** `ferroflare objects query`: runs SQL on the database of an object, and prints the rows. */
import type { QueryResult, RawDatabase } from "../../native/raw-database";
import type { StoredObjects } from "../../native/raw-objects";
import { CommandError, UsageError } from "../errors";
import { type Arguments, hint, print } from "../subcommand";
import { addressOf, checkExists, word } from "./address";

const COMMAND = "objects query";

export async function query(
  objects: StoredObjects,
  given: Arguments,
  place: string,
): Promise<void> {
  const { words, sql } = takenApart(given);
  const address = addressOf({ ...given, words }, COMMAND);
  await checkExists(objects, address, place);
  const { name, id } = address;
  if (!(await objects.isSqlite(name, id))) {
    throw new CommandError(
      `The object ${word(name)} ${word(id)} is not SQLite-backed: it has keys and values only. Show them with "objects show".`,
    );
  }
  const database = await objects.database(name, id);
  try {
    const result = run(database, sql, given.flags.has("write"));
    if (given.flags.has("json")) await printJson(result);
    else await printTable(result);
  } finally {
    await database.close();
  }
}

/** The last word is the SQL. */
function takenApart({ words, values }: Arguments): { words: string[]; sql: string } {
  const expected = values.has("id-from-name") ? 2 : 3;
  const sql = words.length === expected ? words[expected - 1] : undefined;
  if (sql === undefined) {
    throw new UsageError(`Which query? Give NAME, ID and the SQL in quotes. ${hint(COMMAND)}`);
  }
  return { words: words.slice(0, expected - 1), sql };
}

function run(database: RawDatabase, sql: string, mayWrite: boolean): QueryResult {
  let result: QueryResult;
  try {
    result = database.query(sql);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
  if (mayWrite || !database.isWritten) return result;
  database.undo();
  throw new CommandError("This query writes, and nothing was changed. Add --write to do it.");
}

async function printJson({ columns, rows }: QueryResult): Promise<void> {
  for (const row of rows) {
    await print(JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, json(row[i])]))));
  }
}

/** A cell for JSON, which has neither bytes nor infinite numbers. */
export function json(cell: unknown): unknown {
  if (cell instanceof ArrayBuffer) return { base64: Buffer.from(cell).toString("base64") };
  return typeof cell === "number" && !Number.isFinite(cell) ? String(cell) : cell;
}

async function printTable({ columns, rows, rowsWritten }: QueryResult): Promise<void> {
  if (columns.length === 0) {
    return print(rowsWritten === 1 ? "1 row written" : `${rowsWritten} rows written`);
  }
  const cells = [columns.map(inOneLine), ...rows.map((row) => row.map(shown))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  const isNumeric = columns.map((_, i) => rows.every((row) => typeof row[i] === "number"));
  for (const [at, line] of cells.entries()) {
    const padded = line.map((cell, i) =>
      at > 0 && isNumeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
    );
    await print(padded.join("  ").trimEnd());
    if (at === 0) await print(widths.map((width) => "-".repeat(width)).join("  "));
  }
}

function shown(cell: unknown): string {
  if (cell === null) return "NULL";
  if (cell instanceof ArrayBuffer) return `x'${Buffer.from(cell).toString("hex")}'`;
  return inOneLine(String(cell));
}

/** Text without control characters, which would break the line. */
function inOneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
  return text.replace(/[\u0000-\u001f\u007f]/g, (control) => JSON.stringify(control).slice(1, -1));
}
