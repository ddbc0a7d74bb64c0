/** What rows and steps of iterators are made of: objects of the realm of the class whose object has the database. */

/** The realm of a class, as the room of RPC finds it. */
export interface RowRealm {
  object(): object;
  array(length: number): unknown[];
  make<T extends object>(Class: new (...args: never[]) => T, ...args: unknown[]): T;
}

/** The realm of this module, for storages outside of objects. */
export const OWN_REALM: RowRealm = {
  object: () => ({}),
  array: (length) => new Array(length),
  make: (Class, ...args) => Reflect.construct(Class, args),
};

/** Constructs a row from the cells that start at a place. */
export type Row = new (cells: unknown[], at: number) => Record<string, unknown>;
/** One step of an iterator. */
type Step = new (done: boolean, value: unknown) => IteratorResult<unknown>;

/** More columns than most statements have; V8 would compile more functions than are of use. */
const ROWS_KEPT_MAX = 500;

export class RowKit {
  readonly realm: RowRealm;
  readonly Step: Step;
  readonly #prototype: object;
  readonly #ArrayClass: new (
    length: number,
  ) => unknown[];
  /** By the names of the columns. */
  readonly #rows = new Map<string, Row>();

  constructor(realm: RowRealm) {
    this.realm = realm;
    this.#prototype = Object.getPrototypeOf(realm.object());
    this.#ArrayClass = realm.array(0).constructor as new (length: number) => unknown[];
    this.Step = function (this: { done: boolean; value: unknown }, done: boolean, value: unknown) {
      this.done = done;
      this.value = value;
    } as unknown as Step;
    this.Step.prototype = this.#prototype;
  }

  array(length: number): unknown[] {
    return new this.#ArrayClass(length);
  }

  /** What constructs rows with these columns; of several with one name the last counts. */
  row(names: readonly string[]): Row {
    const key = JSON.stringify(names);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (this.#rows.size >= ROWS_KEPT_MAX) this.#rows.clear();
    const made = compiled(names) ?? looped(names);
    made.prototype = this.#prototype;
    this.#rows.set(key, made);
    return made;
  }
}

const kits = new WeakMap<RowRealm, RowKit>();

export function rowKit(realm: RowRealm): RowKit {
  let kit = kits.get(realm);
  if (kit === undefined) {
    kit = new RowKit(realm);
    kits.set(realm, kit);
  }
  return kit;
}

/** A constructor that assigns the properties by name: V8 knows the shape of the row, which saves most of its cost. */
function compiled(names: readonly string[]): Row | undefined {
  const assignments = names.map((name, i) => `this[${JSON.stringify(name)}] = cells[at + ${i}];`);
  try {
    return new Function("cells", "at", assignments.join("\n")) as unknown as Row;
  } catch {
    // Node.js runs with --disallow-code-generation-from-strings.
    return undefined;
  }
}

function looped(names: readonly string[]): Row {
  return function (this: Record<string, unknown>, cells: unknown[], at: number) {
    for (let i = 0; i < names.length; i++) this[names[i]!] = cells[at + i];
  } as unknown as Row;
}
