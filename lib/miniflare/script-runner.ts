/**
 * Runs worker scripts as Miniflare does. Modules run also where Node.js has no `vm` modules. A syntax error in a module
 * gets the place that Node leaves out.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import vm from "node:vm";
import { defineHasInstances, VMScriptRunner, VMScriptRunnerError } from "@miniflare/runner-vm";
import {
  type AdditionalModules,
  type ProcessedModuleRule,
  STRING_SCRIPT_PATH,
} from "@miniflare/shared";
import { isModule } from "../build/script";
import { hasBuiltScripts, mapStackTraces } from "../build/source-maps";
import { sourcesOf } from "../build/sources";
import { kBeforeRun } from "../durable-objects/worker";
import { runModules } from "../modules";
import { findRefusedImport, type ModuleText } from "../modules/import-place";
import { suggestionFor, typeOfFile } from "../modules/loader";
import { findUnreadable } from "../modules/syntax-error";
import { defineDisposeSymbols } from "../shared/dispose";
import { isSurviving } from "../shared/first-start";
import { isInstanceOf } from "../shared/thrown";
import { WORKERS_MODULE } from "../workers/module";
import { brokenAtStart, brokenScript } from "./broken-script";
import { nameEntry, type Runnable, runnable } from "./source";
import { followsChange, watchForMissing } from "./watch/watcher";

type RunParameters = Parameters<VMScriptRunner["run"]>;

export class ScriptRunner extends VMScriptRunner {
  readonly #context: vm.Context | undefined;

  readonly #stackFrames: number | undefined;

  /**
   * Scripts run in `context`, if there is one, and otherwise each in a context of its own. `stackFrames` are the frames of
   * errors there, if they are not as many as Node.js has.
   */
  constructor(context?: vm.Context, stackFrames?: number) {
    super(context);
    this.#context = context;
    this.#stackFrames = stackFrames;
  }

  /** The files that scripts have been made of, those of mounts among them. */
  readonly files = new Set<string>();

  /** A script that a change has broken is answered for; one that cannot run at the start is an error, unless the start survives. */
  override async run(...given: RunParameters): ReturnType<VMScriptRunner["run"]> {
    const { filePath } = given[1];
    try {
      const result = await this.#runScript(given);
      this.#note(filePath, result.watch ?? []);
      return result;
    } catch (thrown) {
      const sources = filePath === STRING_SCRIPT_PATH ? [] : sourcesOf(filePath);
      this.#note(filePath, sources);
      if (isInstanceOf(thrown, VMScriptRunnerError)) suggest(thrown);
      if (isLinkError(thrown)) await addPlace(thrown, given[1], sources);
      if (isSurviving()) return { ...brokenAtStart(thrown), watch: sources };
      if (!followsChange()) throw thrown;
      watchForMissing(sources, filePath);
      return brokenScript(thrown);
    }
  }

  #note(filePath: string, others: Iterable<string>): void {
    if (filePath !== STRING_SCRIPT_PATH) this.files.add(path.resolve(filePath));
    for (const file of others) this.files.add(path.resolve(file));
  }

  async #runScript(given: RunParameters): ReturnType<VMScriptRunner["run"]> {
    const script = await runnable(given[1]);
    const [scope, , ...rest] = given;
    if (script.entry === undefined) return this.#run([scope, script, ...rest]);
    try {
      const result = await this.#run([scope, script, ...rest]);
      return { ...result, watch: [...(result.watch ?? []), ...script.inputs] };
    } catch (thrown) {
      if (isInstanceOf(thrown, VMScriptRunnerError)) explainBuilt(thrown, script);
      throw thrown;
    }
  }

  async #run(args: RunParameters): ReturnType<VMScriptRunner["run"]> {
    const [globalScope, blueprint, moduleRules, additionalModules = {}, compat] = args;
    const context = this.#contextFor(globalScope);
    prepare(context, additionalModules, globalScope, this.#stackFrames);
    const withNode =
      "SourceTextModule" in vm &&
      !importsByString(blueprint, additionalModules) &&
      !needsOwnLinker(blueprint, moduleRules ?? []);
    if (moduleRules === undefined || withNode) return super.run(...args);
    defineHasInstances(context);
    return runModules(context, blueprint, { moduleRules, additionalModules, compat, isModule });
  }

  /** Node.js takes a scope that is a context already as it is. */
  #contextFor(globalScope: RunParameters[0]): vm.Context {
    if (this.#context) return Object.assign(this.#context, globalScope);
    return vm.createContext(globalScope, { codeGeneration: { strings: false, wasm: false } });
  }
}

