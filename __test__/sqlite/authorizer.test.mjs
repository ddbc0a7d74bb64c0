// What statements may do: the names, functions, modules and PRAGMAs that are allowed, and the texts of those that are not.
import { example } from "./examples/example.mjs";

const AUTH = "Error: not authorized: SQLITE_AUTH";
const TRANSACTION =
  "Error: To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing.";

/** An example of statements and what each tells: its number of rows, or its error. */
function statements(name, before, expected, theirs) {
  const run = `({ sql, kv, attempt }) => {
    ${before}
    const told = (text) => attempt(() => sql.exec(text).toArray().length);
    return Object.fromEntries(${JSON.stringify(Object.keys(expected))}.map((text) => [text, told(text)]));
  }`;
  example(name, run, expected, theirs && { workerd: { ...expected, ...theirs } });
}

const each = (texts, told) => Object.fromEntries(texts.map((text) => [text, told]));
const unauthorized = (name) => [
  `SELECT ${name}`,
  `Error: not authorized to use function: ${name.split("(")[0]} at offset 7: SQLITE_ERROR`,
];

statements(
  "transactions are not a matter of SQL",
  "",
  each(
    [
      "BEGIN",
      "begin immediate",
      "COMMIT",
      "END",
      "ROLLBACK",
      "SAVEPOINT a",
      "RELEASE a",
      "ROLLBACK TO a",
    ],
    TRANSACTION,
  ),
);

statements("nor are other databases and temporary tables", "", {
  VACUUM: "Error: cannot VACUUM from within a transaction: SQLITE_ERROR",
  "VACUUM INTO 'x'": "Error: cannot VACUUM from within a transaction: SQLITE_ERROR",
  ...each(
    [
      "ATTACH 'x' AS y",
      "DETACH y",
      "CREATE TEMP TABLE t(a)",
      "CREATE TEMPORARY VIEW v AS SELECT 1",
      "CREATE TABLE temp.t(a)",
    ],
    AUTH,
  ),
  "CREATE TABLE main.t(a)": 0,
  ANALYZE: 0,
  REINDEX: 0,
});

statements(
  "names that begin with _cf_ are the object's own",
  'sql.exec("CREATE TABLE t(a, _cf_a)")',
  each(
    [
      "CREATE TABLE _cf_x(a)",
      'CREATE TABLE "_cf_"(a)',
      "CREATE VIEW _cf_v AS SELECT 1",
      "CREATE INDEX _cf_i ON t(a)",
      "CREATE TRIGGER _cf_g AFTER INSERT ON t BEGIN SELECT 1; END",
      "CREATE TABLE _CF_X(a)",
      "ALTER TABLE t RENAME TO _cf_t",
    ],
    AUTH,
  ),
  // Newer workerd refuses them too.
  { "CREATE TABLE _CF_X(a)": 0, "ALTER TABLE t RENAME TO _cf_t": 0 },
);

statements(
  "the tables of keys and of the alarm can be neither read nor written",
  'kv.put("a", 1)',
  {
    "SELECT * FROM _cf_KV": "Error: access to _cf_KV.key is prohibited: SQLITE_AUTH",
    "SELECT value FROM _cf_KV": "Error: access to _cf_KV.value is prohibited: SQLITE_AUTH",
    ...each(
      [
        "SELECT count(*) FROM _cf_KV",
        "SELECT 1 FROM _cf_kv",
        "INSERT INTO _cf_KV VALUES ('a', 1)",
        "UPDATE _cf_KV SET value = 1",
        "DELETE FROM _cf_KV",
        "DROP TABLE _cf_KV",
        "ALTER TABLE _cf_KV RENAME TO x",
        "CREATE INDEX i ON _cf_KV(value)",
        "CREATE TRIGGER g AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
        "PRAGMA table_info(_cf_KV)",
      ],
      AUTH,
    ),
    "CREATE TABLE copy AS SELECT * FROM _cf_KV":
      "Error: access to _cf_KV.key is prohibited: SQLITE_AUTH",
    "CREATE VIEW v AS SELECT * FROM _cf_KV": 0,
    "SELECT * FROM v": "Error: access to _cf_KV.key is prohibited: SQLITE_AUTH",
    "SELECT * FROM _cf_METADATA": "Error: no such table: _cf_METADATA: SQLITE_ERROR",
    "SELECT name FROM sqlite_schema WHERE name LIKE '\\_cf%' ESCAPE '\\'": 1,
  },
);

