/** The bindings of a worker before Miniflare gives them to plugins: a script may use them while it is loaded. */
import type { Compatibility, Context, SetupResult, StorageFactory } from "@miniflare/shared";

// biome-ignore lint/suspicious/noExplicitAny: the constructors of plugins take what Miniflare gives them
type PluginClass = new (...args: any[]) => object;

interface SettingUp {
  readonly ctx: { readonly compat: Compatibility };
  setup?(storageFactory: StorageFactory): Promise<SetupResult | undefined>;
}

interface Early {
  /** What each plugin has set up, in their order. */
  byPlugin: Map<string, Context>;
  /** What the script sees, and may change. */
  shown: Context | undefined;
}

/** By what the plugins of one worker have in common, and no other worker. */
const early = new WeakMap<Compatibility, Early>();

/** The same plugins, which also tell what they bind. */
export function tellingBindings<P extends Record<string, PluginClass>>(plugins: P): P {
  return Object.fromEntries(
    Object.entries(plugins).map(([name, Plugin]) => [name, tellingBinding(name, Plugin)]),
  ) as P;
}

function tellingBinding(pluginName: string, Plugin: PluginClass): PluginClass {
  if (typeof (Plugin.prototype as SettingUp).setup !== "function") return Plugin;
  class TellingPlugin extends Plugin {
    async setup(storageFactory: StorageFactory): Promise<SetupResult | undefined> {
      const { ctx } = this as unknown as SettingUp;
      const setUp = (Plugin.prototype as Required<SettingUp>).setup;
      const result = await setUp.call(this as unknown as Required<SettingUp>, storageFactory);
      note(ctx.compat, pluginName, result?.bindings ?? {});
      return result;
    }
  }
  Object.defineProperty(TellingPlugin, "name", { value: Plugin.name });
  return TellingPlugin;
}

export function note(compat: Compatibility, plugin: string, bindings: Context): void {
  const known = early.get(compat) ?? { byPlugin: new Map(), shown: undefined };
  known.byPlugin.set(plugin, bindings);
  known.shown = undefined;
  early.set(compat, known);
}

/** What is known so far of a worker's bindings. */
export function earlyBindings(compat: Compatibility): Context {
  const known = early.get(compat);
  if (known === undefined) return {};
  known.shown ??= Object.assign({}, ...known.byPlugin.values());
  return known.shown!;
}

/** What the script has changed while it was loaded is changed in the bindings proper. */
export function keepEarlyWrites(compat: Compatibility, bindings: Context): void {
  const known = early.get(compat);
  if (known?.shown === undefined) return;
  const before: Context = Object.assign({}, ...known.byPlugin.values());
  for (const [name, value] of Object.entries(known.shown)) {
    if (!Object.is(before[name], value)) bindings[name] = value;
  }
  known.shown = undefined;
}
