// Checks a history of transactions for strict serializability, in the manner of Elle (Kingsbury and Alvaro, 2020).
//
// Lists that are only appended to show their version order. Sets of keys that are inserted once show what a range read
// has missed. A cycle of dependencies means that no serial order explains what all transactions saw. Dependencies are
// ww (overwrote), wr (read from), rw (read before the write of) and rt (ended before the start of).
import { Graph } from "./graph.mjs";

/**
 * A transaction: `{ process, status, invoked, ended, steps }`; status "ok", "failed" (it certainly did not happen) or
 * "unknown" (killed on its way); times of one clock for all processes. Steps in order, as they happened:
 * - `{ f: "read", key, found }`: a list, [] for none
 * - `{ f: "append", key, value }`: each value once
 * - `{ f: "scan", prefix, found }`: the keys with that prefix
 * - `{ f: "insert", key }`: each key once
 *
 * Returns the anomalies, as text: none if the history is strictly serializable.
 */
export function check(history) {
  return new Check(history).run();
}

class Check {
  #history;
  #anomalies = [];
  /** Who appended a value to a list, and who inserted a key. */
  #appenders = new Map();
  #inserters = new Map();
  /** Who certainly happened: those that succeeded, and those of which a reader has seen anything. */
  #happened = new Set();

  constructor(history) {
    this.#history = history;
  }

