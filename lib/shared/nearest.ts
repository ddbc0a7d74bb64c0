/** Finds the name that a user most likely meant who has mistyped one. */

/** Counts the insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= a.length; i++) {
    const row: number[] = [i];
    const above = rows[i - 1];
    for (let j = 1; j <= b.length; j++) {
      if (above === undefined) {
        row.push(j);
        continue;
      }
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** Returns the closest of `names`, or `undefined` if none is within a third of the length of what was typed, or `most`. */
export function nearest(
  typed: string,
  names: readonly string[],
  most = Number.POSITIVE_INFINITY,
): string | undefined {
  const wanted = typed.toLowerCase();
  const limit = Math.min(most, Math.max(1, Math.floor(wanted.length / 3)));
  let best: { name: string; distance: number } | undefined;
  if (wanted.length < 2) return undefined;
  for (const name of names) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance <= limit && (best === undefined || distance < best.distance)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** A sentence that proposes what was meant, after a space; nothing if no name is near. */
export function didYouMean(
  typed: string,
  names: readonly string[],
  shown: (name: string) => string = (name) => name,
): string {
  const meant = nearest(typed, names);
  return meant === undefined ? "" : ` Did you mean "${shown(meant)}"?`;
}
