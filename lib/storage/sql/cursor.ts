/** The result of a statement: one row is read ahead, and the rest as the program asks for it. */
import type { ObjectHandle } from "../../native/addon";
import {
  ALL_ROWS,
  COLUMNS,
  CURSOR,
  cellsOf,
  IS_LAST,
  NAMES,
  ROWS,
  ROWS_READ,
  ROWS_WRITTEN,
  sqlBuffer,
  sqlReply,
  TICKET,
} from "../../native/sql";
import { endLater, type OpenCursor, watchCursor } from "./abandoned";
import type { Columns, Database } from "./database";
import { ITERATOR } from "./iterator";
import { illegalConstructor, likeProduction } from "./shape";

type Cells = unknown[];

/** What a column holds. */
export type SqlStorageValue = ArrayBuffer | string | number | null;
/** A row, by the names of its columns. */
export type SqlRow = Record<string, SqlStorageValue>;

const CANCELED = "SQLite query was canceled because the database was deleted.";

/** The position in a result, which a cursor and its iterators share. */
class Position implements OpenCursor {
  readonly #database: Database;
  readonly #handle: ObjectHandle;
  readonly columns: Columns;
  readonly #deletions: number;
  /** The row that is read ahead. */
  #ahead: Cells | undefined;
  id: number;
  /** Whether no row follows the one that is read ahead. */
  readonly #isLast: boolean;
  #rowsRead: number;
  #rowsWritten: number;

  /** Takes over the reply of the call that has run the statement. */
  constructor(database: Database, handle: ObjectHandle, code: number) {
    const reply = sqlReply(handle, code);
    this.#database = database;
    this.#handle = handle;
    this.#deletions = database.deletions;
    this.id = reply[CURSOR]!;
    this.#rowsRead = reply[ROWS_READ]!;
    this.#rowsWritten = reply[ROWS_WRITTEN]!;
    this.#ahead = reply[ROWS] === 0 ? undefined : cellsOf(reply);
    this.#isLast = reply[IS_LAST] === 1;
    if (reply[TICKET] !== 0) database.wrote(reply[TICKET]!);
    this.columns = database.columns(handle, reply[COLUMNS]!, reply[NAMES]!);
    if (this.id !== 0) watchCursor(this, handle);
  }

  get database(): Database {
    return this.#database;
  }

  get ahead(): Cells | undefined {
    return this.#ahead;
  }

  get rowsRead(): number {
    this.#check();
    return this.#rowsRead;
  }

  get rowsWritten(): number {
    this.#check();
    return this.#rowsWritten;
  }

  /** # Errors Each time, if everything was deleted before the cursor was at its end. */
  #check(): void {
    const { deletions } = this.#database;
    if (deletions !== this.#deletions && this.#ahead !== undefined) {
      throw this.#database.error(CANCELED);
    }
  }

  /** The row that was read ahead; the next one is read. */
  take(): Cells | undefined {
    this.#check();
    const cells = this.#ahead;
    if (cells === undefined) return undefined;
    this.#ahead = undefined;
    if (this.#isLast) this.#finish();
    else if (this.id !== 0) {
      const next = this.#read(1);
      if (next.length > 0) this.#ahead = next;
    }
    return cells;
  }

  /** The cells of all rows that are left. */
  takeAll(): Cells {
    this.#check();
    const first = this.#ahead;
    this.#ahead = undefined;
    if (first === undefined) return [];
    if (this.#isLast) this.#finish();
    if (this.id === 0) return first;
    const rest = this.#read(ALL_ROWS);
    if (rest.length === 0) return first;
    return first.concat(rest);
  }

  /** Ends the statement: no row follows. */
  end(): void {
    const { id } = this;
    this.id = 0;
    this.#ahead = undefined;
    if (id !== 0) this.#handle.sqlClose(id);
  }

  /** The last row was taken: the core ends its cursor with the next statement. */
  #finish(): void {
    if (this.id !== 0) endLater(this.#handle, this.id);
    this.id = 0;
  }

  /** Reads rows; with the last one the core ends its cursor. */
  #read(rows: number): Cells {
    const id = this.id;
    this.id = 0;
    let reply: Float64Array;
    try {
      const handle = this.#database.use();
      reply = sqlReply(handle, handle.sqlNext(id, rows, sqlBuffer.bytes));
    } catch (failure) {
      throw this.#database.thrown(failure);
    }
    this.id = reply[CURSOR]!;
    this.#rowsRead = reply[ROWS_READ]!;
    this.#rowsWritten = reply[ROWS_WRITTEN]!;
    const ticket = reply[TICKET]!;
    const cells = reply[ROWS] === 0 ? [] : cellsOf(reply);
    if (ticket !== 0) this.#database.wrote(ticket);
    return cells;
  }
}

