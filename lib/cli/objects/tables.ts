/** Prints the tables of SQLite-backed objects, for `objects show` and `objects export`. */
import type { RawDatabase } from "../../native/raw-database";
import type { StoredObjects } from "../../native/raw-objects";
import { print } from "../subcommand";
import type { Address } from "./address";
import { json } from "./query";

/** One line a table: its rows, and how it was made. */
export async function showTables(objects: StoredObjects, address: Address): Promise<void> {
  await withDatabase(objects, address, async (database) => {
    for (const { name, rows, sql } of database.tables()) {
      const count = rows === 1 ? "1 row" : `${rows} rows`;
      await print(`table ${JSON.stringify(name)}, ${count}: ${sql.replace(/\s+/g, " ")}`);
    }
  });
}

/** One line of JSON a table, and one for each of its rows. */
export async function printTableLines(objects: StoredObjects, address: Address): Promise<void> {
  const { name, id } = address;
  await withDatabase(objects, address, async (database) => {
    for (const { name: table, sql } of database.tables()) {
      await print(JSON.stringify({ name, id, table, sql }));
      const { columns, rows } = database.rowsOf(table);
      for (const cells of rows) {
        const row = Object.fromEntries(columns.map((column, i) => [column, json(cells[i])]));
        await print(JSON.stringify({ name, id, table, row }));
      }
    }
  });
}

async function withDatabase(
  objects: StoredObjects,
  { name, id }: Address,
  use: (database: RawDatabase) => Promise<void>,
): Promise<void> {
  if (!(await objects.isSqlite(name, id))) return;
  const database = await objects.database(name, id);
  try {
    await use(database);
  } finally {
    await database.close();
  }
}
