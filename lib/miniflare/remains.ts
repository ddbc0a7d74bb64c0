/**
 * What an instance has made, so that it can be closed. Miniflare's core forgets it when a start fails, or when an
 * option that has changed is refused.
 */
import { beginOwning, type Watcher } from "./watch/watcher";

// biome-ignore lint/suspicious/noExplicitAny: the constructors of plugins take what Miniflare gives them
type PluginClass = new (...args: any[]) => object;

interface Disposable {
  dispose?(): unknown;
}

export class Remains {
  readonly #plugins = new Map<object, () => unknown>();
  readonly #watchers = new Set<Watcher>();

  /** The same plugins, whose instances are remembered until they are disposed of, those of mounts too. */
  remember<P extends Record<string, PluginClass>>(plugins: P): P {
    return Object.fromEntries(
      Object.entries(plugins).map(([name, Plugin]) => [name, this.#remembered(Plugin)]),
    ) as P;
  }

  #remembered(Plugin: PluginClass): PluginClass {
    const dispose = (Plugin.prototype as Disposable).dispose as () => unknown;
    if (dispose === undefined) return Plugin;
    const plugins = this.#plugins;
    class RememberedPlugin extends Plugin {
      // biome-ignore lint/suspicious/noExplicitAny: as above
      constructor(...args: any[]) {
        super(...args);
        plugins.set(this, () => dispose.call(this));
      }

      /** Once: the core may still have an instance whose heir could not be made. */
      dispose(): unknown {
        const once = plugins.get(this);
        plugins.delete(this);
        return once?.();
      }
    }
    Object.defineProperty(RememberedPlugin, "name", { value: Plugin.name });
    return RememberedPlugin;
  }

  /** An instance starts: its watchers, and those of mounts, are remembered. Returns what is to be called then. */
  enter(): () => void {
    return beginOwning(this.#watchers);
  }

  /** Disposes of an instance by `own`, unless its start has failed, and then of all that is left. */
  async disposeOf(started: Promise<unknown>, own: () => Promise<void>): Promise<void> {
    const hasStarted = await started.then(
      () => true,
      () => false,
    );
    try {
      if (hasStarted) await own();
    } finally {
      await this.#dispose();
    }
  }

  async #dispose(): Promise<void> {
    for (const watcher of this.#watchers) watcher.dispose();
    for (const [plugin, dispose] of this.#plugins) {
      this.#plugins.delete(plugin);
      await dispose();
    }
  }
}
