/** Environments of a JSON configuration, by wrangler's rule: bindings and variables are not inherited. */
import { ConfigError } from "./error";
import type { Config } from "./types";

/** Keys that an environment does not inherit. */
const NOT_INHERITED = [
  "vars",
  "define",
  "durable_objects",
  "kv_namespaces",
  "r2_buckets",
  "d1_databases",
  "queues",
  "services",
  "workflows",
  "containers",
  "send_email",
  "vectorize",
  "hyperdrive",
  "analytics_engine_datasets",
  "dispatch_namespaces",
  "mtls_certificates",
  "tail_consumers",
  "browser",
  "ai",
  "images",
  "pipelines",
  "secrets_store_secrets",
  "ratelimits",
  "version_metadata",
  "unsafe",
];

/** In a configuration that an environment was chosen of: the lines to tell about it. */
export const kAboutEnvironment = Symbol("ferroflare.aboutEnvironment");

/**
 * Prepares the environments of a configuration for Miniflare, which lays the chosen one over the rest: an environment
 * hides what it does not inherit.
 */
export function prepareEnvironments(config: Config, file: string): void {
  const { env } = config;
  if (env !== undefined && (typeof env !== "object" || env === null)) {
    throw new ConfigError(`"env" in "${file}" must be an object of environments by name.`);
  }
  const prepared = Object.entries(env ?? {}).map(([name, own]) => [name, layer(config, name, own)]);
  config.env = new Proxy(Object.fromEntries(prepared), {
    has(environments, name) {
      if (typeof name === "symbol" || Object.hasOwn(environments, name)) return true;
      const names = Object.keys(environments).map((known) => `"${known}"`);
      const choice =
        names.length === 0 ? `Add "env": { "${name}": {} }.` : `It has ${names.join(", ")}.`;
      throw new ConfigError(`There is no environment "${name}" in "${file}". ${choice}`);
    },
  });
}

/** What an environment changes: keys that it lacks and does not inherit are undefined. */
function layer(config: Config, name: string, own: Config): Config {
  if (typeof own !== "object" || own === null || Array.isArray(own)) {
    throw new ConfigError(`"env.${name}" must be an object of settings.`);
  }
  const missing = NOT_INHERITED.filter((key) => config[key] !== undefined && !(key in own));
  const about = missing.map(
    (key) =>
      `"${key}" exists at the top level, but not in "env.${name}", which does not inherit it. Repeat it there.`,
  );
  const hidden = Object.fromEntries(missing.map((key) => [key, undefined]));
  return { ...hidden, ...own, [kAboutEnvironment]: about };
}
