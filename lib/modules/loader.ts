/** Finds and reads what a worker's modules import, by Miniflare's module rules, in the context that they run in. */
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import vm from "node:vm";
import { VMScriptRunnerError } from "@miniflare/runner-vm";
import {
  type AdditionalModules,
  type Compatibility,
  type ProcessedModuleRule,
  STRING_SCRIPT_PATH,
  viewToBuffer,
} from "@miniflare/shared";
import type { ModuleRecord } from "./record";
import { type ImportModule, SourceModule } from "./source";
import { SyntheticModule } from "./synthetic";

declare const WebAssembly: { Module: new (bytes: Uint8Array) => object };

const SUGGEST_NODE =
  "If you're trying to import a Node.js built-in module, or an npm package that uses Node.js built-ins, you'll either need to:\n" +
  "- Bundle your Worker, configuring your bundler to polyfill Node.js built-ins\n" +
  "- Configure your bundler to load Workers-compatible builds by changing the main fields/conditions\n" +
  "- Find an alternative package that doesn't require Node.js built-ins";

/** What is said of an import of another module of Cloudflare's. */
const SUGGEST_CLOUDFLARE =
  'ferroflare has "cloudflare:workers", and none of the other modules of Cloudflare Workers.';

const SUGGEST_BUNDLE =
  "If you're trying to import an npm package, you'll need to bundle your Worker first.";

/** What is said of a static import that no rule allows: how to have it. */
export function suggestionFor(specifier: string): string {
  if (specifier.startsWith("cloudflare:")) return SUGGEST_CLOUDFLARE;
  if (builtinModules.includes(specifier)) return SUGGEST_NODE;
  const ending = path.extname(specifier);
  if (/^\.{0,2}\//.test(specifier) && ending !== "") {
    return `Say how to read such files: modulesRules: [{ type: "Text", include: ["**/*${ending}"] }]. Other types are "Data", "CompiledWasm", "ESModule" and "CommonJS".`;
  }
  return `If it is an npm package, install it beside esbuild, which then builds it into the worker: npm install --save-dev ${packageOf(specifier)} esbuild`;
}

function packageOf(specifier: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
}

/** A type that has no rule in Miniflare: files of JSON are what they hold. */
const JSON_TYPE = "JSON";

/** How a file is read; `undefined` if no rule allows it. */
export function typeOfFile(file: string, { moduleRules }: Pick<Rules, "moduleRules">) {
  const type = moduleRules.find(({ include }) => include.test(file))?.type;
  // Miniflare's rule for `.js` matches `.json` too.
  const isJson = /\.json$/i.test(file) && (type === undefined || type === "CommonJS");
  return isJson ? JSON_TYPE : type;
}

/** Source code that is no module. */
export class UnreadableModule extends Error {
  constructor(
    readonly identifier: string,
    readonly code: string,
    override readonly cause: SyntaxError,
  ) {
    super(cause.message);
  }
}

export interface Rules {
  moduleRules: ProcessedModuleRule[];
  additionalModules: AdditionalModules;
  compat: Compatibility | undefined;
  /** Whether code of a file that is CommonJS by its rule is a module all the same. */
  isModule?(code: string, file: string): boolean;
}

interface CommonJsModule {
  exports: unknown;
}

export class Loader {
  readonly #rules: Rules;
  readonly #context: vm.Context;
  readonly #importModule: ImportModule;
  readonly #fileBytes = new Map<string, number>();
  readonly #modules = new Map<string, ModuleRecord>();
  readonly #commonJsModules = new Map<string, CommonJsModule>();
  readonly #namespaces = new WeakMap<CommonJsModule, object>();

  /** `importModule` serves the `import()`s of the modules. */
  constructor(rules: Rules, context: vm.Context, importModule: ImportModule) {
    this.#rules = rules;
    this.#context = context;
    this.#importModule = importModule;
  }

