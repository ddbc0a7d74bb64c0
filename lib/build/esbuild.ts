/** Finds esbuild, an optional package: that of the project, or that beside this package. */
import { createRequire } from "node:module";
import path from "node:path";
import { BuildError, type Problem } from "./error";

/** What is used of esbuild; its types are not referred to, because it may be missing. */
export interface Esbuild {
  build(options: object): Promise<BuildResult>;
}

interface BuildResult {
  outputFiles: { path: string; text: string }[];
  metafile: { inputs: Record<string, unknown>; outputs: Record<string, { exports: string[] }> };
}

export interface ResolveArguments {
  path: string;
  kind: string;
  resolveDir: string;
  importer: string;
  pluginData?: unknown;
}

/** What a plugin of esbuild does when it is set up. */
export interface PluginBuild {
  onResolve(
    options: { filter: RegExp; namespace?: string },
    callback: (found: ResolveArguments) => unknown,
  ): void;
  onLoad(
    options: { filter: RegExp; namespace?: string },
    callback: (found: { path: string }) => unknown,
  ): void;
  resolve(
    path: string,
    options: object,
  ): Promise<{ path: string; errors: Problem[]; external: boolean }>;
}

/**
 * # Errors
 * `BuildError` that names the command to install it.
 */
export function loadEsbuild(entry: string, rootPath: string): Esbuild {
  for (const place of [entry, path.join(rootPath, "package.json"), __filename]) {
    const requireFrom = createRequire(place);
    let file: string;
    try {
      file = requireFrom.resolve("esbuild");
    } catch {
      continue;
    }
    return requireFrom(file);
  }
  const shown = path.relative("", entry);
  throw new BuildError(
    `Cannot build "${shown}": esbuild is not installed. Install it: npm install --save-dev esbuild`,
  );
}
