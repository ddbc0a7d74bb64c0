/** What the command says when a worker has started: its version, the bindings, and where objects are stored. */
import path from "node:path";
import type { Miniflare } from "../../miniflare/miniflare";
import { PERSIST_DEFAULT } from "../../shared/default-place";
import { ownPackage } from "../../shared/own-package";
import { isRedisUrl, shownUrl } from "../../shared/redis-url";
import { kIsSqlite } from "../../shared/symbols";
import { bold, cyan, dim } from "../look";

type Plugins = Awaited<ReturnType<Miniflare["getPlugins"]>>;

/** Name and kind of each binding. */
function bindingsOf(plugins: Plugins): [string, string][] {
  const { BindingsPlugin, D1Plugin, DurableObjectsPlugin, KVPlugin, QueuesPlugin, R2Plugin } =
    plugins;
  const of = (names: Iterable<string> | undefined, kind: string) =>
    [...(names ?? [])].map((name): [string, string] => [name, kind]);
  const objects = Object.entries(DurableObjectsPlugin.durableObjects ?? {}).map(
    ([name, target]): [string, string] => {
      const { className, scriptName } =
        typeof target === "string" ? { className: target, scriptName: undefined } : target;
      const where = scriptName === undefined ? "" : ` of ${scriptName}`;
      const backing = DurableObjectsPlugin[kIsSqlite](name) ? " (SQLite)" : "";
      return [name, `Durable Object, class ${className}${where}${backing}`];
    },
  );
  const queues = (QueuesPlugin.queueBindings ?? []) as { name: string }[];
  return [
    ...objects,
    ...of(KVPlugin.kvNamespaces, "KV namespace"),
    ...of(D1Plugin.d1Databases, "D1 database"),
    ...of(R2Plugin.r2Buckets, "R2 bucket"),
    ...of(
      queues.map(({ name }) => name),
      "queue",
    ),
    ...of(Object.keys(BindingsPlugin.serviceBindings ?? {}), "service"),
    ...of(Object.keys(BindingsPlugin.bindings ?? {}), "variable"),
  ];
}

function placeOf({ CorePlugin, DurableObjectsPlugin }: Plugins): string {
  const { durableObjectsPersist: persist } = DurableObjectsPlugin;
  if (persist === undefined || persist === false) return "in memory; --do-persist keeps it";
  if (typeof persist === "string" && isRedisUrl(persist)) return shownUrl(persist);
  const root = CorePlugin.rootPath ?? ".";
  return path.resolve(root, persist === true ? PERSIST_DEFAULT : persist);
}

/** The lines of the banner. */
export function banner(plugins: Plugins): string[] {
  const bindings = bindingsOf(plugins);
  const columns = Math.max(0, ...bindings.map(([name]) => name.length));
  const lines = bindings.map(
    ([name, kind], i) =>
      `  ${dim((i === 0 ? "Bindings" : "").padEnd(10))}${cyan(name.padEnd(columns))}  ${kind}`,
  );
  if (Object.keys(plugins.DurableObjectsPlugin.durableObjects ?? {}).length > 0) {
    lines.push(`  ${dim("Data".padEnd(10))}${placeOf(plugins)}`);
  }
  return [`${bold("ferroflare")} ${ownPackage().version}`, ...lines, ""];
}
