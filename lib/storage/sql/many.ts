/** Operations of the asynchronous API on more keys than one call of the core takes, as several calls. */
import { limits } from "../../native/addon";
import { inKeyOrder } from "../../native/packing";

/** Whether there are more of them than one call of the core takes. */
export function areMany(keys: unknown): keys is string[] {
  return Array.isArray(keys) && keys.length > limits.keysMax;
}

/** Parts of an array that a call takes. */
export function inParts<T>(all: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += limits.keysMax) {
    parts.push(all.slice(start, start + limits.keysMax));
  }
  return parts;
}

/** What several calls have found, as one call would have. */
export function merged(found: readonly Map<string, unknown>[]): Map<string, unknown> {
  const all = new Map(found.flatMap((part) => [...part]));
  return new Map(inKeyOrder([...all.keys()]).map((key) => [key, all.get(key)]));
}
