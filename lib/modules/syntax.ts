/** Reads what linking needs to know of a module's source: its imports, its exports, and the places to rewrite. */
import {
  type AnyNode,
  getLineInfo,
  type ImportDeclaration,
  type ModuleDeclaration,
  type Program,
  type Token,
} from "acorn";
import { parseModule } from "./parser";
import { addTargets, type Places, Walk } from "./walk";

/** The local name of an anonymous default export. No identifier looks like it. */
export const DEFAULT_LOCAL = "*default*";
/** What `import * as name` imports: the namespace of the module. */
export const NAMESPACE = Symbol("namespace");

export interface ImportEntry {
  specifier: string;
  imported: string | typeof NAMESPACE;
  local: string;
}

export interface LocalExport {
  exported: string;
  local: string;
}

export interface IndirectExport {
  exported: string;
  specifier: string;
  imported: string | typeof NAMESPACE;
}

export interface ModuleSyntax {
  /** The specifiers of static imports and re-exports: once each, in the order of the source. */
  requests: string[];
  imports: ImportEntry[];
  localExports: LocalExport[];
  indirectExports: IndirectExport[];
  /** The specifiers of `export * from`. */
  starExports: string[];
  /** Whether the module awaits at its top level. */
  awaits: boolean;
  /** The names of variables that are assigned to after their declaration, in whatever scope. */
  assigned: Set<string>;
  /** Whether code is evaluated that may assign to any variable. */
  evals: boolean;
  /** The functions that exist before the module is evaluated. */
  functions: Set<string>;
  /** Every identifier of the source, so that new ones can be chosen beside them. */
  names: Set<string>;
  statements: Program["body"];
  places: Places;
}

/** Returns the syntax of a module. Throws acorn's `SyntaxError` if it is none. */
export function readSyntax(source: string): ModuleSyntax {
  const onToken = ({ start }: Token) => {
    if (source.startsWith("<!--", start)) refuseComment(source, start);
  };
  const program = parseModule(source, source.includes("<!--") ? onToken : undefined);
  const walk = new Walk(program);
  return {
    ...readDeclarations(program),
    awaits: walk.awaits,
    assigned: walk.assigned,
    evals: walk.evals,
    names: walk.names,
    statements: program.body,
    places: walk.places,
  };
}

/** V8 refuses in modules what it takes for a comment in scripts. */
function refuseComment(source: string, at: number): never {
  const error = new SyntaxError("HTML comments are not allowed in modules");
  throw Object.assign(error, { loc: getLineInfo(source, at) });
}

type Exports = Pick<ModuleSyntax, "localExports" | "indirectExports" | "starExports">;
type Declarations = Exports & Pick<ModuleSyntax, "requests" | "imports" | "functions">;

function nameOf(node: { type: string }): string {
  const { name, value } = node as { name?: string; value?: string };
  return (name ?? value) as string;
}

function readDeclarations(program: Program): Declarations {
  const requests = new Set<string>();
  const functions = new Set<string>();
  const imports: ImportEntry[] = [];
  const found: Exports = { localExports: [], indirectExports: [], starExports: [] };
  for (const statement of program.body) {
    const declared = "declaration" in statement ? statement.declaration : statement;
    if (declared?.type === "FunctionDeclaration") functions.add(declared.id?.name ?? DEFAULT_LOCAL);
    if ("source" in statement && statement.source) requests.add(statement.source.value as string);
    if (statement.type === "ImportDeclaration") imports.push(...importsOf(statement));
    else readExport(statement as ModuleDeclaration, found);
  }
  return { requests: [...requests], imports, functions, ...withoutImported(found, imports) };
}

function importsOf({ source, specifiers }: ImportDeclaration): ImportEntry[] {
  const specifier = source.value as string;
  return specifiers.map((part) => {
    const local = part.local.name;
    if (part.type === "ImportSpecifier") {
      return { specifier, imported: nameOf(part.imported), local };
    }
    const imported = part.type === "ImportDefaultSpecifier" ? "default" : NAMESPACE;
    return { specifier, imported, local };
  });
}

function readExport(statement: ModuleDeclaration, found: Exports): void {
  const { localExports, indirectExports, starExports } = found;
  switch (statement.type) {
    case "ExportAllDeclaration": {
      const specifier = statement.source.value as string;
      if (!statement.exported) starExports.push(specifier);
      else {
        const exported = nameOf(statement.exported);
        indirectExports.push({ exported, specifier, imported: NAMESPACE });
      }
      return;
    }
    case "ExportDefaultDeclaration": {
      const { declaration } = statement;
      const named = /Declaration$/.test(declaration.type) && "id" in declaration && declaration.id;
      localExports.push({ exported: "default", local: named ? named.name : DEFAULT_LOCAL });
      return;
    }
    case "ExportNamedDeclaration":
      for (const local of declaredNames(statement.declaration)) {
        localExports.push({ exported: local, local });
      }
      for (const part of statement.specifiers) {
        const local = nameOf(part.local);
        const exported = nameOf(part.exported);
        const specifier = statement.source?.value as string | undefined;
        if (specifier === undefined) localExports.push({ exported, local });
        else indirectExports.push({ exported, specifier, imported: local });
      }
  }
}

/** An export of an import is an export of what was imported. */
function withoutImported(found: Exports, imports: ImportEntry[]): Exports {
  const imported = new Map(imports.map((entry) => [entry.local, entry]));
  const indirectExports = [...found.indirectExports];
  const localExports = found.localExports.filter(({ exported, local }) => {
    const entry = imported.get(local);
    if (entry === undefined) return true;
    indirectExports.push({ exported, specifier: entry.specifier, imported: entry.imported });
    return false;
  });
  return { ...found, localExports, indirectExports };
}

function declaredNames(declaration: AnyNode | null | undefined): Set<string> {
  const names = new Set<string>();
  if (declaration?.type === "VariableDeclaration") {
    for (const { id } of declaration.declarations) addTargets(id, names);
  } else if (declaration && "id" in declaration && declaration.id) {
    addTargets(declaration.id as AnyNode, names);
  }
  return names;
}
