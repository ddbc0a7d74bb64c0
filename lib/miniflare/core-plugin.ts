/** Miniflare 2's core plugin, which also takes the worker's script and its settings from today's configuration files. */
import path from "node:path";
import { MiniflareCoreError, CorePlugin as MiniflareCorePlugin } from "@miniflare/core";
import {
  globsToMatcher,
  type Log,
  type OptionMetadata,
  OptionType,
  type PluginContext,
  type ScriptBlueprint,
  type SetupResult,
  STRING_SCRIPT_PATH,
} from "@miniflare/shared";
import { BuildError } from "../build/error";
import { isModule, isTypeScript } from "../build/script";
import { sourcesOf } from "../build/sources";
import { mountsWithConfigFiles } from "../config/choice";
import { type DeclaredClasses, declaredClasses } from "../config/classes";
import { lackingIn, noticesOf } from "../config/notices";
import type { Config } from "../config/types";
import {
  type BuildSettings,
  bindsOwnClass,
  buildSettings,
  isOfToday,
  mainOf,
  nameOf,
  rulesOf,
} from "../config/worker";
import { noteMigrated } from "../durable-objects/migrated";
import { isSurviving, noteWatched } from "../shared/first-start";
import { mountWithoutScript, type Place, unreadableScript } from "./missing-script";
import { kSource, type Runnable, runnable, type Source } from "./source";
import { followsChange, watchForMissing } from "./watch/watcher";

type Options = ConstructorParameters<typeof MiniflareCorePlugin>[1] & {
  configuration?: Configuration;
  mountedAs?: string;
};

/** What a configuration file says beyond Miniflare 2's options. */
interface Configuration {
  /** The script, if the file names it as `main`. */
  main: string | undefined;
  /** The script that a key of the file names, and which key that is. */
  named: { script: string | undefined; key: string };
  build: BuildSettings;
  /** The classes that its migrations leave. */
  migrated: { classes: DeclaredClasses; file: string } | undefined;
}

type FromWrangler = (config: Config, directory: string, log: Log) => unknown;

/** Wrangler's rules for what is no code. */
const DATA_RULES = [
  { type: "Text", include: ["**/*.txt", "**/*.html", "**/*.sql"] },
  { type: "Data", include: ["**/*.bin"] },
  { type: "CompiledWasm", include: ["**/*.wasm"] },
] as const;
const CODE_RULES = [
  { type: "ESModule", include: ["**/*.mjs"] },
  { type: "CommonJS", include: ["**/*.js", "**/*.cjs"] },
] as const;

/** What is said beside the error of a build after a change. */
const STILL_OLD = "The worker that was built before goes on answering.";

type ProcessedRule = MiniflareCorePlugin["processedModuleRules"][number];
type Script = ScriptBlueprint & { [kSource]?: Source };

export class CorePlugin extends MiniflareCorePlugin {
  declare configuration?: Configuration;
  /** The name of this worker among the mounts of another, if it needs a script. */
  declare mountedAs?: string;
  readonly #modules: boolean | undefined;
  /** Whether a script was built that goes on answering. */
  #wasReady = false;
  /** Whether a script is built and read only if it runs. */
  protected readonly onlyIfRun: boolean = false;

  constructor(ctx: PluginContext, options?: Options) {
    super(ctx, options);
    this.#modules = this.modules;
    noteWatched(this.watch ?? false);
    if (this.configuration === undefined) delete this.configuration;
    if (this.mountedAs === undefined) delete this.mountedAs;
  }