  run() {
    this.#collect();
    for (const number of this.#history.keys()) this.#checkOwn(number);
    const orders = this.#versionOrders();
    if (this.#anomalies.length > 0) return this.#anomalies;
    const graph = new Graph(this.#history.length);
    this.#addLists(graph, orders);
    this.#addSets(graph);
    const cycle = graph.cycle();
    if (cycle) return [this.#describe(cycle)];
    this.#addTime(graph);
    const late = graph.cycle();
    return late ? [this.#describe(late)] : [];
  }

  #collect() {
    for (const [number, { status, steps }] of this.#history.entries()) {
      if (status === "ok") this.#happened.add(number);
      for (const { f, key, value } of steps) {
        if (f === "append") this.#own(this.#appenders, `${key} ${value}`, number);
        if (f === "insert") this.#own(this.#inserters, key, number);
      }
    }
    for (const [number, { status, steps }] of this.#history.entries()) {
      if (status !== "ok") continue;
      for (const { f, key, found } of steps) {
        for (const seen of found ?? []) {
          const writer =
            f === "read" ? this.#appenders.get(`${key} ${seen}`) : this.#inserters.get(seen);
          if (writer === undefined) {
            this.#report(
              "garbage read",
              `${this.#name(number)} read ${seen}, which no transaction wrote`,
            );
          } else if (this.#history[writer].status === "failed") {
            this.#report(
              "aborted read",
              `${this.#name(number)} read ${seen} of ${this.#name(writer)}, which failed`,
            );
          } else {
            this.#happened.add(writer);
          }
        }
      }
    }
  }

  #own(writers, what, number) {
    if (writers.has(what)) throw new Error(`The test is wrong: ${what} is written twice.`);
    writers.set(what, number);
  }

  /** What a transaction reads must hold what it wrote before, and must not change without that. */
  #checkOwn(number) {
    if (this.#history[number].status !== "ok") return;
    const lists = new Map();
    const inserted = new Set();
    const scans = new Map();
    for (const { f, key, value, prefix, found } of this.#history[number].steps) {
      if (f === "append") {
        if (lists.has(key)) lists.get(key).push(value);
      } else if (f === "insert") {
        inserted.add(key);
        for (const [scanned, keys] of scans) if (key.startsWith(scanned)) keys.add(key);
      } else if (f === "read") {
        const before = lists.get(key);
        if (before && before.join() !== found.join()) {
          this.#report(
            "internal",
            `${this.#name(number)} read ${key} as [${found}] after it was [${before}]`,
          );
        }
        lists.set(key, [...found]);
      } else {
        const missed = [...inserted].filter(
          (own) => own.startsWith(prefix) && !found.includes(own),
        );
        if (missed.length > 0) {
          this.#report(
            "internal",
            `${this.#name(number)} did not find its own ${missed} in ${prefix}`,
          );
        }
        const before = scans.get(prefix);
        if (before && [...before].sort().join() !== [...found].sort().join()) {
          this.#report(
            "internal",
            `${this.#name(number)} listed ${prefix} as [${found}] after it was [${[...before]}]`,
          );
        }
        scans.set(prefix, new Set(found));
      }
    }
  }

  /** What other transactions left in a list when this one read it: its own appends are not theirs. */
  #foreign(number, key, found) {
    return found.filter((value) => this.#appenders.get(`${key} ${value}`) !== number);
  }

  #versionOrders() {
    const orders = new Map();
    const reads = [];
    for (const [number, { status, steps }] of this.#history.entries()) {
      if (status !== "ok") continue;
      for (const { f, key, found } of steps) {
        if (f !== "read") continue;
        reads.push({ number, key, found });
        if (new Set(found).size !== found.length) {
          this.#report("duplicate", `${this.#name(number)} read ${key} as [${found}]`);
        }
        if (found.length > (orders.get(key)?.length ?? -1)) orders.set(key, found);
      }
    }
    for (const { number, key, found } of reads) {
      const order = orders.get(key);
      if (found.some((value, place) => value !== order[place])) {
        this.#report(
          "lost or reordered append",
          `${this.#name(number)} read ${key} as [${found}], others as [${order}]`,
        );
      }
      this.#checkIntermediate(number, key, this.#foreign(number, key, found));
    }
    return orders;
  }

  /** A reader that sees one of a transaction's appends to a list sees all of them. */
  #checkIntermediate(number, key, found) {
    const last = this.#appenders.get(`${key} ${found.at(-1)}`);
    if (found.length === 0 || last === undefined) return;
    const all = this.#history[last].steps.filter((step) => step.f === "append" && step.key === key);
    if (all.at(-1).value !== found.at(-1)) {
      this.#report(
        "intermediate read",
        `${this.#name(number)} read ${key} up to ${found.at(-1)} of ${this.#name(last)}`,
      );
    }
  }

  #addLists(graph, orders) {
    const writer = (key, value) => this.#appenders.get(`${key} ${value}`);
    const unseen = this.#unseenAppends(orders);
    for (const [key, order] of orders) {
      for (let place = 1; place < order.length; place++) {
        graph.edge(
          writer(key, order[place - 1]),
          writer(key, order[place]),
          `ww: ${order[place]} comes after ${order[place - 1]} in ${key}`,
        );
      }
      for (const later of unseen.get(key) ?? []) {
        if (order.length > 0)
          graph.edge(writer(key, order.at(-1)), later, `ww: no reader saw its append to ${key}`);
      }
    }
    for (const [number, { status, steps }] of this.#history.entries()) {
      if (status !== "ok") continue;
      for (const { f, key, found } of steps) {
        if (f !== "read") continue;
        const foreign = this.#foreign(number, key, found);
        if (foreign.length > 0) {
          graph.edge(writer(key, foreign.at(-1)), number, `wr: read ${foreign.at(-1)} in ${key}`);
        }
        const order = orders.get(key);
        const next = order.slice(found.length).find((value) => writer(key, value) !== number);
        const later = next === undefined ? (unseen.get(key) ?? []) : [writer(key, next)];
        for (const overtaken of later) {
          graph.edge(
            number,
            overtaken,
            `rw: read ${key} as [${found}] before its append of ${next ?? "something"}`,
          );
        }
      }
    }
  }

  /** Those that appended to a list what no reader has seen: they come after all that was read. */
  #unseenAppends(orders) {
    const unseen = new Map();
    for (const [what, number] of this.#appenders) {
      const [key, value] = what.split(" ");
      if (
        !this.#happened.has(number) ||
        (orders.get(key) ?? []).some((seen) => String(seen) === value)
      )
        continue;
      unseen.set(key, [...(unseen.get(key) ?? []), number]);
    }
    return unseen;
  }

  #addSets(graph) {
    const inserted = [...this.#inserters].filter(([, number]) => this.#happened.has(number));
    for (const [number, { status, steps }] of this.#history.entries()) {
      if (status !== "ok") continue;
      for (const { f, prefix, found } of steps) {
        if (f !== "scan") continue;
        const present = new Set(found);
        for (const [key, writer] of inserted) {
          if (!key.startsWith(prefix)) continue;
          if (present.has(key)) graph.edge(writer, number, `wr: listed its ${key}`);
          else graph.edge(number, writer, `rw: listed ${prefix} before its insert of ${key}`);
        }
      }
    }
  }

  /** Adds that each transaction that ended came before those that began later, by a chain of moments. */
  #addTime(graph) {
    const moments = [];
    for (const number of this.#happened) {
      const { status, invoked, ended } = this.#history[number];
      moments.push({ at: invoked, number, begins: true });
      if (status === "ok") moments.push({ at: ended, number, begins: false });
    }
    moments.sort((one, other) => one.at - other.at || Number(other.begins) - Number(one.begins));
    let latest;
    for (const { number, begins } of moments) {
      if (begins) {
        if (latest !== undefined) graph.edge(latest, number, "rt: began after that");
        continue;
      }
      const moment = graph.node();
      graph.edge(number, moment, "rt: ended");
      if (latest !== undefined) graph.edge(latest, moment, "rt: later");
      latest = moment;
    }
  }

  #name(number) {
    return `T${number} (${this.#history[number].process})`;
  }

  #report(anomaly, text) {
    this.#anomalies.push(`${anomaly}: ${text}`);
  }

  #describe(cycle) {
    const kinds = cycle.map(({ why }) => why.slice(0, 2));
    const antis = cycle.filter(({ why }) => why.startsWith("rw"));
    const anomaly = kinds.includes("rt")
      ? "stale read or lost write (real time)"
      : antis.some(({ why }) => why.includes("listed"))
        ? "phantom"
        : antis.length === 0
          ? "circular information flow"
          : antis.length === 1
            ? "lost update or read skew"
            : "write skew";
    const size = this.#history.length;
    const shown = cycle.map(({ from, to, why }) => {
      const name = (node) => (node < size ? this.#name(node) : "a moment");
      return `  ${name(from)} -> ${name(to)}  ${why}`;
    });
    return `${anomaly}:\n${shown.join("\n")}`;
  }
}
