/** Copies what is thrown, and what errors carry, as V8 does: class instances as plain objects, functions not at all. */
import { deserialize, serialize } from "node:v8";
import { copyBuiltIn } from "./built-ins";
import { HOST, type Realm } from "./realm";

/**
 * Returns a deep copy in the realm.
 *
 * # Errors
 * A `DataCloneError` for what V8 cannot clone.
 */
export function copyPlainly(value: unknown, realm: Realm): unknown {
  if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") {
    return value;
  }
  const copy: unknown = deserialize(serialize(value));
  if (realm === HOST) return copy;
  return inRealm(copy, realm, new Map());
}

/** Makes a copy of this realm one of another realm. */
function inRealm(value: unknown, realm: Realm, seen: Map<object, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const copy = copyBuiltIn(value, {
    realm,
    remember: (begun) => void seen.set(value, begun),
    copy: (part) => inRealm(part, realm, seen),
  });
  seen.set(value, copy);
  return copy;
}