/** Only this room makes cursors and iterators. */
const KEY = Symbol("cursor");

export class Cursor<T extends SqlRow = SqlRow> implements Iterable<T> {
  readonly #at: Position;
  #columnNames: string[] | undefined;

  constructor(key: symbol, at: Position) {
    if (key !== KEY) illegalConstructor();
    this.#at = at;
  }

  next(): IteratorResult<T, undefined> {
    return nextRow(this.#at) as IteratorResult<T, undefined>;
  }

  toArray(): T[] {
    const { columns, database } = this.#at;
    const cells = this.#at.takeAll();
    const width = columns.names.length;
    const { Row } = columns;
    const count = width === 0 ? 0 : cells.length / width;
    const rows = database.kit.array(count);
    for (let i = 0; i < count; i++) rows[i] = new Row(cells, i * width);
    return rows as T[];
  }

  one(): T {
    const at = this.#at;
    const cells = at.take();
    if (cells !== undefined && at.ahead === undefined) return new at.columns.Row(cells, 0) as T;
    at.end();
    const found = cells === undefined ? "no results" : "multiple results";
    throw at.database.error(`Expected exactly one result from SQL query, but got ${found}.`);
  }

  raw<U extends SqlStorageValue[]>(): IterableIterator<U> {
    return new RawIterator(KEY, this.#at) as unknown as IterableIterator<U>;
  }

  get columnNames(): string[] {
    if (this.#columnNames === undefined) {
      const { names } = this.#at.columns;
      const shown = this.#at.database.kit.array(names.length);
      for (const [i, name] of names.entries()) shown[i] = name;
      this.#columnNames = shown as string[];
    }
    return this.#columnNames;
  }

  get rowsRead(): number {
    return this.#at.rowsRead;
  }

  get rowsWritten(): number {
    return this.#at.rowsWritten;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return new RowIterator(KEY, this.#at) as unknown as IterableIterator<T>;
  }
}

class RowIterator {
  readonly #at: Position;

  constructor(key: symbol, at: Position) {
    if (key !== KEY) illegalConstructor();
    this.#at = at;
  }

  next(): IteratorResult<unknown> {
    return nextRow(this.#at);
  }

  [Symbol.iterator](): this {
    return this;
  }
}

class RawIterator {
  readonly #at: Position;

  constructor(key: symbol, at: Position) {
    if (key !== KEY) illegalConstructor();
    this.#at = at;
  }

  next(): IteratorResult<unknown> {
    const { kit } = this.#at.database;
    const cells = this.#at.take();
    if (cells === undefined) return new kit.Step(true, undefined);
    const row = kit.array(cells.length);
    for (let i = 0; i < cells.length; i++) row[i] = cells[i];
    return new kit.Step(false, row);
  }

  /** All rows that are left, as an array of the realm of the object's class. */
  toArray(): unknown[] {
    const { columns, database } = this.#at;
    const { kit } = database;
    const cells = this.#at.takeAll();
    const width = columns.names.length;
    const rows = kit.array(width === 0 ? 0 : cells.length / width);
    for (let i = 0, at = 0; i < rows.length; i++) {
      const row = kit.array(width);
      for (let column = 0; column < width; column++) row[column] = cells[at++];
      rows[i] = row;
    }
    return rows;
  }

  [Symbol.iterator](): this {
    return this;
  }
}

function nextRow(at: Position): IteratorResult<unknown> {
  const { Step } = at.database.kit;
  const cells = at.take();
  if (cells === undefined) return new Step(true, undefined);
  return new Step(false, new at.columns.Row(cells, 0));
}

Object.setPrototypeOf(RowIterator.prototype, ITERATOR);
Object.setPrototypeOf(RawIterator.prototype, ITERATOR);
likeProduction(Cursor, "Cursor");
likeProduction(RowIterator, "RowIterator");
likeProduction(RawIterator, "RawIterator");

/** The cursor of a statement that the core has run: `code` is what the call has returned. */
export function cursorOf<T extends SqlRow>(
  database: Database,
  handle: ObjectHandle,
  code: number,
): Cursor<T> {
  return new Cursor(KEY, new Position(database, handle, code));
}
