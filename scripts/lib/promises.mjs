/** The promises of the product and how many tests name each. */
import { table } from "./report.mjs";

const promises = [
  { id: "S1", what: "objects on the command line", required: true },
  { id: "S2", what: "objects in wrangler.toml", required: true },
  { id: "S3", what: "objects in the API", required: true },
  { id: "S4", what: "memory: survives reloads, not instances", required: true },
  { id: "S5", what: "default folder for persistence", required: false },
  { id: "S6", what: "custom folder for persistence", required: false },
  { id: "S7", what: "Redis", required: false },
  { id: "S8", what: "a directory for each object", required: false },
  { id: "S9", what: "Redis keys start with name and instance", required: false },
  { id: "S10", what: "dispose, then the process ends", required: true },
  { id: "S11", what: "validation rules", required: true },
  { id: "S12", what: "namespaces outside workers", required: true },
  { id: "S13", what: "storage outside workers", required: true },
  { id: "S14", what: "classes of other scripts", required: true },
  { id: "S15", what: "optimistic transactions", required: true },
];

/** Counts `tests` (lines of the reporter) by the promises named in their paths: the text to show, and who has none. */
export function countByPromise(tests) {
  const counts = new Map(promises.map(({ id }) => [id, 0]));
  for (const { path } of tests) {
    for (const id of new Set(path.join(" ").match(/\bS\d+\b/g))) {
      if (counts.has(id)) counts.set(id, counts.get(id) + 1);
    }
  }
  const rows = promises.map(({ id, what, required }) => {
    const count = counts.get(id);
    return [id, count === 0 && !required ? "later" : String(count), what];
  });
  const missing = promises.filter(({ id, required }) => required && counts.get(id) === 0);
  return { text: table(rows), missing: missing.map(({ id }) => id) };
}
