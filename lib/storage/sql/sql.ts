/** `storage.sql` of a SQLite-backed object. */
import { packBindings, sqlBuffer } from "../../native/sql";
import { takeEnded } from "./abandoned";
import { converted } from "./bindings";
import { Cursor, cursorOf, type SqlRow } from "./cursor";
import { Database } from "./database";
import { illegalConstructor, illegalInvocation, likeProduction, wrongArgument } from "./shape";

/** Kept for programs that ask for it: statements are prepared by `exec()`. */
class Statement {
  constructor() {
    illegalConstructor();
  }
}
likeProduction(Statement, "Statement");

export class SqlStorage {
  readonly #database: Database;
  declare readonly Cursor: typeof Cursor;
  declare readonly Statement: typeof Statement;

  /** Only the storage makes one. */
  constructor(database: Database) {
    if (!(database instanceof Database)) illegalConstructor();
    this.#database = database;
  }

  /** Runs all statements of a text, the last one to its first row, and gives the cursor of that. */
  exec<T extends SqlRow = SqlRow>(...given: [query: string, ...bindings: unknown[]]): Cursor<T> {
    if (!(Object(this) instanceof SqlStorage)) illegalInvocation();
    const [query] = given;
    const database = this.#database;
    const text = typeof query === "string" ? query : textOf(given, database);
    const bound = converted(given, 1, database);
    const handle = database.use();
    const length = packBindings(bound, 1);
    let code: number;
    try {
      code = handle.sqlExec(text, sqlBuffer.bytes, length, takeEnded(handle));
    } catch (failure) {
      throw database.thrown(failure);
    }
    return cursorOf(database, handle, code);
  }

  /** Bytes of the database. */
  get databaseSize(): number {
    return this.#database.use().sqlSize();
  }
}

/** A query that is no string becomes one, as in production. */
function textOf(given: unknown[], database: Database): string {
  if (given.length === 0) {
    throw database.error(wrongArgument("exec", "SqlStorage", 1, "JsString").message, TypeError);
  }
  return `${given[0]}`;
}

likeProduction(SqlStorage, "SqlStorage");
for (const [name, value] of Object.entries({ Cursor, Statement })) {
  Object.defineProperty(SqlStorage.prototype, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
