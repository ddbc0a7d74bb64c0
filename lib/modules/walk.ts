/** Walks through a module's syntax tree: which variables may change, what awaits, and which places are rewritten. */
import type { AnyNode, Node, Program } from "acorn";

export interface Span {
  start: number;
  end: number;
}

export interface Places {
  /** Where the keyword of each `import()` starts. */
  dynamicImports: number[];
  /** Each `import.meta`. */
  metas: Span[];
  /** Each `arguments` that belongs to no function. */
  freeArguments: number[];
  /** The function of each call that is a plain name. */
  callees: (Span & { name: string })[];
}

/** Adds the variables that a pattern, or the left side of an assignment, sets. */
export function addTargets(pattern: AnyNode | null, names: Set<string>): void {
  switch (pattern?.type) {
    case "Identifier":
      names.add(pattern.name);
      return;
    case "ObjectPattern":
      for (const part of pattern.properties) {
        addTargets(part.type === "RestElement" ? part.argument : part.value, names);
      }
      return;
    case "ArrayPattern":
      for (const element of pattern.elements) addTargets(element, names);
      return;
    case "AssignmentPattern":
      addTargets(pattern.left, names);
      return;
    case "RestElement":
      addTargets(pattern.argument, names);
  }
}

/** Whose `await` and whose `arguments` those are at a node: the module's or a function's. */
interface Surroundings {
  inFunction: boolean;
  hasArguments: boolean;
}

/** Walks through all nodes of a program, without recursion: expressions of generated code can be deep. */
export class Walk {
  awaits = false;
  evals = false;
  readonly assigned = new Set<string>();
  readonly names = new Set<string>();
  readonly places: Places = {
    dynamicImports: [],
    metas: [],
    freeArguments: [],
    callees: [],
  };
  readonly #waiting: [AnyNode, Surroundings][] = [];

  constructor(program: Program) {
    this.#waiting.push([program, { inFunction: false, hasArguments: false }]);
    for (let next = this.#waiting.pop(); next; next = this.#waiting.pop()) this.#visit(...next);
  }

  #visit(node: AnyNode, around: Surroundings): void {
    switch (node.type) {
      case "Identifier":
        this.names.add(node.name);
        if (node.name === "arguments" && !around.hasArguments) {
          this.places.freeArguments.push(node.start);
        }
        return;
      case "MetaProperty":
        if (node.meta.name === "import") {
          this.places.metas.push({ start: node.start, end: node.end });
        }
        return;
      case "ImportExpression":
        this.places.dynamicImports.push(node.start);
        break;
      case "AwaitExpression":
        this.awaits ||= !around.inFunction;
        break;
      case "VariableDeclaration":
        this.awaits ||= node.kind === "await using" && !around.inFunction;
        break;
      case "AssignmentExpression":
        addTargets(node.left, this.assigned);
        break;
      case "UpdateExpression":
        addTargets(node.argument, this.assigned);
        break;
      case "ForOfStatement":
        this.awaits ||= node.await && !around.inFunction;
        addTargets(node.left, this.assigned);
        break;
      case "ForInStatement":
        addTargets(node.left, this.assigned);
        break;
      case "CallExpression":
        this.#called(node.callee);
        break;
      case "TaggedTemplateExpression":
        this.#called(node.tag);
    }
    this.#enter(node, around);
  }

  #called(callee: AnyNode): void {
    if (callee.type !== "Identifier") return;
    const { name, start, end } = callee;
    this.evals ||= name === "eval";
    this.places.callees.push({ name, start, end });
  }

  #enter(node: AnyNode, around: Surroundings): void {
    const inside = surroundingsIn(node, around);
    const named = "computed" in node && !node.computed;
    for (const part in node) {
      const value: unknown = node[part as keyof AnyNode];
      // The name of a property is no variable.
      if (typeof value !== "object" || (named && (part === "key" || part === "property"))) continue;
      const own = part === "key" || part === "superClass" ? around : inside;
      if (Array.isArray(value)) for (const child of value) this.#push(child, own);
      else this.#push(value, own);
    }
  }

  #push(child: unknown, around: Surroundings): void {
    if (isNode(child)) this.#waiting.push([child as AnyNode, around]);
  }
}

function isNode(value: unknown): value is Node {
  return typeof (value as Node | null)?.type === "string";
}

function surroundingsIn(node: AnyNode, around: Surroundings): Surroundings {
  switch (node.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "StaticBlock":
    case "PropertyDefinition":
      return { inFunction: true, hasArguments: true };
    case "ArrowFunctionExpression":
      return { ...around, inFunction: true };
    default:
      return around;
  }
}
