/**
 * Rewrites a module to a script that can be run without Node's `vm` modules. Lines and columns stay where they are, so
 * that stack traces, and source maps of the worker's own, hold without another map.
 *
 * The script is a generator function, `({ export, import, meta, live, value })`. Its first step gives the module's
 * code, which is a generator function too. The first step of the code declares functions, hands out a getter for each
 * export, and stops. Its second step runs the body. The second and third step of the script take imports that cannot
 * change any more, as constants around the code. Functions come when all modules have been instantiated, others when
 * their modules have been evaluated. Until then they are uninitialized, as in a module. All other imports are looked up
 * at each use, in a `with`.
 */
import type { AnyNode, ExportDefaultDeclaration } from "acorn";
import { DEFAULT_LOCAL, type ModuleSyntax, readSyntax } from "./syntax";
import type { Places, Span } from "./walk";

/** All that is kept of a module's source once it has been parsed. */
export interface ParsedModule extends Omit<ModuleSyntax, "names" | "statements" | "places"> {
  source: string;
  names: Names;
  /** What is rewritten whatever the imports are. */
  edits: Edit[];
  /** Calls of imports by their names. */
  calls: (Span & { name: string })[];
}

/** How the code sees its imports, by their local names. */
export interface ImportNames {
  hoisted: string[];
  constant: string[];
  live: string[];
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

const LINE_BREAK = /[\n\r\u2028\u2029]/;
const NOT_LINE_BREAKS = /[^\n\r\u2028\u2029]/g;
/** `export default`, with what may be between. */
const EXPORT_DEFAULT = /export(?:\s|\/\*[\s\S]*?\*\/|\/\/.*)*default/y;
/** An anonymous function up to its parameters. */
const FUNCTION_HEAD = /(?:\/\*[\s\S]*?\*\/|\/\/.*|[^(/])*/y;

/** Sources whose parsing is remembered, since every instance and reload parses its modules again. */
const PARSED_CHARACTERS_MAX = 8 * 1024 * 1024;
const parsedModules = new Map<string, ParsedModule>();
let parsedCharacters = 0;

/** Parses a module. Throws acorn's `SyntaxError` if it is none. */
export function parseSource(source: string): ParsedModule {
  const known = parsedModules.get(source);
  if (known) return known;
  const { names: used, statements, places, ...syntax } = readSyntax(source);
  const names = chooseNames(used);
  const locals = new Set(syntax.imports.map(({ local }) => local));
  const edits = [...placeEdits(places, names), ...statementEdits(source, statements, names)];
  const calls = places.callees.filter(({ name }) => locals.has(name));
  const parsed = { ...syntax, source, names, edits, calls };
  parsedModules.set(source, parsed);
  parsedCharacters += source.length;
  for (const [oldest] of parsedModules) {
    if (parsedCharacters <= PARSED_CHARACTERS_MAX) break;
    parsedModules.delete(oldest);
    parsedCharacters -= oldest.length;
  }
  return parsed;
}

/** Returns the script; its first line comes before the first line of the source. */
export function rewrite(module: ParsedModule, imports: ImportNames): string {
  const { source, names, awaits, localExports } = module;
  const { parameters } = names;
  const code = apply(source, [...module.edits, ...callEdits(module, imports)]);
  const exported = new Set(localExports.map(({ local }) => local));
  const getters = [...exported].map(
    (local) =>
      `${parameters.export}(${JSON.stringify(local)},()=>${local === DEFAULT_LOCAL ? names.default : local});`,
  );
  const head = [
    `(function*({export:${parameters.export},import:${names.import},meta:${names.meta},`,
    `live:${parameters.live},value:${names.value}}){`,
    imports.live.length > 0 ? `with(${parameters.live}){` : "{",
    `const{${imports.hoisted.join()}}=yield ${names.value}(`,
    `${awaits ? "async " : ""}function*(){"use strict";${getters.join("")}yield;\n`,
  ].join("");
  return `${head}${code}\n});const{${imports.constant.join()}}=yield}})`;
}

/** Names that the source does not use; those that replace something have its length. */
function chooseNames(used: Set<string>) {
  const taken = new Set(used);
  const choose = (...wishes: string[]) => {
    for (let n = 0; ; n++) {
      const wish = wishes[n] ?? numbered(wishes[0]!, n);
      if (taken.has(wish)) continue;
      taken.add(wish);
      return wish;
    }
  };
  return {
    import: choose("$imprt"),
    meta: choose("$importMeta"),
    arguments: choose("$argument"),
    default: choose("$", "_"),
    value: choose("$v"),
    parameters: { export: choose("$export"), live: choose("$live") },
  };
}

function numbered(name: string, n: number): string {
  const digits = n.toString(36);
  return name.length > digits.length
    ? name.slice(0, name.length - digits.length) + digits
    : `$${digits}`;
}

type Names = ReturnType<typeof chooseNames>;

function placeEdits(places: Places, names: Names): Edit[] {
  return [
    ...places.dynamicImports.map((start) => ({ start, end: start + 6, text: names.import })),
    ...places.metas.map(({ start, end }) => ({ start, end, text: names.meta })),
    ...places.freeArguments.map((start) => ({ start, end: start + 9, text: names.arguments })),
  ];
}

/** A function that is found through `with` would get its object as `this`. */
function callEdits({ calls, names }: ParsedModule, imports: ImportNames): Edit[] {
  const live = new Set(imports.live);
  const insert = (at: number, text: string) => ({ start: at, end: at, text });
  return calls
    .filter(({ name }) => live.has(name))
    .flatMap(({ start, end }) => [insert(start, `${names.value}(`), insert(end, ")")]);
}

function statementEdits(
  source: string,
  statements: ModuleSyntax["statements"],
  names: Names,
): Edit[] {
  const edits: Edit[] = [];
  if (source.startsWith("#!")) edits.push({ start: 0, end: 2, text: "//" });
  for (const statement of statements) {
    const { start, end } = statement;
    switch (statement.type) {
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        edits.push({ start, end, text: ";" });
        break;
      case "ExportNamedDeclaration":
        edits.push({ start, end: statement.declaration?.start ?? end, text: ";" });
        break;
      case "ExportDefaultDeclaration":
        edits.push(...defaultEdits(source, statement, names.default));
    }
  }
  return edits;
}

function defaultEdits(source: string, statement: ExportDefaultDeclaration, name: string): Edit[] {
  const { start, declaration } = statement;
  const keywordsEnd = start + match(EXPORT_DEFAULT, source, start).length;
  if (/Declaration$/.test(declaration.type) && "id" in declaration && declaration.id) {
    return [{ start, end: declaration.start, text: ";" }];
  }
  if (declaration.type === "FunctionDeclaration") {
    const head = match(FUNCTION_HEAD, source, declaration.start);
    const end = declaration.start + head.length;
    if (LINE_BREAK.test(source.slice(start, end))) {
      return [
        { start, end: declaration.start, text: ";" },
        { start: end, end, text: ` ${name}` },
      ];
    }
    return [{ start, end, text: `;${`${head.trimEnd()} ${name}`.padStart(end - start - 1)}` }];
  }
  if (!isAnonymousFunction(declaration)) {
    return [{ start, end: keywordsEnd, text: `let ${name}=` }];
  }
  // Only as a property does it get the name "default".
  const spaced = source[keywordsEnd] === " " ? keywordsEnd + 1 : keywordsEnd;
  const close = source[statement.end - 1] === ";" ? statement.end - 1 : statement.end;
  return [
    { start, end: spaced, text: `let ${name}={default:` },
    { start: close, end: close, text: "}.default;" },
  ];
}

function isAnonymousFunction(node: AnyNode): boolean {
  switch (node.type) {
    case "ArrowFunctionExpression":
      return true;
    case "FunctionExpression":
    case "ClassExpression":
    case "ClassDeclaration":
      return !node.id;
    default:
      return false;
  }
}

function match(pattern: RegExp, source: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(source)![0];
}

/** Makes the edits; what is replaced keeps its line breaks and, where it is long enough, its length. */
function apply(source: string, edits: Edit[]): string {
  edits.sort((a, b) => a.start - b.start || a.end - b.end);
  let result = "";
  let done = 0;
  for (const { start, end, text } of edits) {
    const rest = source.slice(start, end);
    const covered = rest.slice(0, text.length).replace(NOT_LINE_BREAKS, "");
    const blank = rest.slice(text.length).replace(NOT_LINE_BREAKS, " ");
    result += source.slice(done, start) + text + covered + blank;
    done = end;
  }
  return result + source.slice(done);
}
