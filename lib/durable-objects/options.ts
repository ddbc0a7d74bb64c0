/** Reads the plugin's options: the shape of each, where it comes from, and one clear error for a value it cannot have. */
import { types } from "node:util";
import { type OptionMetadata, OptionType } from "@miniflare/shared";
import { type DeclaredClasses, declaredClasses } from "../config/classes";
import { ConfigError } from "../config/error";
import type { Config as ConfigFile } from "../config/types";
import { limits } from "../native/addon";
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from "../native/stores";
import { DurableObjectError } from "../shared/error";
import { didYouMean } from "../shared/nearest";
import { wrongScheme } from "../shared/place-scheme";

export type DurableObjectsObjectsOptions = Record<
  string,
  string | { className: string; scriptName?: string; useSQLite?: boolean }
>;

export interface DurableObjectsOptions {
  /** The classes to bind, by the name of the binding. */
  durableObjects?: DurableObjectsObjectsOptions;
  /** Where data is kept: in memory, under `./.mf/do` (true), in a directory, or in Redis. */
  durableObjectsPersist?: boolean | string;
  /** Whether alarms fire; true by default. They can be set and read in any case. */
  durableObjectsAlarms?: boolean;
  /** The most bytes that one value may take; 32,768 by default. */
  durableObjectsMaxValueSize?: number;
  /** What a write on disk waits for: "fsync" (the default) survives power loss, "process" survives `kill -9`. */
  durableObjectsDurability?: Durability;
  /** The most objects whose files are open at once; 256 by default. */
  durableObjectsMaxOpen?: number;
  /** The classes that `migrations` or `exports` of a configuration declare, and whether each is SQLite-backed. */
  durableObjectsClasses?: DeclaredClasses;
  /** The bindings whose classes are SQLite-backed, beside those with `useSQLite` and those that a configuration declares. */
  durableObjectsSqlite?: string[];
}

export type Durability = "fsync" | "process";

/** One bound class. */
export interface BoundObject {
  name: string;
  className: string;
  scriptName: string | undefined;
  /** Whether the class is SQLite-backed, if the binding says so. */
  useSQLite: boolean | undefined;
}

/** What `[miniflare]` may hold beside Miniflare 2's own options. */
type Config = {
  durable_objects_max_value_size?: number;
  durable_objects_durability?: string;
  durable_objects_max_open?: number;
};

export const objectsOption: OptionMetadata = {
  type: OptionType.OBJECT,
  typeFormat: "NAME=CLASS[@MOUNT]",
  name: "do",
  alias: "o",
  description: "Durable Object to bind",
  fromEntries: (entries) => Object.fromEntries(entries.map(parseBinding)),
  fromWrangler: ({ durable_objects }) => {
    const bindings: unknown = durable_objects?.bindings;
    if (!bindings) return bindings;
    if (!Array.isArray(bindings)) throw wrongBindings(bindings);
    return Object.fromEntries(bindings.map(boundInConfig));
  },
};

type ConfigBinding = { name?: unknown; class_name?: unknown; script_name?: string };

function boundInConfig(binding: unknown): [string, DurableObjectsObjectsOptions[string]] {
  const { name, class_name: className, script_name: scriptName }: ConfigBinding = Object(binding);
  if (typeof name !== "string" || typeof className !== "string") throw wrongBindings(binding);
  return [name, { className, scriptName }];
}

function wrongBindings(value: unknown): ConfigError {
  return new ConfigError(
    `"durable_objects.bindings" must be an array of { "name": "ROOM", "class_name": "Room" }, not ${JSON.stringify(value)}.`,
  );
}

export const classesOption: OptionMetadata = {
  type: OptionType.NONE,
  fromWrangler: (config) => declaredClasses(config as unknown as ConfigFile),
};

export const sqliteOption: OptionMetadata = {
  type: OptionType.ARRAY,
  name: "do-sqlite",
  description: "Durable Object binding whose class is SQLite-backed",
  logName: "SQLite-backed Durable Objects",
  logValue: (names) => String(names),
};

export const persistOption: OptionMetadata = {
  type: OptionType.BOOLEAN_STRING,
  name: "do-persist",
  description: "Persist Durable Object data (to optional path)",
  logName: "Durable Objects Persistence",
  fromWrangler: ({ miniflare }) => miniflare?.durable_objects_persist,
};

export const alarmsOption: OptionMetadata = {
  type: OptionType.BOOLEAN,
  name: "do-alarms",
  description: "Enable Durable Object alarms (enabled by default)",
  negatable: true,
  logName: "Durable Object Alarms",
  fromWrangler: ({ miniflare }) => miniflare?.durable_objects_alarms,
};

export const maxValueSizeOption: OptionMetadata = {
  type: OptionType.NUMBER,
  name: "do-max-value-size",
  description: "Most bytes in a Durable Object value (32768 by default)",
  logName: "Durable Object Value Size",
  fromWrangler: ({ miniflare }) =>
    (miniflare as Config | undefined)?.durable_objects_max_value_size,
};

export const durabilityOption: OptionMetadata = {
  type: OptionType.STRING,
  name: "do-durability",
  description: 'What a write to files waits for, "fsync" (default) or "process"',
  logName: "Durable Object Durability",
  fromWrangler: ({ miniflare }) => (miniflare as Config | undefined)?.durable_objects_durability,
};

