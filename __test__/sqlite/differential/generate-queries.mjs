// Draws queries: joins, groups, windows, compounds, subqueries, common tables, JSON and full-text search.
import { condition, expression } from "./generate-expressions.mjs";
import { literal } from "./generate-values.mjs";

const some = (r, chance, text) => (r.chance(chance) ? text() : "");
const limit = (r) =>
  some(r, 0.3, () => ` LIMIT ${r.between(0, 5)}${some(r, 0.3, () => ` OFFSET ${r.below(3)}`)}`);

function simple(r, schema, bindings) {
  const table = r.chance(0.15) && schema.views.length > 0 ? r.pick(schema.views) : schema.table(r);
  const columns = table.columns;
  const list = r.weighted([
    [3, () => "*"],
    [3, () => r.many(1, 3, () => expression(r, columns, bindings)).join(", ")],
    [2, () => r.many(1, 3, () => schema.column(r, table)).join(", ")],
    [1, () => `DISTINCT ${r.pick(columns)}`],
    [1, () => `rowid, ${r.pick(columns)} AS x, ${r.pick(columns)} AS x`],
  ])();
  const where = some(r, 0.6, () => ` WHERE ${condition(r, columns, bindings)}`);
  const order = some(
    r,
    0.5,
    () => ` ORDER BY ${r.pick(columns)}${r.pick(["", " DESC", " NULLS LAST"])}`,
  );
  return `SELECT ${list} FROM ${table.name}${where}${order}${limit(r)}`;
}

function join(r, schema, bindings) {
  const [left, right] = [schema.table(r), schema.table(r)];
  const columns = [
    ...left.columns.map((name) => `l.${name}`),
    ...right.columns.map((name) => `r.${name}`),
  ];
  const on = `l.${schema.column(r, left)} = r.${schema.column(r, right)}`;
  const kind = r.weighted([
    [4, `JOIN ${right.name} r ON ${on}`],
    [3, `LEFT JOIN ${right.name} r ON ${on}`],
    [1, `RIGHT JOIN ${right.name} r ON ${on}`],
    [1, `FULL JOIN ${right.name} r ON ${on}`],
    [1, `CROSS JOIN ${right.name} r`],
    [1, `NATURAL JOIN ${right.name} r`],
  ]);
  const list = r.many(1, 3, () => r.pick(columns)).join(", ");
  const where = some(r, 0.4, () => ` WHERE ${condition(r, columns, bindings)}`);
  return `SELECT ${list} FROM ${left.name} l ${kind}${where} ORDER BY 1${limit(r)}`;
}

const AGGREGATES = [
  "count",
  "sum",
  "total",
  "avg",
  "min",
  "max",
  "group_concat",
  "json_group_array",
];

function aggregate(r, columns, bindings) {
  if (r.chance(0.2)) return "count(*)";
  const of = r.weighted([
    [3, () => r.pick(columns)],
    [1, () => `DISTINCT ${r.pick(columns)}`],
    [1, () => expression(r, columns, bindings)],
  ])();
  return `${r.pick(AGGREGATES)}(${of})${some(r, 0.15, () => ` FILTER (WHERE ${r.pick(columns)} > 1)`)}`;
}

function group(r, schema, bindings) {
  const table = schema.table(r);
  const { columns } = table;
  const by = schema.column(r, table);
  const value = aggregate(r, columns, bindings);
  const where = some(r, 0.4, () => ` WHERE ${condition(r, columns, bindings)}`);
  if (r.chance(0.3)) return `SELECT ${value} FROM ${table.name}${where}`;
  const having = some(r, 0.3, () => " HAVING count(*) > 1");
  return `SELECT ${by}, ${value} FROM ${table.name}${where} GROUP BY ${by}${having}${limit(r)}`;
}

const WINDOWS = [
  "row_number()",
  "rank()",
  "dense_rank()",
  "ntile(2)",
  "percent_rank()",
  "cume_dist()",
];

function windowed(r, schema) {
  const table = schema.table(r);
  const column = () => schema.column(r, table);
  const fn = r.chance(0.5)
    ? r.pick(WINDOWS)
    : `${r.pick(["lag", "lead", "first_value", "last_value", "sum", "count", "max"])}(${column()})`;
  const partition = some(r, 0.4, () => `PARTITION BY ${column()} `);
  const frame = some(r, 0.3, () =>
    r.pick([
      " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
      " RANGE UNBOUNDED PRECEDING",
      " GROUPS 1 PRECEDING",
      " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES",
    ]),
  );
  const over = `${partition}ORDER BY ${column()}${frame}`;
  if (r.chance(0.2))
    return `SELECT ${column()}, ${fn} OVER w FROM ${table.name} WINDOW w AS (${over})`;
  return `SELECT ${column()}, ${fn} OVER (${over}) FROM ${table.name}`;
}

