/** Miniflare 2's plugin of bindings, whose service bindings also reach the classes of workers: RPC and named entrypoints. */
import { Fetcher, BindingsPlugin as MiniflareBindingsPlugin } from "@miniflare/core";
import type { Context, Mount, OptionMetadata } from "@miniflare/shared";
import { ConfigError } from "../config/error";
import { isJson } from "../config/files";
import { kFile } from "../config/reading";
import type { Config } from "../config/types";
import { workerOf } from "../durable-objects/worker";
import { HOST, serviceStub } from "../rpc";
import { DurableObjectError } from "../shared/error";
import { isEntrypoint } from "../workers/entrypoint";
import { LateEntrypoint } from "../workers/service";

/** What a service is bound by; without an entrypoint it is the default export. */
interface ServiceOptions {
  service: unknown;
  entrypoint?: string;
}

export class BindingsPlugin extends MiniflareBindingsPlugin {
  override reload(bindings: Context, exports: Context, mounts: Map<string, Mount>): void {
    super.reload(bindings, exports, mounts);
    for (const [name, given] of Object.entries(this.serviceBindings ?? {})) {
      const { service, entrypoint }: ServiceOptions =
        typeof given === "object" ? given : { service: given };
      const bound: unknown = bindings[name];
      const mount = typeof service === "string" ? mounts.get(service) : undefined;
      if (mount === undefined || !(bound instanceof Fetcher)) continue;
      const theirs = mount.moduleExports ?? {};
      if (entrypoint !== undefined && theirs[entrypoint] === undefined) {
        throw noEntrypoint(name, entrypoint);
      }
      bindings[name] = reaching(bound, theirs, entrypoint, exports);
    }
  }
}

/** What a worker gets: a stub with RPC if the other worker has a class there, and otherwise what Miniflare 2 gives. */
function reaching(
  fetcher: Fetcher,
  theirs: Context,
  entrypoint: string | undefined,
  own: Context,
): object {
  const entry = theirs[entrypoint ?? "default"];
  if (entrypoint === undefined && !isEntrypoint(entry)) return fetcher;
  const remote = new LateEntrypoint(entry, () => workerOf(theirs));
  const fetch: LateEntrypoint["fetch"] =
    entrypoint === undefined
      ? (input, init) => fetcher.fetch(input as never, init as never)
      : (input, init) => remote.fetch(input, init);
  const style = { enhancedErrors: false, dupStubs: false };
  return serviceStub({ remote, fetch }, workerOf(own)?.side ?? { realm: HOST, style });
}

function noEntrypoint(name: string, entrypoint: string): DurableObjectError {
  return new DurableObjectError(
    "ERR_CLASS_NOT_FOUND",
    `Entrypoint "${entrypoint}" for service binding "${name}" not found. Export it from the worker that the service names.`,
  );
}

const options = new Map<string | symbol, OptionMetadata>(MiniflareBindingsPlugin.prototype.opts);

function replace(key: string | symbol, fromWrangler: (config: Config, before: unknown) => unknown) {
  const meta = options.get(key)!;
  const read: OptionMetadata["fromWrangler"] = (config, directory, log) =>
    fromWrangler(config as Config, meta.fromWrangler?.(config, directory, log)) as never;
  options.set(key, { ...meta, fromWrangler: read } as OptionMetadata);
}

/** Variables of JSON are JSON; those of TOML become strings, as in Miniflare 2. */
for (const key of options.keys()) {
  if (typeof key === "symbol") replace(key, (config, before) => variables(config) ?? before);
}

function variables(config: Config): unknown {
  const { vars } = config;
  if (vars === undefined || !isJson(String(config[kFile] ?? ""))) return undefined;
  if (typeof vars === "object" && vars !== null && !Array.isArray(vars)) return vars;
  throw new ConfigError('"vars" must be an object of values by name.');
}

replace("serviceBindings", (config, before) => {
  const services = before as Record<string, ServiceOptions> | undefined;
  for (const { binding, name, entrypoint } of (config.services ?? []) as ConfigService[]) {
    const service = services?.[binding ?? name ?? ""];
    if (entrypoint !== undefined && service) service.entrypoint = entrypoint;
  }
  return services;
});

interface ConfigService {
  binding?: string;
  name?: string;
  entrypoint?: string;
}

Object.defineProperty(BindingsPlugin.prototype, "opts", { value: options, writable: true });
