/** Which classes of Durable Objects a configuration declares, and whether each is SQLite-backed. */
import { didYouMean } from "../shared/nearest";
import { ConfigError } from "./error";
import type { Config, Export, Migration } from "./types";

/** By the name of the class. */
export type DeclaredClasses = Record<string, { sqlite: boolean }>;

/** In these states a class exists here. In all others it is gone, or has never been here. */
const LIVE_STATES = new Set(["created", "expecting-transfer"]);
const STATES = new Set([...LIVE_STATES, "deleted", "renamed", "transferred"]);
const STORAGES = new Set(["sqlite", "legacy-kv"]);

/**
 * Reads `migrations` or `exports`; `undefined` if there are neither.
 *
 * # Errors
 * `ConfigError` if both exist, or if a step cannot follow those before it.
 */
export function declaredClasses({ migrations, exports }: Config): DeclaredClasses | undefined {
  if (migrations !== undefined && exports !== undefined) {
    throw new ConfigError(
      '"exports" and "migrations" exclude each other: a configuration has one of them. Delete "migrations" to use "exports".',
    );
  }
  if (exports !== undefined) return fromExports(exports);
  if (migrations === undefined) return undefined;
  if (!Array.isArray(migrations)) {
    throw new ConfigError('"migrations" must be an array of steps, such as [{ "tag": "v1", … }].');
  }
  const classes = new Map<string, boolean>();
  for (const migration of migrations) apply(migration, classes);
  return asRecord(classes);
}

const STEP_KEYS = [
  "tag",
  "new_classes",
  "new_sqlite_classes",
  "renamed_classes",
  "deleted_classes",
  "transferred_classes",
];

/** # Errors `ConfigError` if a key is nearly one that has an effect. */
function checkKeys(migration: Migration): void {
  for (const key of Object.keys(migration)) {
    const meant = STEP_KEYS.includes(key) ? "" : didYouMean(key, STEP_KEYS);
    if (meant !== "") throw new ConfigError(`"${key}" in "migrations" has no effect.${meant}`);
  }
}

/** The parts of one migration take effect in this order, whatever their order in the file. */
function apply(migration: Migration, classes: Map<string, boolean>): void {
  if (typeof migration !== "object" || migration === null) {
    throw new ConfigError(`A step of "migrations" must be an object, not ${describe(migration)}.`);
  }
  checkKeys(migration);
  for (const name of names(migration, "deleted_classes")) {
    if (!classes.delete(name)) throw nonExistent("deleted_classes", name);
  }
  for (const { from, to } of renames(migration)) {
    const sqlite = classes.get(from);
    if (sqlite === undefined) throw nonExistent("renamed_classes", from);
    classes.delete(from);
    classes.set(to, sqlite);
  }
  for (const step of ["new_classes", "new_sqlite_classes"] as const) {
    for (const name of names(migration, step)) {
      if (classes.has(name)) {
        throw new ConfigError(`Cannot apply ${step} migration to existing class ${name}`);
      }
      classes.set(name, step === "new_sqlite_classes");
    }
  }
}

function nonExistent(step: string, name: string): ConfigError {
  return new ConfigError(`Cannot apply ${step} migration to non-existent class ${name}`);
}

type NameStep = "deleted_classes" | "new_classes" | "new_sqlite_classes";

function names(migration: Migration, step: NameStep): string[] {
  const given: unknown = migration[step] ?? [];
  if (Array.isArray(given) && given.every((name) => typeof name === "string")) return given;
  throw new ConfigError(
    `"${step}" in "migrations" must be an array of class names, not ${describe(given)}.`,
  );
}

function renames({ renamed_classes: given = [] }: Migration): { from: string; to: string }[] {
  const isRename = (item: unknown) => {
    const { from, to } = Object(item);
    return typeof from === "string" && typeof to === "string";
  };
  if (Array.isArray(given) && given.every(isRename)) return given;
  throw new ConfigError(
    `"renamed_classes" in "migrations" must be an array of { "from": "Old", "to": "New" }, not ${describe(given)}.`,
  );
}

function fromExports(exports: Record<string, Export>): DeclaredClasses {
  if (typeof exports !== "object" || exports === null || Array.isArray(exports)) {
    throw new ConfigError('"exports" must be an object of { "type": … } by name of the class.');
  }
  const classes = new Map<string, boolean>();
  for (const [name, value] of Object.entries(exports)) {
    const { type, storage, state = "created" }: Export = Object(value);
    if (type !== "durable-object") continue;
    if (!STATES.has(state)) throw wrong(`exports.${name}.state`, state, STATES);
    if (!LIVE_STATES.has(state)) continue;
    if (storage === undefined || !STORAGES.has(storage)) {
      throw wrong(`exports.${name}.storage`, storage, STORAGES);
    }
    classes.set(name, storage === "sqlite");
  }
  return asRecord(classes);
}

function wrong(key: string, value: unknown, allowed: Set<string>): ConfigError {
  const choice = [...allowed].map((one) => `"${one}"`).join(", ");
  return new ConfigError(`"${key}" must be one of ${choice}, not ${describe(value)}.`);
}

function describe(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function asRecord(classes: Map<string, boolean>): DeclaredClasses {
  return Object.fromEntries([...classes].map(([name, sqlite]) => [name, { sqlite }]));
}
