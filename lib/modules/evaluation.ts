/**
 * Evaluates linked modules as ECMA-262 has it (Cyclic Module Records, section 16.2.1.6). Dependencies come first, and
 * each module is evaluated once. Modules that await may do so at the same time. The names of fields and functions are
 * those of the specification.
 */
import type { ModuleRecord } from "./record";
import { SourceModule } from "./source";
import type { SyntheticModule } from "./synthetic";

/** What the evaluation of a module keeps. */
class Progress {
  dfsAncestorIndex: number;
  cycleRoot: SourceModule | undefined;
  /** Modules go on in the order in which they began to wait; `undefined` if the module does not wait, or no more. */
  asyncEvaluationOrder: number | undefined;
  pendingAsyncDependencies = 0;
  readonly asyncParentModules: SourceModule[] = [];
  topLevelCapability: Capability | undefined;

  constructor(readonly dfsIndex: number) {
    this.dfsAncestorIndex = dfsIndex;
  }
}

class Capability {
  resolve!: () => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

const progresses = new WeakMap<SourceModule, Progress>();
let asyncEvaluations = 0;

/** Evaluates a module that is linked. Resolves when it, and everything that it imports, has run; rejects with what it threw. */
export function evaluate(root: ModuleRecord): Promise<void> {
  if (root instanceof SourceModule) return evaluateSource(root);
  return new Promise((resolve) => resolve((root as SyntheticModule).evaluate()));
}

function evaluateSource(root: SourceModule): Promise<void> {
  const module = progresses.get(root)?.cycleRoot ?? root;
  const begun = progresses.get(module)?.topLevelCapability;
  if (begun) return begun.promise;
  const capability = new Capability();
  const stack: SourceModule[] = [];
  try {
    innerEvaluation(module, stack, 0);
  } catch (value) {
    for (const one of stack) fail(one, value);
    capability.reject(value);
    return capability.promise;
  }
  const progress = progresses.get(module)!;
  progress.topLevelCapability = capability;
  if (progress.asyncEvaluationOrder === undefined) capability.resolve();
  return capability.promise;
}

function innerEvaluation(module: ModuleRecord, stack: SourceModule[], index: number): number {
  if (!(module instanceof SourceModule)) {
    (module as SyntheticModule).evaluate();
    return index;
  }
  if (module.error) throw module.error.value;
  if (module.status !== "linked") return index;
  const progress = new Progress(index);
  progresses.set(module, progress);
  module.status = "evaluating";
  stack.push(module);
  let next = index + 1;
  for (const dependency of module.dependencies.values()) {
    next = innerEvaluation(dependency, stack, next);
    if (dependency instanceof SourceModule) waitFor(dependency, module, progress);
  }
  if (progress.pendingAsyncDependencies > 0 || module.syntax.awaits) {
    progress.asyncEvaluationOrder = asyncEvaluations++;
    if (progress.pendingAsyncDependencies === 0) executeAsync(module);
  } else {
    module.code.run();
  }
  if (progress.dfsAncestorIndex === progress.dfsIndex) {
    for (const member of stack.splice(stack.indexOf(module))) {
      const own = progresses.get(member)!;
      own.cycleRoot = module;
      if (own.asyncEvaluationOrder === undefined) member.evaluated();
      else member.status = "suspended";
    }
  }
  return next;
}

/** Notes that a dependency is of the same cycle, or has to be waited for. */
function waitFor(dependency: SourceModule, module: SourceModule, progress: Progress): void {
  let required = dependency;
  if (required.status === "evaluating") {
    const { dfsAncestorIndex } = progresses.get(required)!;
    progress.dfsAncestorIndex = Math.min(progress.dfsAncestorIndex, dfsAncestorIndex);
  } else {
    required = progresses.get(required)!.cycleRoot!;
    if (required.error) throw required.error.value;
  }
  const awaited = progresses.get(required)!;
  if (awaited.asyncEvaluationOrder === undefined) return;
  progress.pendingAsyncDependencies++;
  awaited.asyncParentModules.push(module);
}

function executeAsync(module: SourceModule): void {
  const ended = module.code.run();
  Promise.prototype.then.call(
    ended,
    () => asyncModuleFulfilled(module),
    (error) => asyncModuleRejected(module, error),
  );
}

function asyncModuleFulfilled(module: SourceModule): void {
  if (module.status === "evaluated") return;
  finish(module);
  const order = (one: SourceModule) => progresses.get(one)!.asyncEvaluationOrder!;
  const available = [...gatherAvailableAncestors(module)].sort((a, b) => order(a) - order(b));
  for (const ancestor of available) {
    if (ancestor.status === "evaluated") continue;
    if (ancestor.syntax.awaits) {
      executeAsync(ancestor);
      continue;
    }
    try {
      ancestor.code.run();
    } catch (error) {
      asyncModuleRejected(ancestor, error);
      continue;
    }
    finish(ancestor);
  }
}

function finish(module: SourceModule): void {
  const progress = progresses.get(module)!;
  progress.asyncEvaluationOrder = undefined;
  module.evaluated();
  progress.topLevelCapability?.resolve();
}

function gatherAvailableAncestors(module: SourceModule, gathered = new Set<SourceModule>()) {
  for (const parent of progresses.get(module)!.asyncParentModules) {
    const progress = progresses.get(parent)!;
    if (gathered.has(parent) || progress.cycleRoot?.error) continue;
    progress.pendingAsyncDependencies--;
    if (progress.pendingAsyncDependencies > 0) continue;
    gathered.add(parent);
    if (!parent.syntax.awaits) gatherAvailableAncestors(parent, gathered);
  }
  return gathered;
}

function asyncModuleRejected(module: SourceModule, error: unknown): void {
  if (module.status === "evaluated") return;
  fail(module, error);
  const { asyncParentModules, topLevelCapability } = progresses.get(module)!;
  for (const parent of asyncParentModules) asyncModuleRejected(parent, error);
  topLevelCapability?.reject(error);
}

function fail(module: SourceModule, value: unknown): void {
  const progress = progresses.get(module)!;
  progress.asyncEvaluationOrder = undefined;
  progress.cycleRoot ??= module;
  module.error = { value };
  module.evaluated();
}
