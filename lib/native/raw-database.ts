/** Queries the database of a SQLite-backed object from outside of it, for the commands that maintain a directory. */
import type { ObjectHandle } from "./addon";
import {
  ALL_ROWS,
  COLUMNS,
  CURSOR,
  cellsOf,
  columnNames,
  NAMES,
  NO_CURSOR,
  ROWS_READ,
  ROWS_WRITTEN,
  sqlBuffer,
  sqlReply,
} from "./sql";
import { awaitCode } from "./tickets";

export interface QueryResult {
  columns: string[];
  rows: unknown[][];
  rowsRead: number;
  rowsWritten: number;
}

/** A table, a view or a virtual table of an object. */
export interface StoredTable {
  name: string;
  sql: string;
  rows: number;
}

const TABLES = `SELECT s.name, s.sql FROM sqlite_schema AS s JOIN pragma_table_list AS l ON l.name = s.name
WHERE s.type = 'table' AND l.schema = 'main' AND l.type <> 'shadow'
AND s.name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.name`;

export class RawDatabase {
  readonly #handle: ObjectHandle;

  private constructor(handle: ObjectHandle) {
    this.#handle = handle;
  }

  static async open(handle: ObjectHandle): Promise<RawDatabase> {
    await awaitCode(handle.openSql());
    return new RawDatabase(handle);
  }

  /**
   * Runs the statements of a text, and gives all rows of the last one. Nothing is committed before `close()`.
   *
   * # Errors
   * What SQLite says. Nothing is written then.
   */
  query(text: string): QueryResult {
    try {
      return this.#query(text);
    } catch (error) {
      this.undo();
      throw error;
    }
  }

  #query(text: string): QueryResult {
    const handle = this.#handle;
    let reply = sqlReply(handle, handle.sqlExec(text, sqlBuffer.bytes, 0, NO_CURSOR));
    const [cursor, width, names] = [reply[CURSOR]!, reply[COLUMNS]!, reply[NAMES]!];
    let counts = countsOf(reply);
    let cells = cellsOf(reply);
    const columns = width === 0 ? [] : columnNames(handle, names);
    if (cursor !== 0) {
      reply = sqlReply(handle, handle.sqlNext(cursor, ALL_ROWS, sqlBuffer.bytes));
      counts = countsOf(reply);
      cells = cells.concat(cellsOf(reply));
    }
    return { columns, rows: inRows(cells, width), ...counts };
  }

  /** Whether something was written that is not committed. */
  get isWritten(): boolean {
    return this.#handle.sqlIsDirty();
  }

  /** Takes back what is not committed. */
  undo(): void {
    void this.#handle.undo();
  }

  /** The tables that the program has made, with the number of their rows. */
  tables(): StoredTable[] {
    return this.query(TABLES).rows.map(([name, sql]) => {
      const [[rows] = []] = this.query(`SELECT count(*) FROM ${quoted(String(name))}`).rows;
      return { name: String(name), sql: String(sql), rows: Number(rows) };
    });
  }

  /** All rows of a table. */
  rowsOf(table: string): QueryResult {
    return this.query(`SELECT * FROM ${quoted(table)}`);
  }

  /** Removes keys, alarm and tables. */
  async empty(): Promise<void> {
    this.#handle.sqlReset(false);
  }

  /** Commits what was written, and waits until it is durable. */
  async close(): Promise<void> {
    const handle = this.#handle;
    const ticket = handle.pendingTicket();
    handle.seal();
    try {
      if (ticket !== 0) await awaitCode(handle.durable(ticket));
    } finally {
      handle.closeSql();
    }
  }
}

function countsOf(reply: Float64Array): { rowsRead: number; rowsWritten: number } {
  return { rowsRead: reply[ROWS_READ]!, rowsWritten: reply[ROWS_WRITTEN]! };
}

function inRows(cells: unknown[], width: number): unknown[][] {
  const rows: unknown[][] = [];
  for (let at = 0; at < cells.length; at += width) rows.push(cells.slice(at, at + width));
  return rows;
}

/** A name as SQL has it. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
