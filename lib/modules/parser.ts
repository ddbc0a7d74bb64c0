/** Parses modules with acorn, in a time that grows with the source, however many names it declares. */
import { type Options, Parser, type Program } from "acorn";

/** A list of names that is searched at once. Acorn walks through plain ones at each declaration of a scope. */
class Names extends Array<string> {
  readonly #known = new Set<string>();

  override push(...names: string[]): number {
    for (const name of names) this.#known.add(name);
    return super.push(...names);
  }

  override indexOf(name: string): number {
    return this.#known.has(name) ? 0 : -1;
  }
}

/** What acorn keeps of the scopes that it is in, and how it begins one. Its types leave that out, so the version is an exact one. */
interface ScopedParser extends Parser {
  enterScope(flags: number): void;
  scopeStack: Record<"var" | "lexical" | "functions", string[]>[];
}

const ModuleParser = Parser.extend((Base) => {
  const ScopedBase = Base as unknown as new (options: Options, input: string) => ScopedParser;
  return class extends ScopedBase {
    override enterScope(flags: number): void {
      super.enterScope(flags);
      const [module, inner] = this.scopeStack;
      if (inner === undefined) {
        Object.assign(module!, { var: new Names(), lexical: new Names(), functions: new Names() });
      }
    }
  } as unknown as typeof Parser;
});

/** Throws acorn's `SyntaxError` if the source is no module. */
export function parseModule(source: string, onToken: Options["onToken"]): Program {
  return ModuleParser.parse(source, { ecmaVersion: "latest", sourceType: "module", onToken });
}
