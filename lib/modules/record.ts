/** What every module has, whatever it was made from: names that can be imported, and a namespace. */
import type { Context } from "node:vm";
import { namespaceObject } from "./namespace-object";
import { type Realm, realmOf } from "./realm";
import { NAMESPACE } from "./syntax";

/** Where an import leads to: a variable of a module, or the namespace of one. */
export interface Binding {
  module: ModuleRecord;
  local: string | typeof NAMESPACE;
}

/** Re-exports that lead back to themselves, by the specifier that closes the circle. */
export interface Circle {
  circle: string;
}

export type Resolution = Binding | Circle | "ambiguous" | undefined;
/** From when a variable keeps its value: from the module's instantiation or evaluation on, or never. */
export type Lasting = "instantiation" | "evaluation" | "never";
/** The names that a search has asked each module for. */
export type Asked = Map<ModuleRecord, Set<string>>;

export abstract class ModuleRecord {
  readonly identifier: string;
  protected readonly realm: Realm;
  /** What the evaluation has thrown. */
  error: { value: unknown } | undefined;
  #namespace: ReturnType<typeof namespaceObject> | undefined;
  #filled = false;

  constructor(identifier: string, context: Context) {
    this.identifier = identifier;
    this.realm = realmOf(context);
  }

  /** Returns the names of all exports, those of `export *` too. */
  abstract exportNames(seen?: Set<ModuleRecord>): Set<string>;

  /** Finds the variable behind an export (ECMA-262, ResolveExport). */
  abstract resolve(name: string, asked?: Asked): Resolution;

  /** Reads one of the module's own variables. Throws as long as it is uninitialized. */
  abstract read(local: string): unknown;

  /** Returns when one of the module's own variables has the value that it keeps, if ever. */
  abstract lastingFrom(local: string): Lasting;

  /** Returns the namespace object, always the same one. The module must be linked. */
  get namespace(): object {
    if (this.#namespace === undefined) {
      this.#namespace = namespaceObject(
        this.#resolvableNames(),
        (name) => readBinding(this.resolve(name) as Binding),
        this.realm,
      );
      if (this.#filled) this.#namespace.fill();
    }
    return this.#namespace.object;
  }

  protected fillNamespace(): void {
    this.#filled = true;
    this.#namespace?.fill();
  }

  *#resolvableNames(): Iterable<string> {
    for (const name of this.exportNames()) {
      if (isBinding(this.resolve(name))) yield name;
    }
  }
}

export function isBinding(resolution: Resolution): resolution is Binding {
  return typeof resolution === "object" && "module" in resolution;
}

export function readBinding({ module, local }: Binding): unknown {
  return local === NAMESPACE ? module.namespace : module.read(local);
}