statements("the schema is written by its own statements alone", "", {
  "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)":
    "Error: table sqlite_master may not be modified: SQLITE_ERROR",
  "UPDATE sqlite_schema SET sql = ''":
    "Error: table sqlite_master may not be modified: SQLITE_ERROR",
  "CREATE TABLE sqlite_x(a)":
    "Error: object name reserved for internal use: sqlite_x: SQLITE_ERROR",
  "SELECT * FROM sqlite_schema": 0,
  "SELECT * FROM sqlite_temp_master": 0,
});

statements("functions that say what SQLite this is, or reach out of it, are refused", "", {
  ...Object.fromEntries(
    [
      "sqlite_version()",
      "sqlite_source_id()",
      "sqlite_compileoption_used('X')",
      "sqlite_compileoption_get(1)",
      "sqlite_log(1, 'x')",
      "subtype('x')",
      "json_pretty('[1]')",
      "json_error_position('x')",
      "ceiling(1.5)",
      "log10(10)",
      "fts5_source_id()",
      "fts5(1)",
    ].map(unauthorized),
  ),
  "SELECT readfile('x')": "Error: no such function: readfile at offset 7: SQLITE_ERROR",
  "SELECT fts3_tokenizer('a')": "Error: no such function: fts3_tokenizer at offset 7: SQLITE_ERROR",
  "SELECT 'a' REGEXP 'b'": "Error: no such function: REGEXP at offset 11: SQLITE_ERROR",
});

statements(
  "the functions of the core, of dates, windows, numbers and JSON are allowed",
  'sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)")',
  {
    "SELECT abs(-1), char(65), coalesce(NULL, 1), concat('a', 'b'), format('%d', 1), hex('a'), iif(1, 2, 3), instr('ab', 'b'), octet_length('é'), printf('%d', 1), quote('a'), random(), randomblob(2), replace('a', 'a', 'b'), sign(-1), substring('abc', 2), typeof(1), unhex('41'), unicode('A'), zeroblob(2)": 1,
    "SELECT changes(), last_insert_rowid(), total_changes(), likelihood(1, 0.5), likely(1), unlikely(1)": 1,
    "SELECT date('now'), time('now'), datetime('now'), julianday('now'), unixepoch('now'), strftime('%Y', 'now'), timediff('2024-01-02', '2024-01-01'), current_date, current_time, current_timestamp": 1,
    "SELECT ceil(1.2), floor(1.2), trunc(1.5), pow(2, 3), sqrt(2), exp(1), ln(2), log2(8), mod(5, 3), pi(), degrees(1), radians(1), sin(1), cos(1), tan(1), atan2(1, 1)": 1,
    "SELECT json('[1]'), jsonb('[1]'), json_array(1), json_object('a', 1), json_extract('[1]', '$[0]'), json_set('{}', '$.a', 1), json_patch('{}', '{}'), json_remove('[1]', '$[0]'), json_type('1'), json_valid('1'), json_quote('a'), '{\"a\":1}' ->> 'a', jsonb_extract('[1]', '$')": 1,
    "SELECT count(*), sum(a), total(a), avg(a), min(a), max(a), group_concat(a), string_agg(a, ','), json_group_array(a), json_group_object(a, a), jsonb_group_array(a) FROM t": 1,
    "SELECT row_number() OVER w, rank() OVER w, dense_rank() OVER w, ntile(2) OVER w, lag(a) OVER w, lead(a) OVER w, first_value(a) OVER w, nth_value(a, 1) OVER w, cume_dist() OVER w, percent_rank() OVER w FROM t WINDOW w AS (ORDER BY a)": 2,
    "SELECT * FROM json_each('[1, 2]')": 2,
    "SELECT * FROM json_tree('[1, 2]')": 3,
    "SELECT CURRENT_TIMESTAMP, CURRENT_DATE, ABS(-1), Json_Array(1)": 1,
    "CREATE TABLE d(a DEFAULT CURRENT_TIMESTAMP, b DEFAULT (Upper('b')))": 0,
    "INSERT INTO d DEFAULT VALUES": 0,
    "EXPLAIN QUERY PLAN SELECT * FROM t": 1,
  },
);

