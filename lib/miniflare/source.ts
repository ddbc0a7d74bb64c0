/** Makes a script runnable: a script that has to be built is built when it is about to run. */
import path from "node:path";
import type { ScriptBlueprint } from "@miniflare/shared";
import { type BuildOptions, bundle } from "../build/bundle";
import { needsBuild } from "../build/script";

/** On a script that comes from a file: how it becomes one that can be run. */
export const kSource = Symbol("ferroflare.source");

export interface Source {
  /** The error of reading the file, for a script that is only needed if it runs. */
  missing?: unknown;
  build?: Omit<BuildOptions, "entry">;
  /** Whether it is built as wrangler does, so that every import is a module. */
  asWrangler?: boolean;
  /** Whether it is not built at all, unless it is TypeScript. */
  asItIs?: boolean;
}

/** A script that can be run. */
export interface Runnable extends ScriptBlueprint {
  /** The files that it was built of. */
  inputs: string[];
  /** The script that it was built of, if it was built. */
  entry: string | undefined;
}

const ready = new WeakSet<ScriptBlueprint>();

/**
 * # Errors
 * That of reading the file, or a `BuildError`.
 */
export async function runnable(script: ScriptBlueprint): Promise<Runnable> {
  if (ready.has(script)) return script as Runnable;
  const made = await make(script);
  ready.add(made);
  return made;
}

async function make(script: ScriptBlueprint): Promise<Runnable> {
  const { filePath, code } = script;
  const source = (script as { [kSource]?: Source })[kSource];
  if (source?.missing !== undefined) throw source.missing;
  const asItIs = { filePath, code, inputs: [], entry: undefined };
  if (source?.build === undefined) return asItIs;
  if (!needsBuild(filePath, source.asItIs ? "" : code, source.asWrangler ?? false)) return asItIs;
  return { ...(await bundle({ ...source.build, entry: filePath })), entry: filePath };
}

/** An error of linking names the script that the user has written, not the one that was built. */
export function nameEntry(thrown: Error, { filePath, entry }: Runnable): void {
  if (entry === undefined) return;
  const name = path.relative("", filePath);
  thrown.message = thrown.message.split(name).join(path.relative("", entry));
}
