/** What this package reads of a configuration file beyond what Miniflare 2 does. */
import type { WranglerConfig } from "@miniflare/shared";

export interface Migration {
  tag?: string;
  deleted_classes?: string[];
  renamed_classes?: { from: string; to: string }[];
  new_classes?: string[];
  new_sqlite_classes?: string[];
}

export interface Export {
  type?: string;
  storage?: string;
  state?: string;
}

export interface Rule {
  type: string;
  globs: string[];
  fallthrough?: boolean;
}

/** Values are what a user wrote: their types have to be checked. */
export type Config = Omit<WranglerConfig, "env"> & {
  env?: Record<string, Config>;
  main?: string;
  migrations?: Migration[];
  exports?: Record<string, Export>;
  rules?: Rule[];
  [key: string | symbol]: unknown;
};
