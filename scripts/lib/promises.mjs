/** The promises of the product and how many tests name each. */
import { table } from "./report.mjs";

const promises = [
  { id: "S1", what: "objects on the command line" },
  { id: "S2", what: "objects in wrangler.toml" },
  { id: "S3", what: "objects in the API" },
  { id: "S4", what: "memory: survives reloads, not instances" },
  { id: "S5", what: "default folder for persistence" },
  { id: "S6", what: "custom folder for persistence" },
  { id: "S7", what: "Redis" },
  { id: "S8", what: "a directory for each object" },
  { id: "S9", what: "Redis keys start with name and instance" },
  { id: "S10", what: "dispose, then the process ends" },
  { id: "S11", what: "validation rules" },
  { id: "S12", what: "namespaces outside workers" },
  { id: "S13", what: "storage outside workers" },
  { id: "S14", what: "classes of other scripts" },
  { id: "S15", what: "optimistic transactions" },
];

/**
 * Counts `tests` (lines of the reporter) by the promises named in their paths. Returns the text to show, and the
 * promises without a test.
 */
export function countByPromise(tests) {
  const counts = new Map(promises.map(({ id }) => [id, 0]));
  for (const { path } of tests) {
    for (const id of new Set(path.join(" ").match(/\bS\d+\b/g))) {
      if (counts.has(id)) counts.set(id, counts.get(id) + 1);
    }
  }
  const rows = promises.map(({ id, what }) => [id, String(counts.get(id)), what]);
  const missing = promises.filter(({ id }) => counts.get(id) === 0);
  return { text: table(rows), missing: missing.map(({ id }) => id) };
}
