/** Text for people: elapsed times, headings, tables. */

/** Elapsed time since `start` (milliseconds since the epoch), such as `0.4 s` or `3 min 5 s`. */
export function secondsSince(start) {
  const seconds = (Date.now() - start) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** A line that stands out between the outputs of two tools. */
export function heading(text) {
  return `\n== ${text} ${"=".repeat(Math.max(2, 90 - text.length))}`;
}

/** Rows of cells as aligned text. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