statements(
  "of the virtual tables those of full-text search and R*Tree can be made",
  "",
  {
    "CREATE VIRTUAL TABLE f USING fts5(a, tokenize = 'porter')": 0,
    "INSERT INTO f VALUES ('hello world')": 0,
    "CREATE VIRTUAL TABLE words USING fts5vocab('f', 'row')": 0,
    "SELECT * FROM words": 2,
    "SELECT highlight(f, 0, '<', '>'), snippet(f, 0, '<', '>', '..', 3), bm25(f) FROM f('hello')": 1,
    "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)": 0,
    "INSERT INTO r VALUES (1, 0, 1), (2, 5, 6)": 0,
    "SELECT id FROM r WHERE x0 > 3": 1,
    "CREATE VIRTUAL TABLE ri USING rtree_i32(id, x0, x1)": 0,
    ...each(
      [
        "CREATE VIRTUAL TABLE x USING fts4(a)",
        "CREATE VIRTUAL TABLE x USING geopoly(a)",
        "CREATE VIRTUAL TABLE x USING nowhat(a)",
      ],
      AUTH,
    ),
    "CREATE VIRTUAL TABLE _cf_f USING fts5(a)": AUTH,
    "SELECT * FROM generate_series(1, 3)": "Error: no such table: generate_series: SQLITE_ERROR",
    "SELECT * FROM sqlite_dbpage": "Error: no such table: sqlite_dbpage: SQLITE_ERROR",
    "SELECT * FROM dbstat": "Error: no such table: dbstat: SQLITE_ERROR",
  },
  {
    "CREATE VIRTUAL TABLE _cf_f USING fts5(a)":
      "Error: fts5: error creating shadow table _cf_f_data: not authorized: SQLITE_AUTH",
    // Newer workerd allows R*Tree.
    "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)": AUTH,
    "INSERT INTO r VALUES (1, 0, 1), (2, 5, 6)": "Error: no such table: r: SQLITE_ERROR",
    "SELECT id FROM r WHERE x0 > 3": "Error: no such table: r: SQLITE_ERROR",
    "CREATE VIRTUAL TABLE ri USING rtree_i32(id, x0, x1)": AUTH,
  },
);

statements(
  "PRAGMAs that describe tables are allowed, by a name",
  'sql.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, b UNIQUE REFERENCES t(id))")',
  {
    "PRAGMA table_info(t)": 2,
    "PRAGMA table_info('t')": 2,
    "PRAGMA main.table_xinfo(t)": 2,
    "PRAGMA index_list(t)": 1,
    "PRAGMA index_info(sqlite_autoindex_t_1)": 1,
    "PRAGMA index_xinfo(sqlite_autoindex_t_1)": 2,
    "PRAGMA foreign_key_list(t)": 1,
    "PRAGMA foreign_key_check": 0,
    "PRAGMA foreign_key_check(t)": 0,
    "PRAGMA quick_check": 1,
    "PRAGMA quick_check(t)": 1,
    "PRAGMA table_list": 3,
    "PRAGMA table_list(t)": 1,
    "PRAGMA data_version": 1,
    "PRAGMA optimize": 0,
    "PRAGMA optimize(-1)": 0,
    "SELECT * FROM pragma_table_info('t')": 2,
    "SELECT * FROM pragma_foreign_keys": 1,
    "PRAGMA table_info": AUTH,
    "PRAGMA data_version = 1": AUTH,
    "PRAGMA temp.table_list": AUTH,
    "SELECT * FROM pragma_database_list": AUTH,
    "SELECT * FROM pragma_compile_options": AUTH,
    "PRAGMA page_size": 1,
    "PRAGMA page_size = 8192": AUTH,
  },
  // Newer workerd tells the size of a page.
  { "PRAGMA page_size": AUTH },
);