function compound(r, schema) {
  const parts = r.many(2, r.chance(0.03) ? 6 : 4, () => {
    const table = schema.table(r);
    return `SELECT ${schema.column(r, table)} FROM ${table.name}`;
  });
  const words = ["UNION", "UNION ALL", "INTERSECT", "EXCEPT"];
  return (
    parts.reduce((text, part) => `${text} ${r.pick(words)} ${part}`) +
    // Without an order, versions of SQLite give the rows of a UNION in different orders.
    some(r, 0.4, () => ` ORDER BY 1${limit(r)}`)
  );
}

/** Each has an order: by which index the rows are found depends on the version of SQLite. */
function subquery(r, schema, bindings) {
  const [outer, inner] = [schema.table(r), schema.table(r)];
  const [column, other] = [schema.column(r, outer), schema.column(r, inner)];
  return r.weighted([
    [
      2,
      () =>
        `SELECT ${column} FROM ${outer.name} WHERE ${column} IN (SELECT ${other} FROM ${inner.name}) ORDER BY 1`,
    ],
    [
      2,
      () =>
        `SELECT ${column}, (SELECT count(*) FROM ${inner.name} i WHERE i.${other} = o.${column}) AS n FROM ${outer.name} o ORDER BY 1`,
    ],
    [
      1,
      () =>
        `SELECT ${column} FROM ${outer.name} o WHERE EXISTS (SELECT 1 FROM ${inner.name} i WHERE i.${other} = o.${column}) ORDER BY 1`,
    ],
    [
      1,
      () =>
        `SELECT q.x FROM (SELECT ${column} AS x FROM ${outer.name} WHERE ${condition(r, outer.columns, bindings)}) q ORDER BY 1`,
    ],
    [
      1,
      () =>
        `SELECT * FROM ${outer.name} WHERE (${column}, 1) IN (SELECT ${other}, 1 FROM ${inner.name}) ORDER BY ${outer.columns.join(", ")}`,
    ],
  ])();
}

function common(r, schema, bindings) {
  const table = schema.table(r);
  return r.weighted([
    [
      2,
      () =>
        `WITH q(x) AS (SELECT ${schema.column(r, table)} FROM ${table.name}) SELECT x, count(*) FROM q GROUP BY x`,
    ],
    [1, () => `WITH q AS MATERIALIZED (SELECT * FROM ${table.name}) SELECT count(*) FROM q a, q b`],
    [
      2,
      () =>
        `WITH RECURSIVE n(i) AS (SELECT ${r.below(3)} UNION ALL SELECT i + 1 FROM n WHERE i < ${r.between(3, 30)}) SELECT ${r.pick(["i", "count(*)", "i * i, i % 3"])} FROM n`,
    ],
    [
      1,
      () =>
        `WITH RECURSIVE n(i) AS (VALUES (1) UNION SELECT (i * 3) % 7 FROM n ORDER BY 1 LIMIT 5) SELECT * FROM n`,
    ],
    [1, () => `WITH q(x) AS (${simple(r, schema, bindings)}) SELECT * FROM q`],
  ])();
}

function fromJson(r, schema) {
  const table = schema.table(r);
  return r.weighted([
    [
      2,
      () =>
        `SELECT key, value, type FROM json_each('${r.pick(['[1,"a",null]', '{"a":1,"b":[2]}', "7", "nonsense", "[]"])}')`,
    ],
    [1, () => `SELECT fullkey, atom FROM json_tree('{"a":[1,{"b":2}]}')`],
    [
      1,
      () =>
        `SELECT json_group_object(coalesce(${schema.column(r, table)}, 'none'), ${r.below(5)}) FROM ${table.name}`,
    ],
    [
      1,
      () =>
        `SELECT t.${schema.column(r, table)}, j.value FROM ${table.name} t, json_each(json_array(1, 2)) j`,
    ],
    [1, () => `VALUES (${literal(r)}, ${literal(r)}), (${literal(r)}, 2)`],
  ])();
}

const MATCHES = [
  "hello",
  "one",
  "hel*",
  "one AND two",
  "one OR hello",
  "NOT",
  '"one two"',
  "nothing",
  "NEAR(one two)",
  "title : one",
];

export function search(r, schema) {
  const { name, columns } = r.pick(schema.searches);
  const match = r.pick(MATCHES);
  return r.weighted([
    [3, () => `SELECT rowid, * FROM ${name} WHERE ${name} MATCH '${match}'`],
    [
      1,
      () => `SELECT rowid, round(bm25(${name}), 6) AS score FROM ${name}('${match}') ORDER BY rank`,
    ],
    [1, () => `SELECT highlight(${name}, 0, '<', '>') FROM ${name}('${match}')`],
    [1, () => `SELECT snippet(${name}, -1, '<', '>', '..', 3) FROM ${name}('${match}')`],
    [1, () => `SELECT ${columns[0]} FROM ${name} ORDER BY rowid DESC`],
    [1, () => `SELECT count(*) FROM ${name}`],
  ])();
}

/** A query; what it binds is added to `bindings`. */
export function query(r, schema, bindings) {
  if (schema.searches.length > 0 && r.chance(0.1)) return search(r, schema);
  return r.weighted([
    [8, simple],
    [3, join],
    [3, group],
    [2, windowed],
    [2, compound],
    [2, subquery],
    [2, common],
    [1, fromJson],
  ])(r, schema, bindings);
}