/** Names the script that the user has written, and the way to Node.js's modules. */
function explainBuilt(thrown: Error, script: Runnable): void {
  nameEntry(thrown, script);
  const [first] = thrown.message.split("\n", 1);
  if (!/ dependency "node:[^"]*": no matching module rules/.test(thrown.message)) return;
  thrown.message = `${first}\nAdd "nodejs_compat" to the compatibility flags to import modules of Node.js.`;
}

/**
 * Whether V8 has refused a module or an import of it, and says not where. Looks at what the script has thrown, which may
 * throw when it is looked at.
 */
function isLinkError(thrown: unknown): thrown is Error {
  try {
    const { name, stack } = thrown as Error;
    return name === "SyntaxError" && /^SyntaxError: .*\n/.test(String(stack));
  } catch {
    return false;
  }
}

/** Adds to a stack where the code is, in the script or in what it imports. */
async function addPlace(error: Error, script: RunParameters[1], sources: string[]): Promise<void> {
  const others = sources.filter((file) => path.resolve(script.filePath) !== file);
  const modules = [{ file: script.filePath, code: script.code }, ...textsOf(others)];
  const unreadable = String(error.stack).includes("new SourceTextModule");
  const place = unreadable
    ? await findUnreadable(modules)
    : findRefusedImport(error.message, modules);
  if (place !== undefined) error.stack = `${place}\n\n${error.stack}`;
}

function textsOf(files: string[]): ModuleText[] {
  return files.flatMap((file) => {
    try {
      return /\.m?js$/i.test(file) ? [{ file, code: readFileSync(file, "utf8") }] : [];
    } catch {
      return [];
    }
  });
}

/** Linkers suggest what Miniflare does: to bundle, whatever no rule allows. */
function suggest(thrown: VMScriptRunnerError): void {
  const [first = "", second = ""] = thrown.message.split("\n", 2);
  if (!second.startsWith("If you're trying to import an npm package")) return;
  const [, specifier] = / dependency "(.*)": no matching module rules/.exec(first) ?? [];
  if (thrown.code !== "ERR_MODULE_RULE" || specifier === undefined) return;
  thrown.message = `${first}\n${suggestionFor(specifier)}`;
}

/** Whether the script leads to a file that Miniflare's linker cannot take: JSON, or a module that ends in `.js`. */
function needsOwnLinker({ filePath }: RunParameters[1], moduleRules: ProcessedModuleRule[]) {
  if (filePath === STRING_SCRIPT_PATH) return false;
  return sourcesOf(filePath).some((file, i) => {
    const type = i === 0 ? undefined : typeOfFile(file, { moduleRules });
    if (type !== "CommonJS") return type === "JSON";
    return textsOf([file]).some(({ code }) => isModule(code, file));
  });
}

/** Gives a context what Node.js may not define in it, and tells the worker's module of the context. */
function prepare(
  context: vm.Context,
  modules: AdditionalModules,
  scope: object,
  stackFrames: number | undefined,
): void {
  const [symbols, anyClass, errors] = vm.runInContext("[Symbol, Object, Error]", context);
  if (stackFrames !== undefined) errors.stackTraceLimit = stackFrames;
  defineDisposeSymbols(symbols);
  if (hasBuiltScripts()) {
    mapStackTraces(Error);
    mapStackTraces(errors);
  }
  const beforeRun: unknown = Reflect.get(modules[WORKERS_MODULE] ?? {}, kBeforeRun);
  if (typeof beforeRun === "function") beforeRun(scope, anyClass);
}

/** Whether a string script names a module that it may import, though Miniflare's linker refuses all of a string script. */
function importsByString(
  { code, filePath }: RunParameters[1],
  additionalModules: AdditionalModules,
): boolean {
  if (filePath !== STRING_SCRIPT_PATH) return false;
  return Object.keys(additionalModules).some((name) => code.includes(name));
}
