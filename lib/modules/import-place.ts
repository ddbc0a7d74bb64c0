/** Finds the import or re-export that a linker has refused: V8's error names neither its file nor its line. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { getLineInfo, type ImportSpecifier, type Program } from "acorn";
import { parseModule } from "./parser";
import { readSyntax } from "./syntax";

export interface ModuleText {
  file: string;
  code: string;
}

const REFUSED =
  /^The requested module '(.+)' (?:does not provide an export named|contains conflicting star exports for name) '(.+?)'/;

/**
 * File, line, source line and marker of what the message of a `SyntaxError` refuses; `undefined` if it refuses no import,
 * or none of the modules has such a one.
 */
export function findRefusedImport(
  message: string,
  modules: Iterable<ModuleText>,
): string | undefined {
  const [, specifier, name] = REFUSED.exec(message) ?? [];
  if (specifier === undefined || name === undefined) return undefined;
  let found: string | undefined;
  for (const module of modules) {
    const place = placeOf(module, specifier, name);
    if (place === undefined) continue;
    if (lacks(path.resolve(path.dirname(module.file), specifier), name)) return place;
    found ??= place;
  }
  return found;
}

function placeOf({ file, code }: ModuleText, specifier: string, name: string): string | undefined {
  const node = specifiers(code, specifier).find((one) => nameOf(one) === name);
  if (node === undefined) return undefined;
  const { line, column } = getLineInfo(code, node.start);
  const source = code.split(/\r\n|[\n\r\u2028\u2029]/)[line - 1] ?? "";
  const length = Math.max(1, Math.min(node.end - node.start, source.length - column));
  const indent = source.slice(0, column).replace(/[^\t]/g, " ");
  return `${file}:${line}\n${source}\n${indent}${"^".repeat(length)}`;
}

type Specifier = Program["body"][number] extends infer Node
  ? Node extends { specifiers: (infer One)[]; source?: unknown }
    ? One
    : never
  : never;

/** What is imported or exported from a module by name. */
function specifiers(code: string, from: string): Specifier[] {
  let body: Program["body"];
  try {
    body = parseModule(code, undefined).body;
  } catch {
    return [];
  }
  return body.flatMap((node) =>
    "specifiers" in node && node.source?.value === from ? (node.specifiers as Specifier[]) : [],
  );
}

function nameOf(node: Specifier): string | undefined {
  if (node.type === "ImportDefaultSpecifier") return "default";
  if (node.type === "ImportNamespaceSpecifier") return undefined;
  const { imported } = node as ImportSpecifier;
  const named = node.type === "ExportSpecifier" ? node.local : imported;
  return named.type === "Identifier" ? named.name : String(named.value);
}

/** Whether a module surely has no export of that name. */
function lacks(file: string, name: string): boolean {
  try {
    const { localExports, indirectExports, starExports } = readSyntax(readFileSync(file, "utf8"));
    const exported = [...localExports, ...indirectExports];
    return starExports.length === 0 && !exported.some((one) => one.exported === name);
  } catch {
    return false;
  }
}
