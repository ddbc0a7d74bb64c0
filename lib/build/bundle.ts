/** Builds a script and what it imports into one, in memory. */
import { statSync } from "node:fs";
import path from "node:path";
import { buildError } from "./error";
import { loadEsbuild } from "./esbuild";
import { externals, type Rule } from "./externals";
import { noteSourceMap } from "./source-maps";

export interface BuildOptions {
  entry: string;
  rootPath: string;
  rules: Rule[];
  define?: Record<string, string>;
  alias?: Record<string, string>;
  tsconfig?: string;
  jsxFactory?: string;
  jsxFragment?: string;
  keepNames?: boolean;
}

export interface Built {
  /** The name that the code runs under, beside the entry. */
  filePath: string;
  code: string;
  /** The sources, without those of packages. */
  inputs: string[];
}

interface Kept {
  built: Built;
  /** What `stamp` said of all sources when they were read. */
  stamps: Map<string, string>;
}

/** Test runners make a worker for each file of tests: the last builds are kept while their sources stay the same. */
const kept = new Map<string, Kept>();
const KEPT_MAX = 8;

/** How a script that was built is called: no file has this name. */
export function builtName(entry: string): string {
  return `${entry}.bundle.mjs`;
}

/**
 * # Errors
 * `BuildError`: esbuild is missing, or the sources are wrong, with each place.
 */
export async function bundle(options: BuildOptions): Promise<Built> {
  const rules = options.rules.map(({ type, include }) => [type, String(include)]);
  const key = JSON.stringify({ ...options, rules });
  const known = kept.get(key);
  if (known !== undefined && isFresh(known)) return known.built;
  const { built, sources } = await build(options);
  kept.delete(key);
  kept.set(key, { built, stamps: new Map(sources.map((file) => [file, stamp(file)])) });
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(oldest);
  }
  return built;
}

function isFresh({ stamps }: Kept): boolean {
  return [...stamps].every(([file, before]) => stamp(file) === before);
}

function stamp(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.mtimeMs} ${found.size} ${found.ino}`;
}

async function build(options: BuildOptions): Promise<{ built: Built; sources: string[] }> {
  const { entry, rootPath } = options;
  const root = path.resolve(rootPath);
  const esbuild = loadEsbuild(entry, root);
  const outfile = builtName(entry);
  let result: Awaited<ReturnType<typeof esbuild.build>>;
  try {
    result = await esbuild.build(esbuildOptions(options, root, outfile));
  } catch (error) {
    throw buildError(path.relative("", entry), root, error);
  }
  const text = (ending: string) =>
    result.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  noteSourceMap(outfile, text(".map"));
  const sources = Object.keys(result.metafile.inputs)
    .filter((input) => !/^[\w-]+:/.test(input) || path.isAbsolute(input))
    .map((input) => path.resolve(root, input));
  const inputs = sources.filter((file) => !file.split(path.sep).includes("node_modules"));
  return { built: { filePath: outfile, code: text(".mjs"), inputs }, sources };
}

/** As wrangler builds workers, for the syntax that this Node.js knows. */
function esbuildOptions(options: BuildOptions, root: string, outfile: string): object {
  const { entry, rules, define, alias, tsconfig, jsxFactory, jsxFragment } = options;
  return {
    entryPoints: [entry],
    outfile,
    absWorkingDir: root,
    write: false,
    bundle: true,
    metafile: true,
    format: "esm",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    target: `node${process.versions.node}`,
    sourcemap: "external",
    sourcesContent: false,
    keepNames: options.keepNames ?? true,
    loader: { ".js": "jsx", ".mjs": "jsx", ".cjs": "jsx" },
    define: { "navigator.userAgent": '"Cloudflare-Workers"', ...define },
    ...(alias === undefined ? {} : { alias }),
    ...(tsconfig === undefined ? {} : { tsconfig }),
    ...(jsxFactory === undefined ? {} : { jsxFactory }),
    ...(jsxFragment === undefined ? {} : { jsxFragment }),
    plugins: [externals(path.dirname(entry), rules)],
    logLevel: "silent",
    logOverride: { "unsupported-dynamic-import": "silent" },
  };
}
