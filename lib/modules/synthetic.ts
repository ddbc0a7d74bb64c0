/** Modules whose exports are values: texts, data, WebAssembly, CommonJS modules, and those that Miniflare adds. */
import type { Context } from "node:vm";
import { type Lasting, ModuleRecord, type Resolution } from "./record";

export class SyntheticModule extends ModuleRecord {
  readonly #names: Set<string>;
  readonly #make: () => Record<string, unknown>;
  #exports: Record<string, unknown> | undefined;

  /** `make` returns the exports; it is called when the module is evaluated. */
  constructor(
    identifier: string,
    context: Context,
    names: Iterable<string>,
    make: () => Record<string, unknown>,
  ) {
    super(identifier, context);
    this.#names = new Set(names);
    this.#make = make;
  }

  override exportNames(): Set<string> {
    return this.#names;
  }

  override resolve(name: string): Resolution {
    return this.#names.has(name) ? { module: this, local: name } : undefined;
  }

  override read(local: string): unknown {
    return this.#exports?.[local];
  }

  override lastingFrom(): Lasting {
    return "evaluation";
  }

  evaluate(): void {
    if (this.#exports !== undefined) return;
    if (this.error) throw this.error.value;
    try {
      this.#exports = this.#make();
    } catch (value) {
      this.error = { value };
      throw value;
    }
    this.fillNamespace();
  }
}
