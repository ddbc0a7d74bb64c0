// Draws tables, indexes, views and triggers, and remembers which of them a program may have.

const TYPES = ["", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "VARCHAR(10)", "ANY"];
const STRICT_TYPES = ["INTEGER", "TEXT", "REAL", "BLOB", "ANY", "INT"];

/** What a program has made so far, as far as its statements have succeeded. */
export class Schema {
  tables = [];
  indexes = [];
  views = [];
  triggers = [];
  searches = [];
  /** Whether a commit may find a violation, which resets the object. workerd fails if that commit is a transaction's. */
  defers = false;
  #made = 0;

  /** Forgets everything but the names that were used. */
  clear() {
    for (const list of ["tables", "indexes", "views", "triggers", "searches"]) this[list] = [];
  }

  fresh(prefix) {
    return `${prefix}${this.#made++}`;
  }

  /** A table that probably exists, seldom one that does not. */
  table(r) {
    if (this.tables.length === 0 || r.chance(0.01)) return { name: "nowhere", columns: ["a", "b"] };
    return r.pick(this.tables);
  }

  column(r, table) {
    return r.chance(0.005) ? "nowhat" : r.pick(table.columns);
  }
}

const CONSTRAINTS = [
  [20, () => ""],
  [2, () => " NOT NULL"],
  [2, () => " UNIQUE"],
  [1, () => " NOT NULL DEFAULT 7"],
  [1, () => " DEFAULT (1 + 2)"],
  [1, () => " COLLATE NOCASE"],
];

function checks(r, columns) {
  if (r.chance(0.75)) return [];
  const [one, other] = [r.pick(columns), r.pick(columns)];
  return [
    r.pick([
      `CHECK (${one} IS NOT 5)`,
      `CONSTRAINT named CHECK (${one} <> 'x' OR ${other} IS NULL)`,
      `UNIQUE (${one}, ${other})`,
      `CHECK (length(${one}) < 500)`,
    ]),
  ];
}

function references(r, schema, columns) {
  const parents = schema.tables.filter(({ key }) => key !== undefined);
  if (parents.length === 0 || r.chance(0.7)) return [];
  const parent = r.pick(parents);
  const action = r.weighted([
    [schema.defers ? 6 : 0, " DEFERRABLE INITIALLY DEFERRED"],
    [4, ""],
    [2, " ON DELETE CASCADE"],
    [1, " ON DELETE SET NULL ON UPDATE CASCADE"],
    [1, " ON DELETE RESTRICT"],
  ]);
  return [`FOREIGN KEY (${columns.at(-1)}) REFERENCES ${parent.name}(${parent.key})${action}`];
}

export function createTable(r, schema) {
  const name = schema.fresh("t");
  const isStrict = r.chance(0.1);
  const types = isStrict ? STRICT_TYPES : TYPES;
  const others = r.many(1, 4, (i) => `c${i}`);
  const kind = r.weighted([
    [5, "id INTEGER PRIMARY KEY"],
    [2, "id INTEGER PRIMARY KEY AUTOINCREMENT"],
    [2, "id TEXT PRIMARY KEY"],
    [3, ""],
  ]);
  const isRowless = kind === "id TEXT PRIMARY KEY" && r.chance(0.6);
  const columns = [...(kind ? ["id"] : []), ...others];
  const lines = [
    ...(kind ? [kind] : []),
    ...others.map((column) => `${column} ${r.pick(types)}${r.weighted(CONSTRAINTS)()}`.trimEnd()),
  ];
  const isComputed = others.length < 4 && r.chance(0.1);
  if (isComputed)
    lines.push(
      `g ${isStrict ? "TEXT " : ""}AS (${others[0]} || '!') ${r.pick(["", "STORED", "VIRTUAL"])}`,
    );
  lines.push(...checks(r, others), ...references(r, schema, others));
  const options = [...(isStrict ? ["STRICT"] : []), ...(isRowless ? ["WITHOUT ROWID"] : [])];
  schema.tables.push({
    name,
    columns,
    key: kind ? "id" : undefined,
    hasAlias: kind.startsWith("id INTEGER"),
  });
  return `CREATE TABLE ${r.chance(0.1) ? "IF NOT EXISTS " : ""}${name}(${lines.join(", ")}) ${options.join(", ")}`.trim();
}

function createIndex(r, schema) {
  const table = schema.table(r);
  const name = schema.fresh("i");
  schema.indexes.push(name);
  const terms = r.many(
    1,
    2,
    () =>
      schema.column(r, table) +
      r.weighted([
        [6, ""],
        [1, " DESC"],
        [1, " COLLATE NOCASE"],
      ]),
  );
  const where = r.chance(0.2) ? ` WHERE ${schema.column(r, table)} IS NOT NULL` : "";
  return `CREATE ${r.chance(0.15) ? "UNIQUE " : ""}INDEX ${name} ON ${table.name}(${terms.join(", ")})${where}`;
}

