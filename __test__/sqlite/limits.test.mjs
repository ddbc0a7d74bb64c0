// Each limit: what is at it passes, what is one above is refused with a text.
import { example } from "./examples/example.mjs";

/** An example of `use`, which passes with `max` and fails with one more. `workerdText` is that of an older SQLite. */
function limit(name, max, use, text, workerdText = text) {
  const run = `(tools) => {
    const use = ${use};
    const told = (n) => tools.attempt(() => { use(n, tools); return "passes"; });
    return [told(${max}), told(${max + 1})];
  }`;
  example(`${name}: ${max}`, run, ["passes", text], { workerd: ["passes", workerdText] });
}

const TOO_BIG = "Error: string or blob too big: SQLITE_TOOBIG";
const BYTES_MAX = 2_200_000;
/** What a row of one value has beside it. */
const ROW_BYTES = 5;

limit(
  "bytes of a blob",
  BYTES_MAX,
  (n, { rows }) => rows("SELECT length(?)", new Uint8Array(n)),
  TOO_BIG,
);
limit(
  "bytes of a text",
  BYTES_MAX,
  (n, { rows }) => rows("SELECT length(?)", "x".repeat(n)),
  TOO_BIG,
);
limit(
  "bytes that a function makes",
  BYTES_MAX,
  (n, { rows }) => rows(`SELECT length(zeroblob(${n}))`),
  TOO_BIG,
);
limit(
  "bytes of a value in a row of one",
  BYTES_MAX - ROW_BYTES,
  (n, { sql }) => {
    sql.exec("CREATE TABLE IF NOT EXISTS t(a)");
    sql.exec("INSERT INTO t VALUES (?)", new Uint8Array(n));
  },
  TOO_BIG,
);
limit(
  "bytes of each of two values in a row",
  (BYTES_MAX - 2 * ROW_BYTES) / 2,
  (n, { sql }) => {
    sql.exec("CREATE TABLE IF NOT EXISTS t(a, b)");
    sql.exec("INSERT INTO t VALUES (?, ?)", new Uint8Array(n), new Uint8Array(n));
  },
  TOO_BIG,
);
limit("bytes of a key", BYTES_MAX - 10, (n, { kv }) => kv.put("k".repeat(n), 1), TOO_BIG);
limit(
  "characters of a string that is stored under a key of one",
  BYTES_MAX - 14,
  (n, { kv }) => kv.put("k", "x".repeat(n)),
  TOO_BIG,
);
limit(
  "bytes of the text of a statement",
  100_000,
  (n, { rows }) => rows(`SELECT 1 /*${"x".repeat(n - 13)}*/`),
  "Error: statement too long: SQLITE_TOOBIG",
);
limit(
  "columns of a table",
  100,
  (n, { sql }) => sql.exec(`CREATE TABLE t${n}(${Array.from({ length: n }, (_, i) => `c${i}`)})`),
  "Error: too many columns on t101: SQLITE_ERROR",
);
limit(
  "columns of a result",
  100,
  (n, { rows }) => rows(`SELECT ${Array.from({ length: n }, (_, i) => i)}`),
  "Error: too many columns in result set: SQLITE_ERROR",
);
limit(
  "columns of an index",
  100,
  (n, { sql }) => {
    sql.exec("CREATE TABLE IF NOT EXISTS t(a)");
    sql.exec(`CREATE INDEX i${n} ON t(${Array.from({ length: n }, () => "a")})`);
  },
  "Error: too many columns in index: SQLITE_ERROR",
);
limit(
  "terms of ORDER BY",
  100,
  (n, { rows }) =>
    rows(
      `SELECT 1 FROM sqlite_schema ORDER BY ${Array.from({ length: n }, (_, i) => `name + ${i}`)}`,
    ),
  "Error: too many terms in ORDER BY clause: SQLITE_ERROR",
);
limit(
  "depth of an expression, in additions",
  99,
  (n, { rows }) => rows(`SELECT 1${"+1".repeat(n)}`),
  "Error: Expression tree is too large (maximum depth 100): SQLITE_ERROR",
);
limit(
  "parts of a compound query",
  5,
  (n, { rows }) => rows(`SELECT 1${" UNION ALL SELECT 1".repeat(n - 1)}`),
  "Error: too many terms in compound SELECT: SQLITE_ERROR",
);
limit(
  "arguments of a function",
  127,
  (n, { rows }) => rows(`SELECT max(${Array.from({ length: n }, (_, i) => i)})`),
  "Error: too many arguments on function max at offset 7: SQLITE_ERROR",
);
limit(
  "bytes of a pattern of LIKE",
  50,
  (n, { rows }) => rows("SELECT 'a' LIKE ?", "x".repeat(n)),
  "Error: LIKE or GLOB pattern too complex: SQLITE_ERROR",
);
limit(
  "bytes of a pattern of GLOB",
  50,
  (n, { rows }) => rows("SELECT 'a' GLOB ?", "x".repeat(n)),
  "Error: LIKE or GLOB pattern too complex: SQLITE_ERROR",
);
limit(
  "parameters of a statement",
  100,
  (n, { rows }) =>
    rows(
      `SELECT 1 IN (${Array.from({ length: n }, () => "?")})`,
      ...Array.from({ length: n }, () => 1),
    ),
  "Error: too many SQL variables at offset 213: SQLITE_ERROR",
);
limit(
  "number of a parameter",
  100,
  (n, { rows }) => rows(`SELECT ?${n}`, ...Array.from({ length: n }, () => 1)),
  "Error: variable number must be between ?1 and ?100 at offset 7: SQLITE_ERROR",
);
limit(
  "depth of triggers",
  9,
  (n, { sql }) => {
    sql.exec("CREATE TABLE IF NOT EXISTS t(n INTEGER)");
    sql.exec(
      "CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON t WHEN new.n > 0 BEGIN INSERT INTO t VALUES (new.n - 1); END",
    );
    sql.exec("PRAGMA recursive_triggers = 1");
    sql.exec("INSERT INTO t VALUES (?)", n);
  },
  "Error: triggers nested too deep: SQLITE_ERROR",
  "Error: too many levels of trigger recursion: SQLITE_ERROR",
);

example(
  "a program of SQLite that is too long is refused as out of memory",
  ({ rows, attempt }) => {
    const told = (n) =>
      attempt(() => rows(`VALUES ${Array.from({ length: n }, () => "(1)")}`).length);
    return [told(10_000), told(20_000)];
  },
  [10_000, "Error: out of memory: SQLITE_NOMEM"],
);

example(
  "keys and values have no limits but those of a row, and calls take any number of keys",
  async ({ storage, kv, attemptLater }) => {
    const keys = Array.from({ length: 300 }, (_, i) => `key ${String(i).padStart(3, "0")}`);
    await storage.put(Object.fromEntries(keys.map((key) => [key, key])));
    const long = "k".repeat(5_000);
    await storage.put(long, new Uint8Array(1_000_000));
    return [
      (await storage.get(keys)).size,
      await storage.delete(keys),
      kv.get(long).length,
      await attemptLater(() => storage.put("k", new Uint8Array(4_000_000))),
    ];
  },
  [300, 300, 1_000_000, "Error: string or blob too big: SQLITE_TOOBIG"],
);