  override async setup(): Promise<SetupResult> {
    // It decides which key of package.json names the script, at each setup alike.
    this.modules = this.#modules;
    const result = await this.#readScript();
    const script = result.script as Script | undefined;
    if (script === undefined && this.mountedAs !== undefined) {
      const message = mountWithoutScript(this.mountedAs, this.#place());
      throw new MiniflareCoreError("ERR_NO_SCRIPT", message);
    }
    if (script === undefined) return result;
    const { filePath } = script;
    const isMain = this.#isMain(filePath);
    const isConfigured = this.configuration?.named.script === filePath;
    noteMigrated(this.ctx.compat, isConfigured ? this.configuration?.migrated : undefined);
    if (this.#modules === undefined) {
      this.modules = isMain || isModuleFile(script) || undefined;
    }
    if (filePath !== STRING_SCRIPT_PATH) {
      script[kSource] = { ...script[kSource], ...this.#sourceOf(filePath) };
    }
    const rules = this.modules ? this.#rules(filePath) : [];
    this.processedModuleRules.splice(0, Number.POSITIVE_INFINITY, ...rules);
    if (this.onlyIfRun) return result;
    const ready = await this.#ready(script);
    return { ...result, script: ready, watch: [...(result.watch ?? []), ...ready.inputs] };
  }

  /** A build that fails leaves the worker that runs as it is; it is made again when a file comes that was missing. */
  async #ready(script: Script): Promise<Runnable> {
    try {
      const ready = await runnable(script);
      this.#wasReady = true;
      return ready;
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      const isRepair = followsChange() && !this.#wasReady;
      if (isSurviving() || isRepair) return unbuilt(script.filePath, error);
      watchForMissing(error.missing, script.filePath);
      if (followsChange()) error.message += `\n\n${STILL_OLD}`;
      throw error;
    }
  }

  #isMain(filePath: string): boolean {
    return this.configuration?.main === filePath;
  }

  /** A script that a configuration names may be missing where none is run, as in tests without objects. */
  async #readScript(): Promise<SetupResult> {
    try {
      return await super.setup();
    } catch (error) {
      const { scriptPath } = this;
      const missing = unreadableScript(error, this.#namedBy(), this.#place()) ?? error;
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!isMissing || scriptPath === undefined || !this.#isMain(scriptPath)) throw missing;
      const script: Script = { filePath: scriptPath, code: "", [kSource]: { missing } };
      return { ...(await this.#setupWithoutScript()), script, watch: [scriptPath] };
    }
  }

  /** What names the script, and what to do if it is missing; `undefined` if that is package.json. */
  #namedBy(): string | undefined {
    const { scriptPath, configuration, mountedAs } = this;
    if (scriptPath === undefined) return undefined;
    if (configuration?.named.script === scriptPath) {
      return `It is ${configuration.named.key}. Correct that path, or create the file.`;
    }
    const option = mountedAs === undefined ? "scriptPath" : `mounts.${mountedAs}.scriptPath`;
    return `It is the option ${option} (on the command line, the script). Correct that path, or create the file.`;
  }

  #place(): Place {
    const { packagePath, wranglerConfigPath, modules, ctx } = this;
    const packageFile = packagePath === true ? "package.json" : packagePath;
    const root = path.resolve(ctx.rootPath);
    return {
      root,
      packageFile: packageFile ? path.resolve(root, packageFile) : undefined,
      modules: modules ?? false,
      configured: Boolean(wranglerConfigPath),
    };
  }

  async #setupWithoutScript(): Promise<SetupResult> {
    const { scriptPath, packagePath } = this;
    this.scriptPath = undefined;
    this.packagePath = false;
    try {
      return await super.setup();
    } finally {
      this.scriptPath = scriptPath;
      this.packagePath = packagePath;
    }
  }

  #sourceOf(filePath: string): Source {
    const isMain = this.#isMain(filePath);
    const { build = {} } = this.configuration ?? {};
    const options = {
      rootPath: this.ctx.rootPath,
      rules: this.#rules(filePath),
      define: build.define,
      alias: build.alias,
      tsconfig: build.tsconfig,
      jsxFactory: build.jsx_factory,
      jsxFragment: build.jsx_fragment,
      keepNames: build.keep_names,
    };
    return { build: options, asWrangler: isMain && !build.no_bundle, asItIs: build.no_bundle };
  }

  /** In order: the first rule of each type counts, unless it says otherwise. Wrangler's are for what Miniflare 2 cannot run. */
  #rules(filePath: string): ProcessedRule[] {
    const withData = this.#isMain(filePath) || isTypeScript(filePath);
    const given = (this.modulesRules ?? []) as { type: string; include: string[] }[];
    const defaults = withData ? [...CODE_RULES, ...DATA_RULES] : CODE_RULES;
    const final = new Set<string>();
    const processed: ProcessedRule[] = [];
    for (const rule of [...given, ...defaults]) {
      if (final.has(rule.type)) continue;
      const include = globsToMatcher([...rule.include]);
      processed.push({ type: rule.type, include } as ProcessedRule);
      if (!("fallthrough" in rule) || !rule.fallthrough) final.add(rule.type);
    }
    return processed;
  }
}