statements("PRAGMAs that are switches take a boolean", "", {
  "PRAGMA foreign_keys": 1,
  ...each(
    [
      "PRAGMA foreign_keys = 0",
      "PRAGMA foreign_keys = on",
      "PRAGMA foreign_keys = 'yes'",
      "PRAGMA defer_foreign_keys = TRUE",
      "PRAGMA ignore_check_constraints = no",
      "PRAGMA legacy_alter_table = off",
      "PRAGMA recursive_triggers = false",
      "PRAGMA case_sensitive_like = 1",
      "PRAGMA reverse_unordered_selects = 0",
    ],
    0,
  ),
  ...each(["PRAGMA foreign_keys = 2", "PRAGMA foreign_keys = maybe", "PRAGMA FOREIGN_KEYS"], AUTH),
});

statements(
  "all other PRAGMAs are refused",
  "",
  each(
    [
      "application_id",
      "auto_vacuum",
      "busy_timeout",
      "cache_size",
      "collation_list",
      "compile_options",
      "database_list",
      "encoding",
      "freelist_count",
      "function_list",
      "integrity_check",
      "journal_mode",
      "locking_mode",
      "max_page_count",
      "mmap_size",
      "module_list",
      "page_count",
      "query_only",
      "schema_version",
      "synchronous",
      "temp_store",
      "trusted_schema",
      "user_version",
      "user_version = 1",
      "wal_checkpoint",
      "writable_schema = 1",
      "nowhat",
    ].map((name) => `PRAGMA ${name}`),
    AUTH,
  ),
);

example(
  "foreign keys are checked from the beginning",
  ({ rows }) => [
    rows("PRAGMA foreign_keys"),
    rows("PRAGMA recursive_triggers"),
    rows("PRAGMA defer_foreign_keys"),
  ],
  [[{ foreign_keys: 1 }], [{ recursive_triggers: 0 }], [{ defer_foreign_keys: 0 }]],
);

const rewrite = (change) =>
  `. Here DELETE and UPDATE take neither ORDER BY nor LIMIT. Write this instead: ${change} WHERE rowid IN (SELECT rowid FROM t WHERE … ORDER BY … LIMIT …)`;

statements(
  "what this SQLite is built without is told as what does not exist",
  'sql.exec("CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)")',
  {
    "SELECT load_extension('x')":
      "Error: no such function: load_extension at offset 7: SQLITE_ERROR",
    "DELETE FROM t LIMIT 1": `Error: near "LIMIT": syntax error at offset 14: SQLITE_ERROR${rewrite("DELETE FROM t")}`,
    "UPDATE t SET a = 5 LIMIT 1": `Error: near "LIMIT": syntax error at offset 19: SQLITE_ERROR${rewrite("UPDATE t SET …")}`,
    "DELETE FROM t ORDER BY a LIMIT 1": `Error: near "ORDER": syntax error at offset 14: SQLITE_ERROR${rewrite("DELETE FROM t")}`,
    "SELECT 1 LIMIT LIMIT": 'Error: near "LIMIT": syntax error at offset 15: SQLITE_ERROR',
    "INSERT INTO t VALUES (3), (4), (5)": 0,
    "DELETE FROM t WHERE rowid IN (SELECT rowid FROM t ORDER BY a DESC LIMIT 1) RETURNING a": 1,
    "UPDATE t SET a = 9 WHERE rowid IN (SELECT rowid FROM t ORDER BY a LIMIT 2) RETURNING a": 2,
  },
  {
    "SELECT load_extension('x')": "Error: not authorized: SQLITE_ERROR",
    "DELETE FROM t LIMIT 1": 0,
    "UPDATE t SET a = 5 LIMIT 1": 0,
    "DELETE FROM t ORDER BY a LIMIT 1": 0,
  },
);
