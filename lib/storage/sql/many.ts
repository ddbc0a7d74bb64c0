/** Operations of the asynchronous API on more keys than one call of the core takes, as several calls. */
import { limits } from "../../native/addon";
import { inKeyOrder } from "../../native/packing";

/** Whether there are more of them than one call of the core takes. */
export function areMany(keys: unknown): keys is string[] {
  return Array.isArray(keys) && keys.length > limits.keysMax;
}

/** What `get` finds of many keys, as one call would. */
export async function getMany(
  keys: readonly string[],
  get: (part: string[]) => Promise<Map<string, unknown>>,
): Promise<Map<string, unknown>> {
  const found = await Promise.all(inParts(keys).map(get));
  const all = new Map(found.flatMap((part) => [...part]));
  return new Map(inKeyOrder([...all.keys()]).map((key) => [key, all.get(key)]));
}

/** How many of many keys `remove` has removed. */
export async function removeMany(
  keys: readonly string[],
  remove: (part: string[]) => Promise<number>,
): Promise<number> {
  const counts = await Promise.all(inParts(keys).map(remove));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Parts that a call takes. */
function inParts(keys: readonly string[]): string[][] {
  const parts: string[][] = [];
  for (let start = 0; start < keys.length; start += limits.keysMax) {
    parts.push(keys.slice(start, start + limits.keysMax));
  }
  return parts;
}
