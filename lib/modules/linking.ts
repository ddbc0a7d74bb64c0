/** Links module graphs: checks that every import leads somewhere, and brings the code of each module to its start. */
import type { Realm } from "./realm";
import { isBinding, type ModuleRecord, type Resolution } from "./record";
import { SourceModule } from "./source";

/**
 * Links a module with everything that it imports, directly or not. Returns what has to be waited for before they are
 * evaluated, if anything has.
 *
 * # Errors
 * A `SyntaxError` of the realm: an import that leads nowhere, or code that V8 refuses. Nothing is linked then.
 */
export function link(root: ModuleRecord, realm: Realm): Promise<unknown> | undefined {
  const { modules, called } = explore(root);
  const unlinked = modules.filter(({ status }) => status === "unlinked");
  for (const module of unlinked) checkNames(module, realm);
  for (const module of unlinked) module.instantiate(called.has(module));
  for (const module of unlinked) {
    module.code.bindFunctions();
    module.status = "linked";
  }
  const starting = modules.flatMap(({ code }) => code.ready ?? []);
  return starting.length > 0 ? Promise.all(starting) : undefined;
}

function sourcesOf(module: SourceModule): SourceModule[] {
  return [...module.dependencies.values()].filter((one) => one instanceof SourceModule);
}

/**
 * Returns the modules of a graph, dependencies first. Also returns those whose functions can be called before they are
 * evaluated: members of a cycle, and what those depend on.
 */
function explore(root: ModuleRecord) {
  const modules: SourceModule[] = [];
  const cyclic: SourceModule[] = [];
  const stack: SourceModule[] = [];
  /** Where a module is on the stack of Tarjan's algorithm, and the lowest place that it leads to. */
  const places = new Map<SourceModule, { index: number; lowest: number }>();

  function visit(module: SourceModule): number {
    const known = places.get(module);
    if (known) return stack.includes(module) ? known.index : Number.POSITIVE_INFINITY;
    const place = { index: places.size, lowest: places.size };
    places.set(module, place);
    stack.push(module);
    const dependencies = sourcesOf(module);
    for (const dependency of dependencies) {
      place.lowest = Math.min(place.lowest, visit(dependency));
    }
    modules.push(module);
    if (place.lowest === place.index) {
      const component = stack.splice(stack.indexOf(module));
      if (component.length > 1 || dependencies.includes(module)) cyclic.push(...component);
    }
    return place.lowest;
  }

  if (root instanceof SourceModule) visit(root);
  const called = new Set(cyclic);
  for (const module of called) for (const dependency of sourcesOf(module)) called.add(dependency);
  return { modules, called };
}

function checkNames(module: SourceModule, realm: Realm): void {
  const { imports, indirectExports } = module.syntax;
  for (const entry of imports) check(module.resolveIn(entry), entry, realm);
  for (const entry of indirectExports) check(module.resolve(entry.exported), entry, realm);
}

function check(
  resolution: Resolution,
  { specifier, imported }: { specifier: string; imported: string | symbol },
  realm: Realm,
): void {
  if (isBinding(resolution)) return;
  const requested = `The requested module '${specifier}'`;
  const name = String(imported);
  if (resolution === undefined) {
    throw realm.syntaxError(`${requested} does not provide an export named '${name}'`);
  }
  if (resolution === "ambiguous") {
    throw realm.syntaxError(`${requested} contains conflicting star exports for name '${name}'`);
  }
  throw realm.syntaxError(
    `Detected cycle while resolving name '${name}' in '${resolution.circle}'`,
  );
}
