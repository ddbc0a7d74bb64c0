/** The options of the `Miniflare` class: those of every plugin, and its own. */
import type { CacheOptions } from "@miniflare/cache";
import type { BindingsOptions, BuildOptions, CoreOptions } from "@miniflare/core";
import type { D1Options } from "@miniflare/d1";
import type { HTTPOptions } from "@miniflare/http-server";
import type { KVOptions } from "@miniflare/kv";
import type { QueuesOptions } from "@miniflare/queues";
import type { R2Options } from "@miniflare/r2";
import type { SchedulerOptions } from "@miniflare/scheduler";
import type { Log } from "@miniflare/shared";
import type { SitesOptions } from "@miniflare/sites";
import type { DurableObjectsOptions } from "../durable-objects/options";

type Service = NonNullable<BindingsOptions["serviceBindings"]>[string];

/** A service may also name the class of the other worker; without one it is the default export. */
type ServicesOptions = Omit<BindingsOptions, "serviceBindings"> & {
  serviceBindings?: Record<
    string,
    Service | { service: string; environment?: string; entrypoint?: string }
  >;
};

type PluginsOptions = CoreOptions &
  HTTPOptions &
  SchedulerOptions &
  BuildOptions &
  KVOptions &
  D1Options &
  R2Options &
  DurableObjectsOptions &
  CacheOptions &
  SitesOptions &
  QueuesOptions &
  ServicesOptions;

/** What a mounted worker may be given. */
export type MountOptions = Omit<PluginsOptions, "mounts">;

/** What the command line and config files may say of a worker. */
export type WorkerOptions = MountOptions & {
  /** Other workers, by the name that `scriptName` refers to: their directory, or their options. */
  mounts?: Record<string, string | MountOptions>;
};

export type MiniflareOptions = Omit<WorkerOptions, "debug" | "verbose" | "updateCheck"> & {
  /** Where messages go; by default nowhere. */
  log?: Log;
  /** Maps stack traces of the whole process back to the sources that the scripts' source maps name. */
  sourceMap?: boolean;
  /** Whether it is an error to have neither a script nor a mount; true by default. */
  scriptRequired?: boolean;
};
