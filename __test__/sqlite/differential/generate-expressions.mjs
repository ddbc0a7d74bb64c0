// Draws expressions over the columns of a query: operators, functions of each family, CASE, CAST, subqueries.
import { binding, literal, smallBinding } from "./generate-values.mjs";

/** Functions by their number of arguments. None tells the time, the version, or what the table of keys counts. */
const FUNCTIONS = {
  1: [
    ...["abs", "length", "lower", "upper", "typeof", "quote", "hex", "trim", "ltrim", "rtrim"],
    ...["unicode", "char", "round", "sign", "zeroblob", "octet_length", "unhex", "likely"],
    ...["ceil", "floor", "trunc", "sqrt", "exp", "ln", "log2", "sin", "cos", "atan"],
    ...["degrees", "radians", "json", "jsonb", "json_type", "json_valid", "json_quote"],
    ...["json_array_length", "date", "datetime", "julianday", "unixepoch", "time"],
  ],
  2: [
    ...["ifnull", "nullif", "instr", "substr", "round", "max", "min", "coalesce", "concat"],
    ...["pow", "mod", "atan2", "json_extract", "json_array", "json_remove", "glob", "like"],
    ...["json_patch", "strftime", "date", "json_object", "printf", "concat_ws", "trim"],
  ],
  3: [
    ...["iif", "replace", "substr", "max", "min", "coalesce", "json_set", "json_insert"],
    ...["json_replace", "jsonb_set", "concat", "printf", "json_array", "concat_ws"],
  ],
};
const PATHS = ["'$'", "'$.a'", "'$.b[0]'", "'$[#-1]'", "'$.zz'", "'nopath'"];
const OPERATORS = [
  "+",
  "-",
  "*",
  "/",
  "%",
  "||",
  "=",
  "<>",
  "<",
  ">=",
  "IS",
  "IS NOT",
  "AND",
  "OR",
];
const RARER = ["&", "|", "<<", ">>", "->", "->>", "==", "LIKE", "GLOB", "NOT LIKE"];

const DOCUMENTS = [`'{"a":1,"b":[2,"x"]}'`, "'[1,2,3]'", "'nonsense'", "NULL"];
// Without a time of its own a function of dates takes the time of today.
const TIMES = ["'2024-02-29'", "1000", "'nonsense'", "NULL"];
const DATES = ["date", "datetime", "julianday", "unixepoch", "time"];

/** What an argument of a function has to be, so that the call is not a mistake each time. */
function argument(r, name, at) {
  if (/^jsonb?_/.test(name)) {
    if (at === 0 && r.chance(0.6)) return r.pick(DOCUMENTS);
    return at === 1 && r.chance(0.8) ? r.pick(PATHS) : undefined;
  }
  if (name === "printf" && at === 0) return r.pick(["'%d'", "'%s'", "'%5.1f'", "'%x'", "'%q'"]);
  if (name === "strftime")
    return at === 0 ? r.pick(["'%Y-%m'", "'%j'", "'%w'"]) : "'2024-02-29 12:30:00'";
  if (DATES.includes(name))
    return at === 0 ? r.pick(TIMES) : r.pick(["'+1 month'", "'start of year'", "'weekday 0'"]);
  return name === "zeroblob" ? String(r.below(5)) : undefined;
}

/** Their results have more digits than all versions of SQLite write. */
const INEXACT = [
  "sqrt",
  "exp",
  "ln",
  "log2",
  "sin",
  "cos",
  "atan",
  "atan2",
  "pow",
  "degrees",
  "radians",
  "mod",
];

function call(r, inner) {
  const count = r.between(1, 3);
  const name = r.pick(FUNCTIONS[count]);
  const args = Array.from({ length: count }, (_, at) => argument(r, name, at) ?? inner());
  const text = `${name}(${args.join(", ")})`;
  // The bytes of JSONB that was changed depend on the version of SQLite.
  if (name === "jsonb_set") return `json(${text})`;
  return INEXACT.includes(name) ? `round(${text}, 3)` : text;
}

/**
 * An expression on `columns`. With a list of `bindings`, it may use `?`, and adds what that stands for. So the parts of a
 * statement have to be drawn in their order.
 */
export function expression(r, columns, bindings, depth = 0) {
  const inner = () => expression(r, columns, bindings, depth + 1);
  if (depth > 2 || r.chance(0.35)) {
    const kind = r.below(10);
    if (kind < 5 && columns.length > 0) return r.pick(columns);
    if (kind < 7 && bindings !== undefined && bindings.length < 20) {
      bindings.push(r.chance(0.6) ? smallBinding(r) : binding(r));
      return "?";
    }
    return literal(r);
  }
  return r.weighted([
    [6, () => `(${inner()} ${r.pick(r.chance(0.75) ? OPERATORS : RARER)} ${inner()})`],
    [6, () => call(r, inner)],
    [1, () => `CASE WHEN ${inner()} THEN ${inner()} ELSE ${inner()} END`],
    [1, () => `CAST(${inner()} AS ${r.pick(["INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB"])})`],
    [1, () => `${inner()} ${r.pick(["", "NOT "])}IN (${inner()}, ${inner()}, 3)`],
    [1, () => `${inner()} BETWEEN ${inner()} AND ${inner()}`],
    [1, () => `(${inner()} ${r.pick(["IS NULL", "NOT NULL", "COLLATE NOCASE"])})`],
    [1, () => `${r.pick(["-", "NOT ", "~", "+"])}${inner()}`],
  ])();
}

/** A condition that is likely to hold for some rows. */
export function condition(r, columns, bindings) {
  const column = r.pick(columns);
  return r.weighted([
    [
      4,
      () => {
        if (bindings === undefined) return `${column} = ${literal(r)}`;
        bindings.push(smallBinding(r));
        return `${column} ${r.pick(["=", ">", "<=", "IS", "<>"])} ?`;
      },
    ],
    [2, () => `${column} ${r.pick([">", "<", ">=", "="])} ${r.below(9)}`],
    [1, () => `${column} IN (1, 2, 'a', ${r.below(9)})`],
    [1, () => `${column} LIKE '${r.pick(["a%", "%x", "_", "1%"])}'`],
    [1, () => `${column} IS ${r.pick(["NULL", "NOT NULL"])}`],
    [2, () => expression(r, columns, bindings)],
  ])();
}
