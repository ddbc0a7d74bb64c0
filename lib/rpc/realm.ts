/**
 * Makes objects of another realm, such as a worker's `vm` context, from nothing but one of its functions.
 *
 * `Reflect.construct` takes the prototype from `newTarget.prototype`. If that is no object, ECMA-262 takes the intrinsic
 * prototype of the realm of `newTarget` (GetPrototypeFromConstructor).
 */

// biome-ignore lint/suspicious/noExplicitAny: constructors of any arguments
type Constructor<T = object> = new (...args: any[]) => T;
type ObjectConstructorLike = new () => Record<string, unknown>;
type ArrayConstructorLike = new (length?: number) => unknown[];

const { getPrototypeOf, setPrototypeOf } = Object;
const bind = Function.prototype.bind;

/** What Miniflare gives to every worker as it is here, so that these are the worker's own. */
const GIVEN = new Set<Constructor>([
  ArrayBuffer,
  BigInt64Array,
  BigUint64Array,
  DataView,
  Date,
  Float32Array,
  Float64Array,
  Int16Array,
  Int32Array,
  Int8Array,
  Map,
  Set,
  Uint16Array,
  Uint32Array,
  Uint8Array,
  Uint8ClampedArray,
]);

export class Realm {
  readonly #newTarget: Constructor;
  readonly #Object: ObjectConstructorLike;
  readonly #Array: ArrayConstructorLike;

  constructor(newTarget: Constructor) {
    this.#newTarget = newTarget;
    this.#Object = intrinsic(Object as unknown as ObjectConstructorLike, newTarget);
    this.#Array = intrinsic(Array as unknown as ArrayConstructorLike, newTarget);
  }

  object(): Record<string, unknown> {
    return new this.#Object();
  }

  array(length: number): unknown[] {
    const array = new this.#Array();
    array.length = length;
    return array;
  }

  /** Constructs one of the language's own objects. */
  make<T extends object>(Class: Constructor<T>, ...args: unknown[]): T {
    if (GIVEN.has(Class)) return new Class(...args);
    return Reflect.construct(Class, args, this.#newTarget) as T;
  }
}

/** The realm's own version of a constructor of this realm. */
function intrinsic<C extends Constructor>(Class: C, newTarget: Constructor): C {
  const sample = Reflect.construct(Class, [], newTarget) as object;
  return getPrototypeOf(sample).constructor;
}

/** A constructor of the same realm as `Class` that leads to the realm's intrinsic prototypes. */
function newTargetOf(Class: Constructor): Constructor {
  const bound = bind.call(Class, undefined);
  return setPrototypeOf(bound, null) as Constructor;
}

const realms = new WeakMap<object, Realm>();
const realmsOfClasses = new WeakMap<Constructor, Realm>();

/** The realm that this module runs in. */
export const HOST: Realm = realmOf(Object);

/** The realm of a constructor. */
export function realmOf(Class: Constructor): Realm {
  const known = realmsOfClasses.get(Class);
  if (known !== undefined) return known;
  const realm = findRealm(Class);
  realmsOfClasses.set(Class, realm);
  return realm;
}

function findRealm(Class: Constructor): Realm {
  const newTarget = newTargetOf(Class);
  const prototype = getPrototypeOf(Reflect.construct(Object, [], newTarget)) as object;
  let realm = realms.get(prototype);
  if (realm === undefined) {
    realm = new Realm(newTarget);
    realms.set(prototype, realm);
  }
  return realm;
}

/** The realm of a class or object of a worker, if it can be told. */
export function realmOfValue(value: unknown): Realm | undefined {
  if (value === undefined || value === null) return undefined;
  for (const candidate of [value, value.constructor]) {
    if (isConstructor(candidate)) return realmOf(candidate);
  }
  return undefined;
}

function isConstructor(value: unknown): value is Constructor {
  if (typeof value !== "function") return false;
  try {
    Reflect.construct(Object, [], value);
    return true;
  } catch {
    return false;
  }
}
