/** What the iterators of the SQL API inherit: what all iterators have, also the helpers that came with Node.js 22. */

type Callback<T = unknown> = (value: unknown, index: number) => T;

/** The prototype of all iterators. */
const BASE: object = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]()));

function callable<T>(value: T): T {
  if (typeof value !== "function") throw new TypeError(`${String(value)} is not a function`);
  return value;
}

function count(value: unknown): number {
  const number = Math.trunc(Number(value));
  if (!(number >= 0)) throw new RangeError(`${String(value)} must be positive`);
  return number;
}

/** The helpers, for a host that lacks them. Those that give iterators give such as have the helpers too. */
const HELPERS = {
  map(this: Iterable<unknown>, callback: Callback): Iterator<unknown> {
    return helped(mapped(this, callable(callback)));
  },
  filter(this: Iterable<unknown>, callback: Callback): Iterator<unknown> {
    return helped(filtered(this, callable(callback)));
  },
  take(this: Iterable<unknown>, limit: unknown): Iterator<unknown> {
    return helped(taken(this, count(limit)));
  },
  drop(this: Iterable<unknown>, limit: unknown): Iterator<unknown> {
    const dropped = count(limit);
    return helped(filtered(this, (_value, index) => index >= dropped));
  },
  flatMap(this: Iterable<unknown>, callback: Callback<Iterable<unknown>>): Iterator<unknown> {
    return helped(flattened(this, callable(callback)));
  },
  toArray(this: Iterable<unknown>): unknown[] {
    return [...this];
  },
  forEach(this: Iterable<unknown>, callback: Callback): void {
    callable(callback);
    let index = 0;
    for (const value of this) callback(value, index++);
  },
  some(this: Iterable<unknown>, callback: Callback): boolean {
    return !filtered(this, callable(callback)).next().done;
  },
  every(this: Iterable<unknown>, callback: Callback): boolean {
    callable(callback);
    return Boolean(filtered(this, (value, index) => !callback(value, index)).next().done);
  },
  find(this: Iterable<unknown>, callback: Callback): unknown {
    return filtered(this, callable(callback)).next().value;
  },
  reduce(
    this: Iterable<unknown>,
    callback: (sum: unknown, value: unknown, index: number) => unknown,
    ...initial: [unknown?]
  ): unknown {
    callable(callback);
    let [sum] = initial;
    let isFirst = initial.length === 0;
    let index = 0;
    for (const value of this) {
      sum = isFirst ? value : callback(sum, value, index);
      isFirst = false;
      index++;
    }
    if (isFirst) throw new TypeError("Reduce of a done iterator with no initial value");
    return sum;
  },
};

function* mapped(values: Iterable<unknown>, callback: Callback): Generator<unknown> {
  let index = 0;
  for (const value of values) yield callback(value, index++);
}

function* filtered(values: Iterable<unknown>, callback: Callback): Generator<unknown> {
  let index = 0;
  for (const value of values) if (callback(value, index++)) yield value;
}

function* taken(values: Iterable<unknown>, limit: number): Generator<unknown> {
  let left = limit;
  if (left === 0) return;
  for (const value of values) {
    yield value;
    if (--left === 0) return;
  }
}

function* flattened(
  values: Iterable<unknown>,
  callback: Callback<Iterable<unknown>>,
): Generator<unknown> {
  let index = 0;
  for (const value of values) yield* callback(value, index++);
}

/** The prototype of the iterators of this API. */
export const ITERATOR: object = prototype();

function prototype(): object {
  if ("toArray" in BASE) return BASE;
  const helpers: object = Object.create(BASE);
  for (const [name, value] of Object.entries(HELPERS)) {
    Object.defineProperty(helpers, name, { value, writable: true, configurable: true });
  }
  return helpers;
}

function helped(values: Iterator<unknown>): Iterator<unknown> {
  const iterator: object = Object.create(ITERATOR);
  const members = {
    next: () => values.next(),
    return: () => values.return!(),
    [Symbol.iterator]: () => iterator,
  };
  return Object.assign(iterator, members) as Iterator<unknown>;
}
