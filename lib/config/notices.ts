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

const LATER = 'or run "wrangler dev".';

/** The lines to warn of; `name` is how the file is called. */
export function noticesOf(config: Config, name: string): string[] {
  const lines = [...((config[kAboutEnvironment] as string[] | undefined) ?? [])];
  for (const [key, value] of Object.entries(config)) {
    if (value === undefined) continue;
    const lacking = FEATURES[key];
    if (BINDINGS.includes(key)) {
      lines.push(
        `"${key}" in ${name} is not supported: its bindings are missing. Give stand-ins with the option "bindings", ${LATER}`,
      );
    } else if (lacking !== undefined) {
      lines.push(`"${key}" in ${name} is not supported: ${lacking}, ${LATER}`);
    } else if (!KNOWN.includes(key)) {
      const meant = nearest(key, KNOWN);
      if (meant !== undefined)
        lines.push(`"${key}" in ${name} is not known. Did you mean "${meant}"?`);
    }
  }
  return lines;
}
