/** What the parts of the SQL API know of the storage that they belong to. */
import type { ObjectHandle } from "../../native/addon";
import { columnNames } from "../../native/sql";
import { type Row, type RowKit, type RowRealm, rowKit } from "./realm";

/** How a storage lets its database be used. */
export interface DatabaseUse {
  /** The native object. # Errors Why the database cannot be used now. */
  use(): ObjectHandle;
  /** Follows up what a call has written. */
  wrote(ticket: number): void;
  /** The file of the database cannot be used. */
  failed(reason: unknown): void;
}

/** The columns of a statement. */
export interface Columns {
  readonly names: readonly string[];
  readonly Row: Row;
}

/** The codes of errors that are production's, which have none. */
const SQL_CODES: readonly unknown[] = ["ERR_SQL", "ERR_SQL_USAGE"];
/** The codes of errors after which the database has to be opened again. */
const FILE_CODES: readonly unknown[] = [
  "ERR_STORAGE_CORRUPT",
  "ERR_STORAGE_IO",
  "ERR_STORAGE_VANISHED",
];
/** Statements whose columns are known. */
const KNOWN_MAX = 1_000;
const NO_COLUMNS: readonly string[] = [];

export class Database {
  readonly use: DatabaseUse["use"];
  readonly wrote: DatabaseUse["wrote"];
  readonly #failed: DatabaseUse["failed"];
  readonly kit: RowKit;
  /** How often everything was deleted. */
  deletions = 0;
  /** By the number that the core gives them. */
  readonly #columns = new Map<number, Columns>();
  #last = Number.NaN;
  #lastColumns: Columns | undefined;
  readonly #none: Columns;

  constructor({ use, wrote, failed }: DatabaseUse, realm: RowRealm) {
    this.use = use;
    this.wrote = wrote;
    this.#failed = failed;
    this.kit = rowKit(realm);
    this.#none = { names: NO_COLUMNS, Row: this.kit.row(NO_COLUMNS) };
  }

  /** The columns of a statement that the last call has run. Asking the core for them takes the place of its reply. */
  columns(handle: ObjectHandle, count: number, number: number): Columns {
    if (count === 0) return this.#none;
    if (number === this.#last) return this.#lastColumns!;
    let columns = this.#columns.get(number);
    if (columns === undefined) {
      const names = columnNames(handle, number);
      columns = { names, Row: this.kit.row(names) };
      if (this.#columns.size >= KNOWN_MAX) this.#columns.clear();
      this.#columns.set(number, columns);
    }
    this.#last = number;
    this.#lastColumns = columns;
    return columns;
  }

  /** An error of this kind in the realm of the object's class. */
  error(message: string, Class: new (message: string) => Error = Error): Error {
    return this.kit.realm.make(Class, message);
  }

  /** An error of the core as the program gets it: what SQLite has said is a plain `Error`, as in production. */
  thrown(failure: unknown): unknown {
    const { code, message } = Object(failure) as { code?: unknown; message?: unknown };
    if (FILE_CODES.includes(code)) this.#failed(failure);
    return SQL_CODES.includes(code) ? this.error(String(message)) : failure;
  }
}
