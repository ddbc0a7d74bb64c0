// The differences that are rows of COMPAT.md: which step shows one, and steps that show each.

const exec = (text, ...bindings) => ["exec", text, bindings, "array"];
const textOf = ([kind, ...args]) => (kind === "exec" ? args[0] : kind === "open" ? args[1] : "");

/** The answer of a step without the rows that it has read. */
function withoutRowsRead(answer) {
  if (!Array.isArray(answer)) return answer;
  const isCounted = (part) =>
    Array.isArray(part) && part.length === 2 && part.every(Number.isInteger);
  return JSON.stringify(answer.map((part) => (isCounted(part) ? [0, part[1]] : part)));
}

/** The answer without the names of columns that ALTER TABLE gives in passing. */
function withoutNames(step, answer) {
  return textOf(step).startsWith("ALTER TABLE")
    ? JSON.stringify([answer?.[0], answer?.[2]])
    : answer;
}

/** A text with fourteen digits of each number in it. */
const shortened = (text) =>
  text.replace(/-?\d+\.\d+(e[+-]\d+)?/g, (digits) => Number(digits).toPrecision(14));

const VIOLATED =
  /because the application left the database in a state where constraints were violated/;

/** A blob with the header of JSONB that begins with a digit: 3.47 believes the header, a newer one looks at the rest. */
const HALF_JSONB = "SELECT x'349f1487' ->> 4 AS a";
/** A newer SQLite writes a shorter part over a longer one, with a longer header than it needs. */
const LONG_HEADER = "SELECT jsonb_set('0.841', '$', 5.0) AS a";

/** `isHarmless` says that what comes after such a difference does not follow from it. */
export const divergences = [
  {
    // Its planner chooses other ways: no row and no column differs.
    row: "sqlite-version",
    isHarmless: true,
    explains: ({ step, ours, theirs }) =>
      ["exec", "open", "read"].includes(step[0]) &&
      (withoutRowsRead(ours) === withoutRowsRead(theirs) ||
        withoutNames(step, ours) === withoutNames(step, theirs)),
    shows: [
      exec("CREATE TABLE t(a)"),
      exec("CREATE TABLE k(id INTEGER PRIMARY KEY)"),
      exec("SELECT a FROM t EXCEPT SELECT id FROM k"),
    ],
  },
  {
    row: "sqlite-constraint-reset",
    isHarmless: true,
    explains: ({ ours, theirs }) =>
      VIOLATED.test(ours?.failed?.text) &&
      ours.failed.text === theirs?.failed?.text &&
      ours.reset &&
      !theirs.reset,
    shows: [
      exec("CREATE TABLE p(id INTEGER PRIMARY KEY)"),
      exec("CREATE TABLE c(p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)"),
      exec("INSERT INTO c VALUES (1)"),
      ["timer"],
    ],
  },
  {
    row: "sqlite-version",
    explains: ({ step, ours, theirs }) => {
      // Only in texts: numbers are equal in every bit.
      const inText = (_, part) => (typeof part === "string" ? shortened(part) : part);
      const rounded = (answer) => JSON.stringify(answer, inText);
      const isSql = textOf(step) !== "" || step[0] === "read";
      return isSql && rounded(ours) === rounded(theirs);
    },
    shows: [
      exec("SELECT 9007199254740992.0 || '' AS a"),
      exec("SELECT 2.0 / 3 || '' AS a"),
      ["open", "one", "SELECT json_array(1745329251994.33) AS a", []],
      ["read", "one", "array", 1],
    ],
  },
  {
    // No program draws these two; see `bytes` in `generate-values.mjs`, and `call` in `generate-expressions.mjs`.
    row: "sqlite-version",
    isHarmless: true,
    explains: ({ step }) => [HALF_JSONB, LONG_HEADER].includes(textOf(step)),
    shows: [exec(HALF_JSONB), exec(LONG_HEADER)],
  },
  {
    row: "sqlite-limit-clause",
    explains: ({ step }) => /^(DELETE|UPDATE)\b.*\bLIMIT\b/.test(textOf(step)),
    shows: [exec("CREATE TABLE t(a)"), exec("DELETE FROM t LIMIT 1")],
  },
  {
    row: "sqlite-newer",
    explains: ({ step }) => /_CF_|TO _cf_|rtree|page_size|trigger recursion/.test(textOf(step)),
    shows: [
      exec("CREATE TABLE _CF_x(a)"),
      exec("CREATE VIRTUAL TABLE r USING rtree(id, a, b)"),
      exec("PRAGMA page_size"),
    ],
  },
  {
    row: "sqlite-reserved-search",
    explains: ({ step }) => /VIRTUAL TABLE _cf_/.test(textOf(step)),
    shows: [exec("CREATE VIRTUAL TABLE _cf_f USING fts5(a)")],
  },
  {
    row: "sqlite-no-extensions",
    explains: ({ step }) => /load_extension/.test(textOf(step)),
    shows: [exec("SELECT load_extension('x')")],
  },
  {
    row: "sqlite-lone-surrogates",
    explains: ({ step }) => JSON.stringify(step).includes('["text",'),
    shows: [exec("SELECT ? AS a", ["text", 0xd800])],
  },
];
