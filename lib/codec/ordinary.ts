/**
 * Tells ordinary objects, of any realm, from everything with internal slots, without running user code.
 *
 * V8 serializes by internal slots and ignores prototypes, and JavaScript sees only prototypes. An object whose
 * prototype is the genuine `Object.prototype` of a realm is ordinary, or an arguments object, or one whose prototype
 * was replaced. Those that V8 would write otherwise (maps, dates, errors, buffers) are told apart even then. One case
 * remains: an object that V8 cannot clone (a `WeakRef`, say) whose prototype was replaced by `Object.prototype`. It is
 * taken for an ordinary object.
 */
import { types } from "node:util";

const { isAnyArrayBuffer, isMap, isProxy, isSet } = types;
const { getOwnPropertyDescriptor, getPrototypeOf } = Object;
const isView = ArrayBuffer.isView;
const toStringOf = Object.prototype.toString;
const sourceOf = Function.prototype.toString;
const OBJECT_SOURCE = sourceOf.call(Object);

const ownObjectPrototype = Object.prototype;
/** The `Object.prototype`s of other realms; weak, so that their contexts can be collected. */
const foreignObjectPrototypes = new WeakSet<object>();

/** Whether V8 would write `object`, which is neither a proxy nor an array, as a plain list of properties. */
export function isOrdinary(object: object): boolean {
  const prototype = getPrototypeOf(object);
  if (!isObjectPrototype(prototype)) return false;
  return (
    !(Symbol.toStringTag in object) &&
    toStringOf.call(object) === "[object Object]" &&
    !isMap(object) &&
    !isSet(object) &&
    !isView(object) &&
    !isAnyArrayBuffer(object)
  );
}

/** Whether an object is the `Object.prototype` of this realm or of another one. */
export function isObjectPrototype(prototype: object | null): boolean {
  if (prototype === ownObjectPrototype) return true;
  if (prototype === null) return false;
  if (foreignObjectPrototypes.has(prototype)) return true;
  if (!provesObjectPrototype(prototype)) return false;
  foreignObjectPrototypes.add(prototype);
  return true;
}

/**
 * Only the native `Object` function of a realm has that source text: a bound function or a proxy has no name in it. Its
 * `prototype` can be neither replaced nor given another prototype.
 */
function provesObjectPrototype(prototype: object): boolean {
  if (isProxy(prototype) || getPrototypeOf(prototype) !== null) return false;
  const maker = getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof maker !== "function" || isProxy(maker)) return false;
  if (sourceOf.call(maker) !== OBJECT_SOURCE) return false;
  const back = getOwnPropertyDescriptor(maker, "prototype");
  return back?.value === prototype && back.writable === false;
}
