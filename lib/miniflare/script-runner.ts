/**
 * Runs worker scripts as Miniflare does, modules also where Node.js has no `vm` modules, and adds to a syntax error in a
 * module the place that Node leaves out.
 */
import vm from "node:vm";
import { defineHasInstances, VMScriptRunner } from "@miniflare/runner-vm";
import { runModules } from "../modules";
import { findSyntaxProblem } from "../modules/syntax-error";

type RunParameters = Parameters<VMScriptRunner["run"]>;

export class ScriptRunner extends VMScriptRunner {
  readonly #context: vm.Context | undefined;

  /** Scripts run in `context`, if there is one, and otherwise each in a context of its own. */
  constructor(context?: vm.Context) {
    super(context);
    this.#context = context;
  }

  override async run(...args: RunParameters): ReturnType<VMScriptRunner["run"]> {
    const [globalScope, blueprint, moduleRules, additionalModules = {}, compat] = args;
    if (moduleRules === undefined || "SourceTextModule" in vm) return this.#runWithNode(args);
    const context = this.#contextFor(globalScope);
    defineHasInstances(context);
    return runModules(context, blueprint, { moduleRules, additionalModules, compat });
  }

  #contextFor(globalScope: RunParameters[0]): vm.Context {
    if (this.#context) return Object.assign(this.#context, globalScope);
    return vm.createContext(globalScope, { codeGeneration: { strings: false, wasm: false } });
  }

  async #runWithNode(args: RunParameters) {
    try {
      return await super.run(...args);
    } catch (thrown) {
      if (isModuleSyntaxError(thrown)) {
        const problem = await findSyntaxProblem(args[1].code, args[1].filePath);
        if (problem !== undefined) thrown.stack = `${problem.place}\n\n${thrown.stack}`;
      }
      throw thrown;
    }
  }
}

/** Looks at what the script has thrown, which may throw when it is looked at. */
function isModuleSyntaxError(thrown: unknown): thrown is Error {
  try {
    const { name, stack } = thrown as Error;
    return name === "SyntaxError" && String(stack).includes("new SourceTextModule");
  } catch {
    return false;
  }
}
