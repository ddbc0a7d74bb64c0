// The types of the module are those of `cloudflare:workers` in @cloudflare/workers-types: import that name.
declare const workers: Record<string, unknown>;
export = workers;
