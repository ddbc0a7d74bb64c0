/** Miniflare 2's plugin of the HTTP server, which touches the network only if it is told to. */
import { HTTPPlugin as MiniflareHTTPPlugin } from "@miniflare/http-server";
import type { OptionMetadata, PluginContext } from "@miniflare/shared";
import type { Config } from "../config/types";
import { isOfToday } from "../config/worker";

type Options = ConstructorParameters<typeof MiniflareHTTPPlugin>[1];
type Defaults = ConstructorParameters<typeof MiniflareHTTPPlugin>[2];

/** Without the option `cfFetch`, `Request.cf` is a placeholder. */
export class HTTPPlugin extends MiniflareHTTPPlugin {
  constructor(ctx: PluginContext, options?: Options, defaults?: Defaults) {
    super(ctx, options, { cfFetch: false, ...defaults });
  }
}

/** What wrangler calls the address of the server, in `dev`. */
const ADDRESS = { host: "ip", port: "port" } as const;

const options = new Map<string | symbol, OptionMetadata>(MiniflareHTTPPlugin.prototype.opts);
for (const [option, key] of Object.entries(ADDRESS)) {
  const meta = options.get(option)!;
  const fromWrangler: OptionMetadata["fromWrangler"] = (config, directory, log) => {
    const dev: unknown = isOfToday(config as Config) ? (config as Config).dev : undefined;
    return meta.fromWrangler?.(config, directory, log) ?? Object(dev)[key];
  };
  options.set(option, { ...meta, fromWrangler } as OptionMetadata);
}
// The help text is the command's, which listens for this machine alone.
const DESCRIPTIONS = {
  host: "Host to listen on (127.0.0.1 by default)",
  cfFetch: "Fetch Request.cf (off by default)",
};
for (const [option, description] of Object.entries(DESCRIPTIONS)) {
  options.set(option, { ...options.get(option)!, description } as OptionMetadata);
}

Object.defineProperty(HTTPPlugin.prototype, "opts", { value: options, writable: true });
