// Draws statements that write: inserts with every kind of conflict, updates, deletes, and what they return.
import { condition, expression } from "./generate-expressions.mjs";
import { query } from "./generate-queries.mjs";
import { binding, literal, smallBinding } from "./generate-values.mjs";

const CONFLICTS = [
  [12, ""],
  [2, "OR REPLACE "],
  [2, "OR IGNORE "],
  [1, "OR ABORT "],
];

function value(r, bindings, column) {
  // Versions of SQLite differ in what is left when one of several values is no rowid.
  if (column === "id" && r.chance(0.1)) return "NULL";
  if (column !== "id" && r.chance(0.15)) return literal(r);
  bindings.push(
    column === "id" ? ["plain", r.below(12)] : r.chance(0.6) ? smallBinding(r) : binding(r),
  );
  return "?";
}

function returning(r, table, bindings) {
  if (r.chance(0.75)) return "";
  return ` RETURNING ${r.weighted([
    [2, () => "*"],
    [1, () => table.columns.join(", ")],
    [1, () => expression(r, table.columns, bindings)],
  ])()}`;
}

function upsert(r, schema, table) {
  if (r.chance(0.8)) return "";
  const column = schema.column(r, table);
  const target = table.key === undefined ? r.pick(table.columns) : table.key;
  return r.weighted([
    [2, () => " ON CONFLICT DO NOTHING"],
    [3, () => ` ON CONFLICT(${target}) DO UPDATE SET ${column} = excluded.${column}`],
    [1, () => ` ON CONFLICT(${target}) DO UPDATE SET ${column} = 1 WHERE ${column} IS NOT 1`],
    [1, () => ` ON CONFLICT(${target}) DO NOTHING`],
  ])();
}

function insert(r, schema, bindings) {
  const table = schema.table(r);
  const conflict = r.weighted(CONFLICTS);
  const columns = table.columns.filter((name) => r.chance(name === "id" ? 0.5 : 0.85));
  if (columns.length === 0) return `INSERT ${conflict}INTO ${table.name} DEFAULT VALUES`;
  const rows = r.many(
    1,
    r.chance(0.2) ? 4 : 1,
    () => `(${columns.map((name) => value(r, bindings, name)).join(", ")})`,
  );
  return `INSERT ${conflict}INTO ${table.name}(${columns.join(", ")}) VALUES ${rows.join(", ")}${upsert(r, schema, table)}${returning(r, table, bindings)}`;
}

function insertFrom(r, schema, bindings) {
  const [table, source] = [schema.table(r), schema.table(r)];
  const column = r.pick(table.columns.filter((name) => name !== "id"));
  return `INSERT ${r.weighted(CONFLICTS)}INTO ${table.name}(${column}) SELECT ${schema.column(r, source)} FROM ${source.name} WHERE ${condition(r, source.columns, bindings)} LIMIT 4`;
}

function update(r, schema, bindings) {
  const table = schema.table(r);
  const sets = r.many(1, 2, () => {
    const column = schema.column(r, table);
    // Versions of SQLite differ in what OR FAIL leaves when a value is no rowid.
    if (column === "id") return `id = ${r.below(20)}`;
    return `${column} = ${expression(r, table.columns, bindings)}`;
  });
  const from = r.chance(0.05) ? ` FROM (SELECT 1 AS one) AS other` : "";
  const where = r.chance(0.85) ? ` WHERE ${condition(r, table.columns, bindings)}` : "";
  const back = returning(r, table, bindings);
  return `UPDATE ${r.weighted(CONFLICTS)}${table.name} SET ${sets.join(", ")}${from}${where}${back}`;
}

function remove(r, schema, bindings) {
  const table = schema.table(r);
  if (r.chance(0.08)) return `DELETE FROM ${table.name}`;
  const where = ` WHERE ${condition(r, table.columns, bindings)}`;
  return `DELETE FROM ${table.name}${where}${returning(r, table, bindings)}`;
}

const BODIES = ["'hello world'", "'one two three'", "'Hello again, one'", "''", "NULL", "7"];

function searchWrite(r, schema) {
  const { name, columns } = r.pick(schema.searches);
  const body = () => columns.map(() => r.pick(BODIES)).join(", ");
  return r.weighted([
    [6, () => `INSERT INTO ${name}(${columns.join(", ")}) VALUES (${body()}), (${body()})`],
    [
      1,
      () => `UPDATE ${name} SET ${columns[0]} = ${r.pick(BODIES)} WHERE rowid = ${r.between(1, 4)}`,
    ],
    [1, () => `DELETE FROM ${name} WHERE rowid = ${r.between(1, 4)}`],
    [
      1,
      () =>
        `INSERT INTO ${name}(${name}) VALUES ('${r.pick(["optimize", "rebuild", "integrity-check", "nonsense"])}')`,
    ],
    [1, () => `INSERT INTO ${name}(${name}, rank) VALUES ('pgsz', 100)`],
  ])();
}

/**
 * Several statements, of which the last alone binds something. Only that one reads: workerd keeps tables locked by
 * another one until it is collected.
 */
export function several(r, schema, bindings) {
  const first = r.many(1, 2, () => {
    const table = schema.table(r);
    return r.weighted([
      [3, () => `INSERT INTO ${table.name}(${schema.column(r, table)}) VALUES (${literal(r)})`],
      [1, () => `UPDATE ${table.name} SET ${schema.column(r, table)} = ${literal(r)}`],
      [1, () => `DELETE FROM ${table.name} WHERE ${schema.column(r, table)} = ${literal(r)}`],
    ])();
  });
  const last = r.weighted([
    [3, () => query(r, schema, bindings)],
    [1, () => insert(r, schema, bindings)],
    [2, () => "SELECT changes(), last_insert_rowid()"],
    [1, () => ""],
    [1, () => "-- a comment"],
  ])();
  return [...first, last].join(r.pick(["; ", ";", " ;\n", ";;"]));
}

/** A statement that writes rows. */
export function write(r, schema, bindings) {
  if (schema.searches.length > 0 && r.chance(0.12)) return searchWrite(r, schema);
  return r.weighted([
    [10, insert],
    [2, insertFrom],
    [4, update],
    [3, remove],
  ])(r, schema, bindings);
}
