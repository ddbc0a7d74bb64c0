// Draws statements that are refused, that SQLite cannot read, and PRAGMAs.

const REFUSED = [
  ...["BEGIN", "begin immediate", "COMMIT", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a"],
  ...["ROLLBACK TO a", "VACUUM", "VACUUM INTO 'x'", "ATTACH 'x' AS y", "DETACH y"],
  ...["CREATE TEMP TABLE tt(a)", "CREATE TEMPORARY VIEW tv AS SELECT 1", "CREATE TABLE temp.tt(a)"],
  ...["CREATE TABLE _cf_x(a)", "CREATE VIEW _cf_v AS SELECT 1", 'CREATE TABLE "_cf_"(a)'],
  ...["SELECT * FROM _cf_KV", "SELECT key FROM _cf_KV", "SELECT count(*) FROM _cf_KV"],
  ...["INSERT INTO _cf_KV VALUES ('a', 1)", "DELETE FROM _cf_KV", "UPDATE _cf_KV SET value = 1"],
  ...["DROP TABLE _cf_KV", "ALTER TABLE _cf_KV RENAME TO x", "CREATE INDEX ik ON _cf_KV(value)"],
  ...["SELECT * FROM _cf_METADATA", "DELETE FROM _cf_METADATA", "SELECT * FROM _cf_nowhat"],
  ...["SELECT sqlite_version()", "SELECT sqlite_source_id()"],
  ...["SELECT sqlite_compileoption_used('X')", "SELECT sqlite_log(1, 'x')", "SELECT nowhat(1)"],
  ...["SELECT subtype('x')", "SELECT readfile('x')", "SELECT json_pretty('[1]')"],
  ...["CREATE VIRTUAL TABLE vt USING fts4(a)", "CREATE VIRTUAL TABLE vt USING nowhat(a)"],
  ...["INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)"],
  ...["DELETE FROM sqlite_schema", "UPDATE sqlite_master SET sql = ''", "CREATE TABLE sqlite_x(a)"],
  ...["SELECT * FROM pragma_compile_options", "SELECT * FROM pragma_database_list"],
  ...["SELECT * FROM sqlite_dbpage", "SELECT * FROM dbstat", "SELECT * FROM generate_series(1, 3)"],
];

const UNREADABLE = [
  ...["", " ", ";", "-- comment", "/* open", "SELEC 1", "SELECT", "SELECT 1 1", "SELECT 'abc"],
  ...["SELECT nowhat", "SELECT [nowhat]", "SELECT 1; SELEC", "SELECT 1; -- end", "SELECT 1; ;"],
  ...["SELECT * FROM nowhere", "INSERT INTO nowhere VALUES (1)", "DROP TABLE nowhere", "SELECT *"],
  ...[
    "SELECT abs()",
    "SELECT count(*) WHERE count(*) > 1",
    "SELECT (SELECT 1, 2)",
    "VALUES (1), (1, 2)",
  ],
  ...[
    "SELECT 'é😀' || nowhat",
    "SELECT ?",
    "SELECT ?1, ?2",
    "SELECT ?101",
    "SELECT ?0",
    "SELECT ?; SELECT 1",
  ],
  ...[
    "#",
    "SELECT @",
    "SELECT x'abc'",
    "SELECT 1\0",
    "SELECT json('nonsense')",
    "SELECT 1 LIMIT 'x'",
  ],
  ...["SELECT abs(-9223372036854775808)", "SELECT raise(abort, 'x')", "SELECT 'a' REGEXP 'b'"],
  ...["SELECT zeroblob(1e10)", "SELECT 1 LIKE 2 ESCAPE 'ab'", 'SELECT "nowhat"', "SELECT 1 AS ''"],
];

const PRAGMAS = [
  ...["foreign_keys", "foreign_keys = 1", "defer_foreign_keys", "defer_foreign_keys = on"],
  ...["recursive_triggers = 1", "recursive_triggers = off", "case_sensitive_like = 1"],
  ...["case_sensitive_like = 0", "ignore_check_constraints = yes", "ignore_check_constraints = no"],
  ...[
    "legacy_alter_table",
    "reverse_unordered_selects",
    "foreign_keys = 2",
    "foreign_keys = maybe",
  ],
  ...[
    "table_info",
    "data_version = 1",
    "integrity_check",
    "page_count",
    "user_version",
    "encoding",
  ],
  ...[
    "journal_mode",
    "synchronous",
    "writable_schema = 1",
    "cache_size = 5",
    "nowhat",
    "compile_options",
  ],
  ...[
    "optimize",
    "quick_check",
    "foreign_key_check",
    "max_page_count",
    "locking_mode",
    "function_list",
  ],
];
const OF_TABLES = [
  "table_info",
  "table_xinfo",
  "index_list",
  "foreign_key_list",
  "foreign_key_check",
  "quick_check",
  "table_list",
];

function pragma(r, schema) {
  if (r.chance(0.5)) return `PRAGMA ${r.pick(PRAGMAS)}`;
  const { name } = schema.table(r);
  const of = r.pick(OF_TABLES);
  if (r.chance(0.3) && schema.indexes.length > 0)
    return `PRAGMA ${r.pick(["index_info", "index_xinfo"])}(${r.pick(schema.indexes)})`;
  return r.chance(0.3)
    ? `SELECT * FROM pragma_${r.pick(["table_info", "table_xinfo", "foreign_key_list"])}('${name}')`
    : `PRAGMA ${of}(${name})`;
}

/** A statement that changes no row: refused, broken, or about the database itself. */
export function oddity(r, schema) {
  return r.weighted([
    [3, () => r.pick(REFUSED)],
    [3, () => r.pick(UNREADABLE)],
    [4, () => pragma(r, schema)],
    [1, () => "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"],
    [1, () => "SELECT name FROM sqlite_schema WHERE name LIKE '_cf_%'"],
    [1, () => "SELECT * FROM sqlite_sequence"],
  ])();
}