export const maxOpenOption: OptionMetadata = {
  type: OptionType.NUMBER,
  name: "do-max-open",
  description: "Most Durable Objects whose files are open at once (256 by default)",
  logName: "Durable Objects Open",
  fromWrangler: ({ miniflare }) => (miniflare as Config | undefined)?.durable_objects_max_open,
};

/** Reads `NAME=CLASS@MOUNT`; a mount's name has no `@`, a class name might. */
function parseBinding([name, target]: [string, string]): [
  string,
  DurableObjectsObjectsOptions[string],
] {
  const at = target.lastIndexOf("@");
  if (at === -1) return [name, target];
  return [name, { className: target.slice(0, at), scriptName: target.slice(at + 1) }];
}

function invalid(option: string, value: unknown, expected: string): DurableObjectError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new DurableObjectError(
    "ERR_OPTION",
    `Invalid value for ${option}: ${shown} (expected ${expected})`,
  );
}

export function boundObjects(objects: DurableObjectsObjectsOptions | undefined): BoundObject[] {
  if (objects === undefined || objects === null) return [];
  if (typeof objects !== "object" || Array.isArray(objects) || types.isMap(objects)) {
    throw invalid("durableObjects", objects, "an object of NAME: class name");
  }
  return Object.entries(objects).map(([name, target]) => {
    if (typeof target === "string") {
      return { name, className: target, scriptName: undefined, useSQLite: undefined };
    }
    if (typeof target !== "object" || target === null) {
      throw invalid(`durableObjects.${name}`, target, "a class name or { className, scriptName }");
    }
    const { className, scriptName, useSQLite } = target;
    checkKeys(name, target);
    if (typeof className !== "string") {
      throw invalid(`durableObjects.${name}.className`, className, "the name of a class");
    }
    if (scriptName !== undefined && scriptName !== null && typeof scriptName !== "string") {
      throw invalid(`durableObjects.${name}.scriptName`, scriptName, "the name of a mount");
    }
    if (useSQLite !== undefined && typeof useSQLite !== "boolean") {
      throw invalid(`durableObjects.${name}.useSQLite`, useSQLite, "true or false");
    }
    return { name, className, scriptName, useSQLite };
  });
}

const OBJECT_KEYS = ["className", "scriptName", "useSQLite"];

/** Other keys are left alone: Miniflare 4 has more. */
function checkKeys(name: string, target: object): void {
  for (const key of Object.keys(target)) {
    const place = `durableObjects.${name}`;
    const shown = (meant: string) => `${place}.${meant}`;
    const meant = OBJECT_KEYS.includes(key) ? "" : didYouMean(key, OBJECT_KEYS, shown);
    if (meant === "") continue;
    const message = `Unknown option "${shown(key)}".${meant}`;
    throw new DurableObjectError("ERR_OPTION", message);
  }
}

/** The names that `durableObjectsSqlite` may hold. */
export function checkSqliteNames(names: unknown): string[] | undefined {
  if (names === undefined || names === null) return undefined;
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  throw invalid("durableObjectsSqlite (--do-sqlite)", names, "an array of names of bindings");
}

export function checkPersist(
  persist: boolean | string | undefined | null,
): boolean | string | undefined {
  if (persist === undefined || persist === null) return undefined;
  if (typeof persist === "boolean") return persist;
  if (typeof persist === "string" && persist !== "") {
    const wrong = wrongScheme(persist);
    if (wrong === undefined) return persist;
    throw new DurableObjectError("ERR_OPTION", `durableObjectsPersist (--do-persist): ${wrong}`);
  }
  throw invalid("durableObjectsPersist", persist, "true, false, a path or a redis:// URL");
}

/** # Errors `ERR_OPTION` for what is neither true nor false. */
export function checkAlarms(alarms: unknown): void {
  if (alarms === undefined || alarms === null || typeof alarms === "boolean") return;
  throw invalid("durableObjectsAlarms (--do-alarms)", alarms, "true or false");
}

export function valueBytesMax(size: number | undefined | null): number {
  if (size === undefined || size === null) return limits.valueBytesDefault;
  if (Number.isInteger(size) && size >= 1 && size <= limits.valueBytesCeiling) return size;
  throw invalid(
    "durableObjectsMaxValueSize (--do-max-value-size)",
    size,
    `a whole number of bytes from 1 to ${limits.valueBytesCeiling}`,
  );
}

export function storeOptions(
  durability: string | undefined | null,
  openObjectsMax: number | undefined | null,
): StoreOptions {
  if (durability !== undefined && durability !== null && !/^(fsync|process)$/.test(durability)) {
    throw invalid("durableObjectsDurability (--do-durability)", durability, '"fsync" or "process"');
  }
  const most = openObjectsMax ?? DEFAULT_STORE_OPTIONS.openObjectsMax;
  if (!Number.isInteger(most) || most < 1) {
    throw invalid("durableObjectsMaxOpen (--do-max-open)", openObjectsMax, "a whole number from 1");
  }
  return { fsync: durability !== "process", openObjectsMax: most };
}
