/** Modules with source code: how their names resolve, and what state they are in. */
import type { Context } from "node:vm";
import { ModuleCode } from "./code";
import {
  type Asked,
  type Binding,
  isBinding,
  type Lasting,
  ModuleRecord,
  type Resolution,
} from "./record";
import { type ParsedModule, parseSource } from "./rewrite";
import { DEFAULT_LOCAL, type NAMESPACE } from "./syntax";

/** linked to one another --> evaluating --> suspended, if it or an import of it awaits --> evaluated. */
export type Status = "unlinked" | "linked" | "evaluating" | "suspended" | "evaluated";

export type ImportModule = (specifier: string, referrer: SourceModule) => Promise<object>;

export class SourceModule extends ModuleRecord {
  readonly syntax: ParsedModule;
  readonly dependencies = new Map<string, ModuleRecord>();
  status: Status = "unlinked";
  readonly #context: Context;
  readonly #importModule: ImportModule;
  #code: ModuleCode | undefined;

  /** Throws acorn's `SyntaxError` if the code is no module. */
  constructor(identifier: string, source: string, context: Context, importModule: ImportModule) {
    super(identifier, context);
    this.syntax = parseSource(source);
    this.#context = context;
    this.#importModule = importModule;
  }

  /** The code, once the module has been instantiated. */
  get code(): ModuleCode {
    return this.#code!;
  }

  override exportNames(seen = new Set<ModuleRecord>()): Set<string> {
    const names = new Set<string>();
    if (seen.has(this)) return names;
    seen.add(this);
    const { localExports, indirectExports, starExports } = this.syntax;
    for (const { exported } of [...localExports, ...indirectExports]) names.add(exported);
    for (const specifier of starExports) {
      for (const name of this.dependencies.get(specifier)!.exportNames(seen)) {
        if (name !== "default") names.add(name);
      }
    }
    return names;
  }

  override resolve(name: string, asked: Asked = new Map()): Resolution {
    const names = asked.get(this) ?? new Set();
    if (names.has(name)) return { circle: "" };
    asked.set(this, names.add(name));
    const { localExports, indirectExports, starExports } = this.syntax;
    const own = localExports.find(({ exported }) => exported === name);
    if (own) return { module: this, local: own.local };
    const indirect = indirectExports.find(({ exported }) => exported === name);
    if (indirect) return this.resolveIn(indirect, asked);
    if (name === "default") return undefined;
    let found: Binding | undefined;
    for (const specifier of starExports) {
      const resolution = this.dependencies.get(specifier)!.resolve(name, asked);
      if (resolution === "ambiguous") return resolution;
      if (!isBinding(resolution)) continue;
      if (found && (found.module !== resolution.module || found.local !== resolution.local)) {
        return "ambiguous";
      }
      found = resolution;
    }
    return found;
  }

  /** Resolves something that this module imports or exports from another. */
  resolveIn(
    { specifier, imported }: { specifier: string; imported: string | typeof NAMESPACE },
    asked?: Asked,
  ): Resolution {
    const module = this.dependencies.get(specifier)!;
    if (typeof imported === "symbol") return { module, local: imported };
    const resolution = module.resolve(imported, asked);
    const closes = typeof resolution === "object" && "circle" in resolution && !resolution.circle;
    return closes ? { circle: specifier } : resolution;
  }

  override read(local: string): unknown {
    return this.code.getters.get(local)!();
  }

  override lastingFrom(local: string): Lasting {
    const { assigned, evals, functions } = this.syntax;
    if (evals || assigned.has(local)) return "never";
    return functions.has(local) ? "instantiation" : "evaluation";
  }

  /** Brings the code to its start; see `ModuleCode`. All names have been resolved. */
  instantiate(early: boolean): void {
    const imports = new Map(
      this.syntax.imports.map((entry) => [entry.local, this.resolveIn(entry) as Binding]),
    );
    const options = {
      identifier: this.identifier,
      parsed: this.syntax,
      context: this.#context,
      realm: this.realm,
      imports,
      load: (specifier: string) => this.#importModule(specifier, this),
    };
    this.#code = new ModuleCode(options, early);
    if (!this.syntax.functions.has(DEFAULT_LOCAL)) return;
    const named = { value: "default", configurable: true };
    Object.defineProperty(this.read(DEFAULT_LOCAL), "name", named);
  }

  evaluated(): void {
    this.status = "evaluated";
    if (this.error === undefined) this.fillNamespace();
  }
}
