/** Turns what a program binds to a statement into what SQLite stores. */
import { types } from "node:util";
import type { Bound } from "../../native/sql";
import type { Database } from "./database";

/**
 * Converts the bindings of a call, from a place on, in their order. What is no number, text, blob or NULL becomes its text,
 * as by `String()`, which may run code of the program.
 *
 * # Errors
 * `TypeError` for a bigint and for a symbol, in production's words.
 */
export function converted(values: unknown[], from: number, database: Database): Bound[] {
  for (let i = from; i < values.length; i++) {
    const value = values[i];
    if (typeof value === "string" || typeof value === "number" || value == null) continue;
    values[i] = convertedOne(value, database);
  }
  return values as Bound[];
}

function convertedOne(value: unknown, database: Database): Bound {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return value as ArrayBuffer;
  if (typeof value === "bigint") {
    throw database.error("Cannot convert a BigInt value to a number", TypeError);
  }
  if (typeof value === "symbol") {
    throw database.error("Cannot convert a Symbol value to a string", TypeError);
  }
  return `${value}`;
}
