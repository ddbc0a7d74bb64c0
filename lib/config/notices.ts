/** What a configuration asks for and cannot get: one line for each key, with the way out. */
import { nearest } from "../shared/nearest";
import { kAboutEnvironment } from "./environments";
import type { Config } from "./types";

/** Keys of bindings that Miniflare 2 has no simulator for. */
const BINDINGS = [
  "ai",
  "ai_search",
  "ai_search_namespaces",
  "analytics_engine_datasets",
  "artifacts",
  "browser",
  "dispatch_namespaces",
  "flagship",
  "hyperdrive",
  "images",
  "logfwdr",
  "media",
  "mtls_certificates",
  "pipelines",
  "ratelimits",
  "secrets_store_secrets",
  "send_email",
  "stream",
  "unsafe",
  "vectorize",
  "version_metadata",
  "vpc_networks",
  "vpc_services",
  "worker_loaders",
  "workflows",
];

/** Keys of other features, and what is missing without them. */
const FEATURES: Record<string, string> = {
  assets: "no files are served. Serve them from the worker",
  containers: "ctx.container is undefined. Run the container by itself",
  streaming_tail_consumers: "no worker is told of events. Read the log in its place",
  tail_consumers: "no worker is told of events. Read the log in its place",
};

/** Keys that have an effect here, or that need none. */
const KNOWN = [
  "$schema",
  "account_id",
  "alias",
  "build",
  "compatibility_date",
  "compatibility_flags",
  "d1_databases",
  "data_blobs",
  "define",
  "dev",
  "durable_objects",
  "env",
  "exports",
  "jsx_factory",
  "jsx_fragment",
  "keep_names",
  "kv_namespaces",
  "limits",
  "logpush",
  "main",
  "migrations",
  "minify",
  "miniflare",
  "name",
  "no_bundle",
  "observability",
  "placement",
  "preview_urls",
  "queues",
  "r2_buckets",
  "route",
  "routes",
  "rules",
  "services",
  "site",
  "text_blobs",
  "triggers",
  "tsconfig",
  "upload_source_maps",
  "usage_model",
  "vars",
  "wasm_modules",
  "workers_dev",
];

/** Where one reads which bindings the tools of Cloudflare have. */
export const LACKING_LINK =
  "https://developers.cloudflare.com/workers/development-testing/bindings-per-env/";

const LATER = `or run "wrangler dev": ${LACKING_LINK}`;

/** Keys of queues that Miniflare 2 does not know, and what they would do. */
const QUEUE_KEYS: Record<string, string> = {
  delivery_delay: "messages come at once",
  retry_delay: "messages are tried again at once",
  type: "messages come to the worker alone",
};

/** Keys under `miniflare`. */
const MINIFLARE = [
  "actual_time",
  "build_watch_dirs",
  "cache",
  "cache_persist",
  "cf_fetch",
  "d1_persist",
  "durable_objects_alarms",
  "durable_objects_durability",
  "durable_objects_max_open",
  "durable_objects_max_value_size",
  "durable_objects_persist",
  "env_path",
  "global_async_io",
  "global_random",
  "global_timers",
  "globals",
  "host",
  "https",
  "inaccurate_cpu",
  "kv_persist",
  "live_reload",
  "mounts",
  "open",
  "port",
  "r2_persist",
  "route",
  "routes",
  "update_check",
  "upstream",
  "watch",
];

/** The lines to warn of what is missing; `name` is how the file is called. */
export function lackingIn(config: Config, name: string): string[] {
  const lines: string[] = [];
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined) continue;
    const lacking = FEATURES[key];
    if (BINDINGS.includes(key)) {
      lines.push(
        `"${key}" in ${name} is not supported: its bindings are missing. Give stand-ins with the option "bindings", ${LATER}`,
      );
    } else if (lacking !== undefined) {
      lines.push(`"${key}" in ${name} is not supported: ${lacking}, ${LATER}`);
    }
  }
  return [...lines, ...queueLines(config, name)];
}

function queueLines({ queues }: Config, name: string): string[] {
  const { producers, consumers } = Object(queues) as { producers?: unknown; consumers?: unknown };
  const all = [producers, consumers].flatMap((list) => (Array.isArray(list) ? list : []));
  return Object.entries(QUEUE_KEYS).flatMap(([key, effect]) =>
    all.some((queue) => Object(queue)[key] !== undefined)
      ? [`"${key}" of "queues" in ${name} is not supported: ${effect}, ${LATER}`]
      : [],
  );
}

/** All lines to warn of, for a file that was written for today's wrangler. */
export function noticesOf(config: Config, name: string): string[] {
  const lines = [...((config[kAboutEnvironment] as string[] | undefined) ?? [])];
  const known = [...KNOWN, ...BINDINGS, ...Object.keys(FEATURES)];
  return [
    ...lines,
    ...lackingIn(config, name),
    ...unknownIn(config, known, KNOWN, name),
    ...unknownIn(Object(config.miniflare), MINIFLARE, MINIFLARE, name, "miniflare."),
  ];
}

function unknownIn(
  object: object,
  known: string[],
  names: string[],
  file: string,
  prefix = "",
): string[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const meant = value === undefined || known.includes(key) ? undefined : nearest(key, names);
    if (meant === undefined) return [];
    return [`"${prefix}${key}" in ${file} is not known. Did you mean "${prefix}${meant}"?`];
  });
}