function createView(r, schema) {
  const table = schema.table(r);
  const name = schema.fresh("v");
  const columns = [schema.column(r, table), schema.column(r, table)];
  schema.views.push({ name, columns: ["p", "q"] });
  return `CREATE VIEW ${name}(p, q) AS SELECT ${columns.join(", ")} FROM ${table.name}${r.chance(0.3) ? ` WHERE ${columns[0]} > 1` : ""}`;
}

function createTrigger(r, schema) {
  const [table, target] = [schema.table(r), schema.table(r)];
  const name = schema.fresh("g");
  schema.triggers.push(name);
  const event = r.pick(["INSERT", "UPDATE", "DELETE", `UPDATE OF ${schema.column(r, table)}`]);
  const row = event === "DELETE" ? "old" : "new";
  const when = r.chance(0.5)
    ? ` WHEN ${row}.${schema.column(r, table)} ${r.pick(["> 3", "= 'a'", "IS NULL"])}`
    : "";
  const column = schema.column(r, target);
  const action = r.weighted([
    [schema.defers ? 6 : 0, " DEFERRABLE INITIALLY DEFERRED"],
    [3, `INSERT INTO ${target.name}(${column}) VALUES (${row}.${schema.column(r, table)})`],
    [2, `UPDATE ${target.name} SET ${column} = 1 WHERE ${column} = 2`],
    [1, `DELETE FROM ${target.name} WHERE ${column} = 6`],
    [2, `SELECT RAISE(${r.pick(["ABORT", "FAIL"])}, 'raised by ${name}')`],
    [1, "SELECT RAISE(IGNORE)"],
  ]);
  return `CREATE TRIGGER ${name} ${r.pick(["BEFORE", "AFTER"])} ${event} ON ${table.name}${when} BEGIN ${action}; END`;
}

export function createSearch(r, schema) {
  const name = schema.fresh("f");
  const columns = r.pick([["body"], ["title", "body"]]);
  schema.searches.push({ name, columns });
  const options = r.weighted([
    [3, ""],
    [1, ", tokenize = 'porter'"],
    [1, ", prefix = '2 3'"],
    [1, ", detail = column"],
  ]);
  return `CREATE VIRTUAL TABLE ${name} USING fts5(${columns.join(", ")}${options})`;
}

function createAs(r, schema) {
  const table = schema.table(r);
  const name = schema.fresh("t");
  const columns = [...new Set([schema.column(r, table), schema.column(r, table)])];
  schema.tables.push({ name, columns });
  return `CREATE TABLE ${name} AS SELECT ${columns.join(", ")} FROM ${table.name}`;
}

function alter(r, schema) {
  const table = schema.table(r);
  const column = schema.fresh("d");
  return r.weighted([
    [
      4,
      () => {
        table.columns = [...table.columns, column];
        return `ALTER TABLE ${table.name} ADD COLUMN ${column} ${r.pick(["", "DEFAULT 5", "TEXT NOT NULL DEFAULT 'd'", "AS (1)", "UNIQUE", "REFERENCES t0(id)"])}`.trimEnd();
      },
    ],
    [
      2,
      () => {
        const old = schema.column(r, table);
        table.columns = table.columns.map((name) => (name === old ? column : name));
        if (table.key === old) table.key = column;
        return `ALTER TABLE ${table.name} RENAME COLUMN ${old} TO ${column}`;
      },
    ],
    [2, () => `ALTER TABLE ${table.name} DROP COLUMN ${schema.column(r, table)}`],
    [
      1,
      () => {
        const name = schema.fresh("t");
        const text = `ALTER TABLE ${table.name} RENAME TO ${name}`;
        table.name = name;
        return text;
      },
    ],
  ])();
}

function drop(r, schema) {
  const from = (list, kind) => {
    if (list.length === 0) return `DROP ${kind} nowhere`;
    const at = r.below(list.length);
    const [gone] = list.splice(at, 1);
    return `DROP ${kind} ${r.chance(0.2) ? "IF EXISTS " : ""}${gone.name ?? gone}`;
  };
  return r.weighted([
    [2, () => from(schema.tables, "TABLE")],
    [2, () => from(schema.indexes, "INDEX")],
    [1, () => from(schema.views, "VIEW")],
    [2, () => from(schema.triggers, "TRIGGER")],
    [1, () => from(schema.searches, "TABLE")],
  ])();
}

/** A statement that changes what tables there are. */
export function definition(r, schema) {
  return r.weighted([
    [4, createTable],
    [4, createIndex],
    [2, createView],
    [3, createTrigger],
    [2, createSearch],
    [1, createAs],
    [4, alter],
    [3, drop],
    [1, () => r.pick(["ANALYZE", "REINDEX", "PRAGMA optimize"])],
  ])(r, schema);
}
