/** The modules `node:…` for workers with the flag `nodejs_compat`: each is loaded when a worker imports it. */
import { builtinModules, createRequire } from "node:module";

const load = createRequire(__filename);

export function nodeModules(): Record<string, Record<string, unknown>> {
  const names = builtinModules.filter((name) => !name.startsWith("_"));
  const prefixed = names.map((name) => (name.startsWith("node:") ? name : `node:${name}`));
  return Object.fromEntries(prefixed.map((name) => [name, lazily(name)]));
}

/** The exports of a module, which Miniflare lists when a worker imports it. */
function lazily(name: string): Record<string, unknown> {
  let exports: Record<string, unknown> | undefined;
  const loaded = () => {
    exports ??= exportsOf(load(name));
    return exports;
  };
  return new Proxy({} as Record<string, unknown>, {
    get: (_target, key) => Reflect.get(loaded(), key),
    ownKeys: () => Reflect.ownKeys(loaded()),
    getOwnPropertyDescriptor: (_target, key) => Reflect.getOwnPropertyDescriptor(loaded(), key),
  });
}

function exportsOf(module: object): Record<string, unknown> {
  return { ...module, default: module };
}
