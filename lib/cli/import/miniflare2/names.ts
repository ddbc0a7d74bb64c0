/** Finds out which name of a binding Miniflare 2 has made a path of: the id ends with a hash of the name. */
import { createHash } from "node:crypto";

/** How much of an id is the hash. */
export const ID_HASH_DIGITS = 16;
/** What becomes a level of a path. */
const SEPARATORS = [":", "/", "\\", "|"];
/** What becomes `_`. */
const ILLEGAL = ["_", "?", "<", ">", "*", '"', "'", "^", " "];
/** No name needs more guesses than this; each costs a hash. */
const GUESSES_MAX = 10_000;

const found = new Map<string, string | undefined>();

/** The name whose objects lie in the path `parts`, if `id` proves it. `undefined` if it does not, or is no id. */
export function originalName(parts: string[], id: string): string | undefined {
  if (parts.length === 0 || !/^[0-9a-f]{64}$/.test(id)) return undefined;
  const hash = id.slice(-ID_HASH_DIGITS);
  const known = JSON.stringify([...parts, hash]);
  if (!found.has(known)) found.set(known, guess(parts, hash));
  return found.get(known);
}

function guess(parts: string[], hash: string): string | undefined {
  let guesses = [""];
  for (const [i, part] of parts.entries()) {
    const separators = i === 0 ? [""] : SEPARATORS;
    const variants = variantsOf(part);
    if (guesses.length * separators.length * variants.length > GUESSES_MAX) return undefined;
    guesses = guesses.flatMap((start) =>
      separators.flatMap((separator) => variants.map((variant) => start + separator + variant)),
    );
  }
  return guesses.find((name) => hashOf(name) === hash);
}

/** What may have become this part of a path. */
function variantsOf(part: string): string[] {
  const pieces = part.split("_");
  const gaps = pieces.length - 1;
  const variants = [part];
  if (/^_+$/.test(part)) variants.push(".".repeat(gaps));
  if (gaps === 0 || ILLEGAL.length ** gaps > GUESSES_MAX) return variants;
  let guesses = [pieces[0]!];
  for (const piece of pieces.slice(1)) {
    guesses = guesses.flatMap((start) => ILLEGAL.map((illegal) => start + illegal + piece));
  }
  return [...variants, ...guesses];
}

/** What the ids of a name's objects end with. */
export function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, ID_HASH_DIGITS);
}
