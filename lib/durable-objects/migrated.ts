/** Finds classes that the migrations of a configuration leave, and that the configured script does not export. */
import type { Compatibility, Context } from "@miniflare/shared";
import type { DeclaredClasses } from "../config/classes";
import { didYouMean } from "../shared/nearest";

interface Migrated {
  classes: DeclaredClasses;
  /** How the configuration file is called. */
  file: string;
}

/** By what the plugins of one worker have in common, and no other worker. */
const migrated = new WeakMap<Compatibility, Migrated>();
const told = new WeakMap<Compatibility, Set<string>>();

/** The script of this worker is the configured one, unless `what` is `undefined`. */
export function noteMigrated(compat: Compatibility, what: Migrated | undefined): void {
  if (what === undefined) migrated.delete(compat);
  else migrated.set(compat, what);
}

/** A line to warn of for each class that is missing, each once. */
export function missingClasses(compat: Compatibility, exports: Context): string[] {
  const { classes, file } = migrated.get(compat) ?? { classes: {}, file: "" };
  const known = told.get(compat) ?? new Set();
  told.set(compat, known);
  const lines = Object.entries(classes)
    .filter(([name]) => !exports[name])
    .map(([name, { sqlite }]) => {
      const key = sqlite ? "new_sqlite_classes" : "new_classes";
      const names = Object.keys(exports).filter((one) => one !== "default");
      return `The class "${name}" (${key} of "migrations" in ${file}) is missing: the script does not export it.${didYouMean(name, names)} Export it, or correct "migrations".`;
    })
    .filter((line) => !known.has(line));
  for (const line of lines) known.add(line);
  return lines;
}
