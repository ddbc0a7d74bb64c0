/** Lets a `Miniflare` instance choose its configuration file again when its options change, and when it reloads. */
import { MiniflareCore } from "@miniflare/core";
import type { Log } from "@miniflare/shared";
import { type ConfigOptions, chooseConfig, withConfigFiles } from "../config/choice";
import { checkOptionNames } from "./known-options";

interface Core {
  readonly log: Log;
}

/** What is decided from the options as they were given. */
const DECIDED = ["rootPath", "wranglerConfigPath", "mounts"] as const;

/**
 * On the instance, because Miniflare 2's class inherits these methods from its core and has none of its own. `given` are
 * the options of the constructor, `chosen` is the file that counts.
 */
export function followConfigFiles(
  mf: Core,
  given: ConfigOptions,
  chosen: ConfigOptions["wranglerConfigPath"],
): void {
  const core = MiniflareCore.prototype;
  let options = { ...given };
  let current = chosen;
  const setOptions = async (changes: ConfigOptions, dispatchReloadEvent = true) => {
    checkOptionNames(changes, mf.log);
    options = { ...options, ...changes };
    const decided = withConfigFiles(options, mf.log);
    current = decided.wranglerConfigPath;
    const kept = DECIDED.filter((key) => key in options).map((key) => [key, decided[key]]);
    const all = { ...changes, ...Object.fromEntries(kept) };
    return Reflect.apply(core.setOptions, mf, [all, dispatchReloadEvent]);
  };
  const reload = async () => {
    if (chooseConfig(options) !== current) await setOptions({});
    return Reflect.apply(core.reload, mf, []);
  };
  for (const [name, value] of Object.entries({ setOptions, reload })) {
    Object.defineProperty(mf, name, { value, writable: true, configurable: true });
  }
}