  /** The files that have been read, the main script not among them. */
  get files(): string[] {
    return [...this.#fileBytes.keys()];
  }

  get bytesTotal(): number {
    return [...this.#fileBytes.values()].reduce((total, bytes) => total + bytes, 0);
  }

  /**
   * Makes a module of source code, without what it imports. The main script is such a module, and stays out of the
   * cache. As in Miniflare 2, a module that imports the file of the main script gets another instance of it.
   */
  source(identifier: string, code: string): SourceModule {
    try {
      return new SourceModule(identifier, code, this.#context, this.#importModule);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new UnreadableModule(identifier, code, error);
    }
  }

  /** Loads everything that a module imports statically, directly or not. */
  loadDependencies(root: ModuleRecord): void {
    const waiting = [root];
    const seen = new Set<ModuleRecord>(waiting);
    for (const module of waiting) {
      if (!(module instanceof SourceModule) || module.status !== "unlinked") continue;
      for (const specifier of module.syntax.requests) {
        const dependency = this.load(specifier, module.identifier);
        module.dependencies.set(specifier, dependency);
        if (seen.has(dependency)) continue;
        seen.add(dependency);
        waiting.push(dependency);
      }
    }
  }

  /**
   * Returns the module behind a specifier, without what it imports.
   *
   * # Errors
   * `VMScriptRunnerError` if no rule allows the import; the error of the file system if there is no such file.
   */
  load(specifier: string, referrer: string): ModuleRecord {
    const failure = unresolved(specifier, referrer);
    const additional = this.#rules.additionalModules[specifier];
    if (referrer === STRING_SCRIPT_PATH && additional === undefined) {
      throw new VMScriptRunnerError(
        "ERR_MODULE_STRING_SCRIPT",
        `${failure}: imports unsupported with string script`,
      );
    }
    const identifier = additional ? specifier : path.resolve(path.dirname(referrer), specifier);
    const known = this.#modules.get(identifier);
    if (known) return known;
    const module = additional
      ? this.#synthetic(identifier, Object.keys(additional), () => additional)
      : this.#read(specifier, identifier, failure);
    this.#modules.set(identifier, module);
    return module;
  }

  #synthetic(identifier: string, names: string[], make: () => Record<string, unknown>) {
    return new SyntheticModule(identifier, this.#context, names, make);
  }

  #read(specifier: string, identifier: string, failure: string): ModuleRecord {
    const type = this.#typeOf(specifier, identifier, failure);
    const data = this.#readFile(identifier);
    if (type === "ESModule" || this.#isModule(type, data, identifier)) {
      return this.source(identifier, data.toString("utf8"));
    }
    if (type === "CommonJS") {
      const module = this.#loadCommonJs(specifier, identifier, failure);
      return this.#synthetic(identifier, ["default"], () => ({ default: module.exports }));
    }
    if (type === JSON_TYPE) {
      const parsed = this.#parse(data, identifier);
      return this.#synthetic(identifier, ["default"], () => ({ default: parsed }));
    }
    const value = valueMaker(type, data, failure);
    return this.#synthetic(identifier, ["default"], () => ({ default: value() }));
  }

  #isModule(type: string, data: Buffer, file: string): boolean {
    return type === "CommonJS" && (this.#rules.isModule?.(data.toString("utf8"), file) ?? false);
  }

  #typeOf(specifier: string, identifier: string, failure: string): string {
    const type = typeOfFile(identifier, this.#rules);
    if (type !== undefined) return type;
    const suggestion = builtinModules.includes(specifier) ? SUGGEST_NODE : SUGGEST_BUNDLE;
    throw new VMScriptRunnerError(
      "ERR_MODULE_RULE",
      `${failure}: no matching module rules.\n${suggestion}`,
    );
  }

  /** What a file of JSON holds, in the realm of the worker. */
  #parse(data: Buffer, file: string): unknown {
    const parse = vm.runInContext("JSON.parse", this.#context) as typeof JSON.parse;
    const text = data.toString("utf8").replace(/^\uFEFF/, "");
    try {
      return parse(text);
    } catch (error) {
      const { message } = error as Error;
      throw new VMScriptRunnerError(
        "ERR_MODULE_UNSUPPORTED",
        `Cannot parse ${path.relative("", file)}: ${message}`,
      );
    }
  }

  #readFile(file: string): Buffer {
    const data = readFileSync(file);
    this.#fileBytes.set(file, data.byteLength);
    return data;
  }

  #loadCommonJs(specifier: string, identifier: string, failure: string): CommonJsModule {
    const known = this.#commonJsModules.get(identifier);
    if (known) return known;
    const module: CommonJsModule = { exports: {} };
    const additional = this.#rules.additionalModules[specifier];
    if (additional) {
      module.exports = additional.default;
      this.#commonJsModules.set(identifier, module);
      return module;
    }
    const type = this.#typeOf(specifier, identifier, failure);
    this.#commonJsModules.set(identifier, module);
    const data = this.#readFile(identifier);
    if (type === "ESModule" || this.#isModule(type, data, identifier)) {
      throw new VMScriptRunnerError(
        "ERR_CJS_MODULE_UNSUPPORTED",
        `${failure}: CommonJS modules cannot require ES modules`,
      );
    }
    if (type === "CommonJS") this.#runCommonJs(module, identifier, data.toString("utf8"));
    else if (type === JSON_TYPE) module.exports = this.#parse(data, identifier);
    else module.exports = valueMaker(type, data, failure)();
    return module;
  }

  #runCommonJs(module: CommonJsModule, identifier: string, code: string): void {
    const script = new vm.Script(`(function(exports, require, module) {\n${code}\n});`, {
      filename: identifier,
      lineOffset: -1,
    });
    const require = (specifier: string) => this.#require(specifier, identifier);
    script.runInContext(this.#context)(module.exports, require, module);
  }

  #require(specifier: string, referrer: string): unknown {
    const identifier = path.resolve(path.dirname(referrer), specifier);
    const module = this.#loadCommonJs(specifier, identifier, unresolved(specifier, referrer));
    const { compat } = this.#rules;
    if (compat === undefined || compat.isEnabled("export_commonjs_default")) return module.exports;
    let namespace = this.#namespaces.get(module);
    if (namespace === undefined) {
      const get = () => module.exports;
      namespace = Object.defineProperty({}, "default", { get, enumerable: true });
      this.#namespaces.set(module, namespace);
    }
    return namespace;
  }
}

function unresolved(specifier: string, referrer: string): string {
  return `Unable to resolve "${path.relative("", referrer)}" dependency "${specifier}"`;
}

/** Returns what makes the value of a file that holds no code. */
function valueMaker(type: string, data: Buffer, failure: string): () => unknown {
  switch (type) {
    case "Text":
      return () => data.toString("utf8");
    case "Data":
      return () => viewToBuffer(data);
    case "CompiledWasm":
      return () => new WebAssembly.Module(data);
    default:
      throw new VMScriptRunnerError(
        "ERR_MODULE_UNSUPPORTED",
        `${failure}: ${type} modules are unsupported`,
      );
  }
}
