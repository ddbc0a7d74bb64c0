// Cycles in a directed graph whose edges say why they are there.

/** Nodes are numbers; `edge(from, to, why)` adds an edge, of which the first between two nodes counts. */
export class Graph {
  #edges = [];

  constructor(size) {
    this.#edges = Array.from({ length: size }, () => new Map());
  }

  edge(from, to, why) {
    if (from !== to && !this.#edges[from].has(to)) this.#edges[from].set(to, why);
  }

  /** Adds a node, and gives its number. */
  node() {
    return this.#edges.push(new Map()) - 1;
  }

  /** A shortest cycle as `[{ from, to, why }]`, or undefined. */
  cycle() {
    let best;
    for (const component of this.#components()) {
      const within = new Set(component);
      for (const start of component.slice(0, 200)) {
        const found = this.#cycleAt(start, within);
        if (found && (!best || found.length < best.length)) best = found;
      }
    }
    return best;
  }

  /** The strongly connected components of more than one node (Tarjan's algorithm, without recursion). */
  #components() {
    const order = new Map();
    const low = new Map();
    const stack = [];
    const stacked = new Set();
    const components = [];
    for (let root = 0; root < this.#edges.length; root++) {
      if (order.has(root)) continue;
      const path = [];
      const enter = (node) => {
        order.set(node, order.size);
        low.set(node, order.get(node));
        stack.push(node);
        stacked.add(node);
        path.push({ node, next: this.#edges[node].keys() });
      };
      enter(root);
      while (path.length > 0) {
        const { node, next } = path.at(-1);
        const { done, value } = next.next();
        if (!done) {
          if (!order.has(value)) enter(value);
          else if (stacked.has(value)) low.set(node, Math.min(low.get(node), order.get(value)));
          continue;
        }
        path.pop();
        if (path.length > 0) {
          const parent = path.at(-1).node;
          low.set(parent, Math.min(low.get(parent), low.get(node)));
        }
        if (low.get(node) !== order.get(node)) continue;
        const component = [];
        let member;
        do {
          member = stack.pop();
          stacked.delete(member);
          component.push(member);
        } while (member !== node);
        if (component.length > 1) components.push(component);
      }
    }
    return components;
  }

  /** A shortest cycle through `start` inside a component. */
  #cycleAt(start, within) {
    const cameFrom = new Map();
    const queue = [start];
    for (const node of queue) {
      for (const to of this.#edges[node].keys()) {
        if (to === start) {
          const cycle = [{ from: node, to, why: this.#edges[node].get(to) }];
          for (let at = node; at !== start; at = cameFrom.get(at)) {
            const from = cameFrom.get(at);
            cycle.unshift({ from, to: at, why: this.#edges[from].get(at) });
          }
          return cycle;
        }
        if (within.has(to) && !cameFrom.has(to)) {
          cameFrom.set(to, node);
          queue.push(to);
        }
      }
    }
    return undefined;
  }
}
