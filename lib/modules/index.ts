/** Runs a worker's modules in a context, as `vm.SourceTextModule` does, where Node.js was started without its flag. */
import type vm from "node:vm";
import type { Context, ScriptBlueprint, ScriptRunnerResult } from "@miniflare/shared";
import { evaluate } from "./evaluation";
import { link } from "./linking";
import { Loader, type Rules, UnreadableModule } from "./loader";
import { type Realm, realmOf } from "./realm";
import type { ModuleRecord } from "./record";
import { SourceModule } from "./source";
import { explainSyntaxError } from "./syntax-error";

/**
 * Resolves with the namespace of the main script, when it has run.
 *
 * # Errors
 * A `SyntaxError` of the context with the place; what the code throws; and the errors of `Loader.load`.
 */
export async function runModules(
  context: vm.Context,
  { code, filePath }: ScriptBlueprint,
  rules: Rules,
): Promise<Required<ScriptRunnerResult>> {
  const modules = new Modules(context, rules);
  const exports = await modules.run(filePath, code);
  const bundleSize = Buffer.byteLength(code) + modules.loader.bytesTotal;
  return { exports: exports as Context, bundleSize, watch: modules.loader.files };
}

class Modules {
  readonly loader: Loader;
  readonly #realm: Realm;
  readonly #evaluations = new WeakMap<ModuleRecord, Promise<void>>();

  constructor(context: vm.Context, rules: Rules) {
    this.#realm = realmOf(context);
    this.loader = new Loader(rules, context, (specifier, referrer) =>
      this.#import(specifier, referrer),
    );
  }

  async run(filePath: string, code: string): Promise<object> {
    const main = await this.#linked(() => this.loader.source(filePath, code));
    await evaluate(main);
    return main.namespace;
  }

  /**
   * Serves `import()`. It does not wait for a module that a static import has begun to evaluate. Node's `vm` modules
   * under Miniflare's linker do the same. So a module may await the import of a module that waits for it.
   */
  async #import(specifier: string, referrer: SourceModule): Promise<object> {
    const module = await this.#linked(() => this.loader.load(specifier, referrer.identifier));
    if (!(module instanceof SourceModule) || module.status === "linked") {
      this.#evaluations.set(module, evaluate(module));
    }
    await this.#evaluations.get(module);
    if (module.error) throw module.error.value;
    return module.namespace;
  }

  #linked<M extends ModuleRecord>(find: () => M): M | Promise<M> {
    try {
      const module = find();
      this.loader.loadDependencies(module);
      return link(module, this.#realm)?.then(() => module) ?? module;
    } catch (error) {
      if (!(error instanceof UnreadableModule)) throw error;
      return explainSyntaxError(error, this.#realm).then((explained) => Promise.reject(explained));
    }
  }
}