/** A script that throws the error of its build when it is to run. */
function unbuilt(filePath: string, error: BuildError): Runnable & Script {
  const inputs = [...sourcesOf(filePath), ...error.missing];
  return { filePath, code: "", inputs, entry: undefined, [kSource]: { missing: error } };
}

/** A file whose name says so is a module, unless it is written for the other format. */
function isModuleFile({ code, filePath }: ScriptBlueprint): boolean {
  if (isModule(code, filePath)) return true;
  return /\.m[jt]s$/i.test(filePath) && !/\baddEventListener\s*\(/.test(code);
}

/** What a configuration without migrations declares is not compared with the script. */
function migratedBy(config: Config): Configuration["migrated"] {
  const classes = config.migrations === undefined ? undefined : declaredClasses(config);
  return classes && { classes, file: nameOf(config) };
}

/** The script of Miniflare 2's configuration. */
function uploaded({ build }: Config, directory: string): string | undefined {
  const { main, dir = "dist" } = build?.upload ?? {};
  return main ? path.resolve(directory, dir, main) : undefined;
}

/** For tests, most of which need no script to run. */
export class TestCorePlugin extends CorePlugin {
  protected override readonly onlyIfRun: boolean = true;
}

/** The options of Miniflare 2's plugin, some of which come from more keys of a configuration. */
const options = new Map<string | symbol, OptionMetadata>(MiniflareCorePlugin.prototype.opts);

function extend(key: string, description: string | undefined, more?: FromWrangler): void {
  const meta = options.get(key)!;
  const read = meta.fromWrangler as FromWrangler | undefined;
  const fromWrangler: FromWrangler = (config, directory, log) =>
    read?.(config, directory, log) ?? more?.(config, directory, log);
  options.set(key, {
    ...meta,
    ...(description === undefined ? {} : { description }),
    ...(more === undefined ? {} : { fromWrangler: fromWrangler as OptionMetadata["fromWrangler"] }),
  } as OptionMetadata);
}

extend("wranglerConfigPath", "Path to wrangler.json, wrangler.jsonc or wrangler.toml");
extend("wranglerConfigEnv", "Environment in the configuration file to use");
extend("updateCheck", "Look for a new version at the start (off by default)");
extend("scriptPath", undefined, mainOf);
extend("modules", undefined, (config) => (bindsOwnClass(config) ? true : undefined));
extend("modulesRules", undefined, rulesOf);

options.set("mountedAs", { type: OptionType.NONE });

const mounts = options.get("mounts")!;
options.set("mounts", {
  ...mounts,
  fromWrangler: (config, directory, log) => {
    const given = mounts.fromWrangler?.(config, directory, log) as Record<string, unknown>;
    return given && mountsWithConfigFiles(given, log);
  },
} as OptionMetadata);

options.set("configuration", {
  type: OptionType.NONE,
  fromWrangler: ((config: Config, directory: string, log: Log): Configuration | undefined => {
    if (!isOfToday(config)) {
      for (const line of lackingIn(config, nameOf(config))) log.warn(line);
      const script = uploaded(config, directory);
      const key = `"build.upload.main" in ${nameOf(config)}`;
      return script === undefined
        ? undefined
        : { main: undefined, named: { script, key }, build: {}, migrated: migratedBy(config) };
    }
    for (const line of noticesOf(config, nameOf(config))) log.warn(line);
    const script = uploaded(config, directory);
    const main = script === undefined ? mainOf(config, directory) : undefined;
    const key = `"${script === undefined ? "main" : "build.upload.main"}" in ${nameOf(config)}`;
    const named = { script: script ?? main, key };
    const build = buildSettings(config, directory);
    return { main: main && path.resolve(main), named, build, migrated: migratedBy(config) };
  }) as OptionMetadata["fromWrangler"],
});

Object.defineProperty(CorePlugin.prototype, "opts", { value: options, writable: true });
