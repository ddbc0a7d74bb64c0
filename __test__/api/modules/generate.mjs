// Random module graphs: cycles, re-exports, live bindings, modules that await, that import dynamically and that throw.
import { Random } from "../../support/prng.mjs";

function declarations(n) {
  return [
    `export const c${n} = "c${n}";`,
    `export let l${n} = 0; export function up${n}() { l${n}++; return l${n}; }`,
    `export class K${n} { static of = "K${n}"; }`,
    `export function f${n}(depth = 0) { return depth > 3 ? "deep" : CALLS; }`,
    `export var v${n} = "v${n}";`,
    `export const g${n} = () => l${n};`,
  ];
}

function names(n) {
  return [`c${n}`, `l${n}`, `up${n}`, `K${n}`, `f${n}`, `v${n}`, `g${n}`];
}

function uses(local, kind, random) {
  const read = `attempt(() => ${local});`;
  if (kind.startsWith("f") || kind.startsWith("up") || kind.startsWith("g")) {
    return random.chance(0.6) ? `attempt(() => ${local}());` : read;
  }
  if (kind.startsWith("l")) return `attempt(() => ${local}); attempt(() => { ${local} = 1; });`;
  return random.chance(0.7) ? read : `log(typeof (() => ${local}));`;
}

class Graph {
  constructor(seed) {
    this.random = new Random(seed);
    this.count = this.random.between(2, 6);
    this.awaits = this.random.chance(0.5);
    // Which of several import()s goes on first depends on the number of microtasks that each takes: one at most.
    this.dynamic = !this.awaits && this.random.chance(0.5);
    this.throws = this.random.chance(0.2);
  }

  files() {
    const files = { "main.mjs": this.module(0) };
    for (let n = 1; n < this.count; n++) files[`m${n}.mjs`] = this.module(n);
    return files;
  }

  target() {
    return this.random.between(1, this.count - 1);
  }

  /** Returns an import or re-export of module `to`, and what the body may do with it. */
  connection(n, to, index) {
    const { random } = this;
    const name = random.pick(names(to));
    const local = `i${index}`;
    switch (random.below(7)) {
      case 0:
        return [`import "./m${to}.mjs";`, ""];
      case 1:
        return [
          `import * as ${local} from "./m${to}.mjs";`,
          `attempt(() => Object.keys(${local})); attempt(() => ${local}.${name}); attempt(() => ${local});`,
        ];
      case 2:
        return [`export * from "./m${to}.mjs";`, ""];
      case 3:
        return [`export { ${name} as r${n}_${index} } from "./m${to}.mjs";`, ""];
      case 4:
        return [`import ${local} from "./m${to}.mjs";`, `attempt(() => ${local});`];
      default:
        return [`import { ${name} as ${local} } from "./m${to}.mjs";`, uses(local, name, random)];
    }
  }

  module(n) {
    const { random } = this;
    const connections = Array.from({ length: random.between(1, 4) }, (_, index) =>
      this.connection(n, this.target(), index),
    );
    const calls = connections
      .map(([, use], index) => (use.includes("()) ") ? `i${index}(depth + 1)` : ""))
      .filter(Boolean);
    const lines = declarations(n).map((line) => line.replace("CALLS", calls[0] ?? `l${n}`));
    lines.push(`log("${n} begins");`, ...connections.map(([, use]) => use));
    lines.push(
      `export default ${random.pick([`class {}`, `() => c${n}`, `"d${n}"`, `function () {}`])};`,
    );
    if (random.chance(0.3)) lines.push(`up${n}();`);
    if (this.awaits && random.chance(0.5)) {
      for (let k = random.between(1, 4); k > 0; k--) lines.push("await null;");
      lines.push(`log("${n} goes on");`);
    }
    if (this.dynamic && random.chance(0.4)) {
      this.dynamic = false;
      const imported = `import("./m${this.target()}.mjs").then((m) => attempt(() => m), log)`;
      lines.push(random.chance(0.5) ? `await ${imported};` : `${imported};`);
    }
    if (this.throws && random.chance(0.2)) lines.push(`throw new Error("from ${n}");`);
    // Declarations and statements in any order: dead zones differ.
    const body = [];
    while (lines.length > 0)
      body.push(...lines.splice(random.chance(0.7) ? 0 : random.below(lines.length), 1));
    body.push(`log("${n} ends");`);
    return [...connections.map(([text]) => text), ...body].filter(Boolean).join("\n");
  }
}

/** Returns `count` programs; the same seeds give the same ones. */
export function generatePrograms(firstSeed, count) {
  return Array.from({ length: count }, (_, n) => ({
    name: `seed ${firstSeed + n}`,
    exact: false,
    files: new Graph(firstSeed + n).files(),
  }));
}
