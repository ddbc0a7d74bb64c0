/**
 * A plugin of esbuild that decides which imports stay in a built script, and which modules replace those of Node.js.
 */
import { builtinModules } from "node:module";
import path from "node:path";
import type { PluginBuild, ResolveArguments } from "./esbuild";

/** Modules of Node.js that code written for CommonJS requires. */
const REQUIRED = "node-required";

const builtins = new Set(builtinModules);

/** Files that a module rule gives to the worker as they are. */
export interface Rule {
  type: string;
  include: { test(file: string): boolean };
}

/** Rules of code are the build's own business. */
const CODE = new Set(["ESModule", "CommonJS"]);

/** `directory` is that of the script which is built. */
export function externals(directory: string, rules: Rule[]): object {
  return {
    name: "ferroflare",
    setup(build: PluginBuild) {
      build.onResolve({ filter: /^(cloudflare|node|workerd):/ }, leave);
      build.onResolve({ filter: /^[a-z_/]+$/ }, (found) => ofNode(build, found));
      build.onResolve({ filter: /\.[a-z0-9]+(\?module)?$/i }, (found) =>
        asItIs(found, directory, rules),
      );
      build.onLoad({ filter: /./, namespace: REQUIRED }, ({ path: name }) => ({
        contents: `export * from "${name}"; export { default } from "${name}";`,
        loader: "js",
      }));
    },
  };
}

function leave({ path: name, kind }: ResolveArguments): object {
  if (kind === "require-call") return { path: name, namespace: REQUIRED };
  return { path: name, external: true };
}

/** `assert` is `node:assert`, unless a package has that name. */
async function ofNode(build: PluginBuild, found: ResolveArguments): Promise<object | undefined> {
  const { path: name, kind, resolveDir, importer, pluginData } = found;
  if (!builtins.has(name) || pluginData === REQUIRED) return undefined;
  const options = { kind, resolveDir, importer, pluginData: REQUIRED };
  const resolved = await build.resolve(name, options);
  if (resolved.errors.length === 0 && !resolved.external) return undefined;
  return leave({ ...found, path: `node:${name}` });
}

/** Data and WebAssembly are imported by the worker from where they lie. */
function asItIs(
  { path: name, resolveDir }: ResolveArguments,
  directory: string,
  rules: Rule[],
): object | undefined {
  if (!/^\.{0,2}\//.test(name)) return undefined;
  const file = path.resolve(resolveDir, name.replace(/\?module$/, ""));
  const rule = rules.find(({ include }) => include.test(file));
  if (rule === undefined || CODE.has(rule.type)) return undefined;
  const relative = path.relative(directory, file).split(path.sep).join("/");
  return { path: relative.startsWith(".") ? relative : `./${relative}`, external: true };
}
