/** Says which classes are SQLite-backed, from all that configures it, and makes the storages of their objects. */
import type { Context } from "@miniflare/shared";
import type { DeclaredClasses } from "../config/classes";
import { DurableObjectError } from "../shared/error";
import { isRedisUrl } from "../shared/redis-url";
import type { BoundClass } from "./classes";
import type { BoundObject } from "./options";

/** Classes of a worker, by name, as far as its configuration says whether they are SQLite-backed. */
export type SqliteClasses = ReadonlyMap<string, boolean>;

/** By the exports of a worker's script. */
const classesOf = new WeakMap<object, SqliteClasses>();

interface Configured {
  objects: readonly BoundObject[];
  declared: DeclaredClasses | undefined;
  /** The bindings that `--do-sqlite` names. */
  names: readonly string[] | undefined;
}

/**
 * The classes that a worker defines and binds.
 *
 * # Errors
 * `ERR_OPTION` if two places contradict each other, or a name is that of no binding.
 */
export function sqliteClasses({ objects, declared, names = [] }: Configured): SqliteClasses {
  const classes = new Map<string, { sqlite: boolean; by: string }>();
  const note = (className: string, sqlite: boolean, by: string) => {
    const known = classes.get(className);
    if (known !== undefined && known.sqlite !== sqlite) throw disagree(className, known.by, by);
    classes.set(className, { sqlite, by });
  };
  for (const [className, { sqlite }] of Object.entries(declared ?? {})) {
    note(
      className,
      sqlite,
      sqlite ? "the new SQLite classes of the configuration" : "its new_classes",
    );
  }
  for (const { name, className, scriptName, useSQLite } of objects) {
    if (scriptName !== undefined || useSQLite === undefined) continue;
    note(className, useSQLite, `durableObjects.${name}.useSQLite: ${useSQLite}`);
  }
  for (const name of names) {
    const object = objects.find((one) => one.name === name);
    if (object === undefined) throw unknownName(name, objects);
    if (object.scriptName === undefined) note(object.className, true, `--do-sqlite ${name}`);
  }
  return new Map([...classes].map(([className, { sqlite }]) => [className, sqlite]));
}

/** Remembers what a worker says of its classes, for the workers that bind them from it. */
export function noteSqliteClasses(exports: Context, classes: SqliteClasses): void {
  classesOf.set(exports, classes);
}

/**
 * Whether the objects of a binding are SQLite-backed: the worker that defines the class decides. A worker that is mounted
 * is known when its script has run.
 *
 * # Errors
 * `ERR_OPTION` if the binding contradicts that worker.
 */
export function isSqliteBinding(object: BoundObject, { exports }: BoundClass): boolean {
  const { name, className, scriptName, useSQLite } = object;
  const defined = classesOf.get(exports)?.get(className);
  if (useSQLite !== undefined && defined !== undefined && useSQLite !== defined) {
    throw disagree(className, `durableObjects.${name}.useSQLite`, `the worker "${scriptName}"`);
  }
  return defined ?? useSQLite ?? false;
}

/** # Errors `ERR_SQL_REDIS` if the objects of a SQLite-backed class are to be kept in Redis. */
export function checkNotInRedis(
  persist: boolean | string | undefined,
  { name, className }: BoundObject,
): void {
  if (typeof persist !== "string" || !isRedisUrl(persist)) return;
  throw new DurableObjectError(
    "ERR_SQL_REDIS",
    `The class "${className}" of Durable Object "${name}" is SQLite-backed, and durableObjectsPersist (--do-persist) is a Redis, which keeps no SQLite databases. ` +
      "Give durableObjectsPersist a directory, or make the class KV-backed: new_classes in the place of new_sqlite_classes, or useSQLite: false.",
  );
}

function disagree(className: string, one: string, other: string): DurableObjectError {
  return new DurableObjectError(
    "ERR_OPTION",
    `Whether the class "${className}" is SQLite-backed is said in two ways: by ${one}, and otherwise by ${other}. Change one of them.`,
  );
}

function unknownName(name: string, objects: readonly BoundObject[]): DurableObjectError {
  const known = objects.map((object) => object.name).join(", ");
  return new DurableObjectError(
    "ERR_OPTION",
    `Invalid value for durableObjectsSqlite (--do-sqlite): ${JSON.stringify(name)} (expected the name of a Durable Object binding${known && `: ${known}`})`,
  );
}
