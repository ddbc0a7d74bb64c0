/** Looks at a script before it runs: whether it is a module, and whether it has to be built. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "acorn";

export function isTypeScript(file: string): boolean {
  return /\.(ts|mts|cts|tsx|jsx)$/i.test(file);
}

/** A line that only a module can have; more lines than that have it, too, in comments and templates. */
const MODULE_LINE =
  /^[ \t]*(?:import\s*(?:["'{*]|[\w$]+\s*(?:,|\s+from\b|\s+[\w$]+))|export\s*(?:[{*]|\w))/m;
/** What follows `from` and `import`. */
const SPECIFIER = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']/g;

/** Modules that the runtime provides, with or without a build. */
const OWN_MODULES = /^(cloudflare|node|workerd):/;

/** Whether code imports or exports anything. */
export function isModule(code: string, file: string): boolean {
  if (!/\b(?:import|export)\b/.test(code)) return false;
  if (isTypeScript(file)) return MODULE_LINE.test(code);
  const body = bodyOf(code, "module");
  if (body !== undefined) {
    return body.some(({ type }) => type === "ImportDeclaration" || type.startsWith("Export"));
  }
  // Code that is no module may be a script. Code that is neither shows a better error as the one that it looks like.
  return bodyOf(code, "script") === undefined && MODULE_LINE.test(code);
}

/** The statements of code, or `undefined` if it cannot be parsed. */
function bodyOf(code: string, sourceType: "module" | "script"): { type: string }[] | undefined {
  try {
    return parse(code, { ecmaVersion: "latest", sourceType }).body;
  } catch {
    return undefined;
  }
}

/** Names of packages and files that code may import; more than it does, for strings and comments count too. */
function possibleImports(code: string): string[] {
  return [...code.matchAll(SPECIFIER)].map(([, name]) => name!);
}

/** Names of packages and files that code imports. */
export function importsOf(code: string): string[] {
  const possible = possibleImports(code);
  if (possible.every((name) => OWN_MODULES.test(name))) return [];
  try {
    const names: string[] = [];
    collect(parse(code, { ecmaVersion: "latest", sourceType: "module" }), names);
    return names;
  } catch {
    return possible;
  }
}

interface Syntax {
  type?: string;
  source?: { value?: unknown } | null;
}

function collect(node: unknown, names: string[]): void {
  if (typeof node !== "object" || node === null) return;
  const { type = "", source } = node as Syntax;
  if (/^(Import|Export)/.test(type) && typeof source?.value === "string") names.push(source.value);
  for (const child of Object.values(node)) collect(child, names);
}

/**
 * Whether a script has to be built. TypeScript has to be. So has a script with an import of an installed package, or of
 * a source that Miniflare's linker cannot take. The files that it imports count too. `asWrangler` builds whatever is
 * not a single file.
 */
export function needsBuild(file: string, code: string, asWrangler: boolean): boolean {
  if (isTypeScript(file)) return true;
  const seen = new Set<string>([file]);
  const queue: [string, string][] = [[file, code]];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const [from, text] = next;
    for (const name of importsOf(text)) {
      if (OWN_MODULES.test(name)) continue;
      const target = path.resolve(path.dirname(from), name);
      if (isPath(name)) {
        if (asWrangler && !/\.mjs$/.test(name) && isSource(target)) return true;
        if (isTypeScript(target) && existsSync(target)) return true;
      }
      if (!isPath(name) && !existsSync(target) && isInstalled(name, from)) return true;
      if (seen.has(target) || !/\.mjs$/i.test(target)) continue;
      seen.add(target);
      const read = textOf(target);
      if (read !== undefined) queue.push([target, read]);
    }
  }
  return false;
}

function isPath(name: string): boolean {
  return /^\.{0,2}\//.test(name);
}

/** A file of code, or what stands for one without an ending. */
function isSource(target: string): boolean {
  const ending = path.extname(target);
  return ending === "" || /^\.(js|cjs|ts|mts|cts|tsx|jsx|json)$/i.test(ending);
}

/** Whether a package lies in `node_modules` in or above the directory of a file. */
function isInstalled(name: string, from: string): boolean {
  const [scope = "", rest = ""] = name.split("/", 2);
  const packageName = scope.startsWith("@") ? `${scope}/${rest}` : scope;
  for (let at = path.dirname(from); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, "node_modules", packageName, "package.json"))) return true;
    if (at === path.dirname(at)) return false;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
