// The options of Cloudflare's Vitest integration as those of `ferroflare/vitest`.
import path from "node:path";
import { readConfig } from "../dist/config/reading.js";
import { mainOf } from "../dist/config/worker.js";

/** Bindings that may be an object from name to id there, and are an array of names here. */
const NAMED = ["kvNamespaces", "r2Buckets", "d1Databases"];

/** `isolationOf` says of the options what begins with fresh storage: each test, or each file. */
export async function optionsOf(given, root, isolationOf) {
  const options = (await (typeof given === "function" ? given({ inject }) : given)) ?? {};
  const { miniflare = {}, wrangler = {} } = options;
  const { workers = [], cacheAPI, ...rest } = miniflare;
  if (workers.length > 0) {
    throw new Error(
      "ferroflare/vitest has no miniflare.workers: give other workers as `mounts` to the plugin that it exports by default.",
    );
  }
  const main = options.main ?? mainIn(root, wrangler);
  return {
    ...(main === undefined ? {} : { main }),
    wranglerConfigPath: wrangler.configPath ?? false,
    ...(wrangler.environment === undefined ? {} : { wranglerConfigEnv: wrangler.environment }),
    ...(cacheAPI === undefined ? {} : { cache: cacheAPI }),
    packagePath: false,
    envPathDefaultFallback: false,
    isolation: isolationOf(options),
    ...rest,
    ...Object.fromEntries(
      NAMED.filter((name) => name in rest).map((name) => [name, namesOf(rest[name])]),
    ),
  };
}

/** Up to version 0.12 each test had storage of its own, if nothing else was said. */
export function isolationOf({ isolatedStorage = true }) {
  return isolatedStorage ? "test" : "file";
}

/** Makes `defineWorkersConfig()`, whose options stand in `test.poolOptions.workers`. */
export function definingConfig(plugin) {
  const define = (config) => {
    const { test = {}, plugins = [], ...rest } = config;
    const { poolOptions: { workers = {}, ...poolOptions } = {}, pool: _, ...others } = test;
    const kept = Object.keys(poolOptions).length > 0 ? { poolOptions } : {};
    return { ...rest, plugins: [...plugins, plugin(workers)], test: { ...others, ...kept } };
  };
  return (config) => {
    if (typeof config === "function") return async (env) => define(await config(env));
    return config instanceof Promise ? config.then(define) : define(config);
  };
}

/** The entry that the configuration of Wrangler names, relative to it. */
function mainIn(root, { configPath, environment }) {
  if (configPath === undefined) return undefined;
  const file = path.resolve(root, configPath);
  const config = readConfig(file);
  const { main = config.main } = config.env?.[environment] ?? {};
  return mainOf({ ...config, main }, path.dirname(file));
}

function inject() {
  throw new Error("ferroflare/vitest has no inject() for options: give their values.");
}

function namesOf(bindings) {
  return Array.isArray(bindings) ? bindings : Object.keys(bindings);
}
