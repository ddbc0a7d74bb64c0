/** Runs the code of one module in its steps: to its start, the imports that last, the body. */
import vm from "node:vm";
import type { Realm } from "./realm";
import { type Binding, type ModuleRecord, readBinding } from "./record";
import { type ParsedModule, rewrite } from "./rewrite";

export interface CodeOptions {
  /** The source code, and where it is from. */
  parsed: ParsedModule;
  identifier: string;
  context: vm.Context;
  realm: Realm;
  /** What each import leads to, by its local name. */
  imports: Map<string, Binding>;
  /** Serves `import()`. */
  load: (specifier: string) => Promise<object>;
}

type Body = Generator<void> | AsyncGenerator<void>;
type Values = Record<string, unknown>;
/** The wrapper gives the body, then takes imports that are functions, then others that are constant. */
type Wrapper = Generator<() => Body, void, Values>;

export class ModuleCode {
  /** Reads the exported variables, by their local names. */
  readonly getters = new Map<string, () => unknown>();
  /** Resolves when the code is at its start. Only that of a module which awaits is not there at once. */
  readonly ready: Promise<void> | undefined;
  readonly #options: CodeOptions;
  readonly #wrapper: Wrapper;
  readonly #body: Body;
  readonly #hoisted: string[] = [];
  readonly #constant: string[] = [];

  /**
   * Compiles the code and runs it to its start: its functions exist then, its other variables are uninitialized.
   * With `early`, these functions can be called before the module is evaluated, because of a cycle.
   *
   * # Errors
   * The `SyntaxError` of V8, of the realm.
   */
  constructor(options: CodeOptions, early: boolean) {
    this.#options = options;
    const { parsed, imports, load, realm } = options;
    const live: string[] = [];
    for (const [name, binding] of imports) {
      const lasting = lastingFrom(binding);
      if (lasting === "instantiation") this.#hoisted.push(name);
      else if (lasting === "evaluation" && !early) this.#constant.push(name);
      else live.push(name);
    }
    const names = { hoisted: this.#hoisted, constant: this.#constant, live };
    this.#wrapper = compile(
      rewrite(parsed, names),
      options,
    )({
      export: (name: string, getter: () => unknown) => this.getters.set(name, getter),
      import: realm.importFunction(load),
      meta: Object.create(null),
      live: liveImports(live, options),
      value: realm.value,
    });
    this.#body = this.#wrapper.next().value!.call(undefined);
    const started = this.#body.next();
    if (parsed.awaits) this.ready = settled(started as Promise<unknown>);
  }

  /** Gives the code the functions that it imports. Their modules have been instantiated. */
  bindFunctions(): void {
    this.#wrapper.next(this.#values(this.#hoisted));
  }

  /** Runs the body. What it imports has been evaluated, but for cycles. Returns the promise of its end if it awaits. */
  run(): PromiseLike<unknown> | undefined {
    this.#wrapper.next(this.#values(this.#constant));
    const ended = this.#body.next();
    return this.#options.parsed.awaits ? (ended as Promise<unknown>) : undefined;
  }

  #values(names: string[]): Values {
    const { imports } = this.#options;
    return Object.fromEntries(names.map((name) => [name, readBinding(imports.get(name)!)]));
  }
}

/** A namespace can be used as soon as functions can. */
function lastingFrom({ module, local }: Binding): ReturnType<ModuleRecord["lastingFrom"]> {
  return typeof local === "symbol" ? "instantiation" : module.lastingFrom(local);
}

function compile(script: string, { identifier, context, realm }: CodeOptions) {
  let compiled: vm.Script;
  try {
    compiled = new vm.Script(script, { filename: identifier, lineOffset: -1 });
  } catch (thrown) {
    const { message, stack } = thrown as SyntaxError;
    throw Object.assign(realm.syntaxError(message), { stack });
  }
  return compiled.runInContext(context) as (parts: object) => Wrapper;
}

/** Makes the object that live imports are looked up in. */
function liveImports(names: string[], { imports, realm }: CodeOptions): object {
  const scope = Object.create(null);
  for (const name of names) {
    const binding = imports.get(name)!;
    const get = () => {
      try {
        return readBinding(binding);
      } catch {
        return realm.refuseEarlyUse(name, get);
      }
    };
    const set = () => realm.refuseAssignment(set);
    Object.defineProperty(scope, name, { get, set });
  }
  return scope;
}

/** Resolves when `promise`, of whatever realm, has been fulfilled. */
function settled(promise: PromiseLike<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    Promise.prototype.then.call(promise, () => resolve(), reject);
  });
}
