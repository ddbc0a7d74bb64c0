/** Everything that is drawn, as text by the name of its file: images in two themes, and documents with figures in them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../paths.mjs";
import { drawArchitecture } from "./architecture.mjs";
import { blocks, fillBlocks } from "./blocks.mjs";
import { drawChart } from "./chart.mjs";
import { charts } from "./charts.mjs";
import { readResults } from "./results.mjs";
import { themes } from "./themes.mjs";

const documents = ["README.md", "ARCHITECTURE.md", "docs/benchmarks.md"];

/** Resolves with a map of file names to texts. */
export async function drawings() {
  const results = readResults();
  const all = charts(results);
  const drawn = new Map();
  for (const [theme, colours] of Object.entries(themes)) {
    for (const [name, chart] of Object.entries(all)) {
      drawn.set(`docs/images/${name}-${theme}.svg`, await drawChart(chart, colours));
    }
    drawn.set(`docs/images/architecture-${theme}.svg`, drawArchitecture(colours));
  }
  const written = blocks(results, all);
  for (const name of documents) {
    drawn.set(name, fillBlocks(name, readFileSync(join(root, name), "utf8"), written));
  }
  return drawn;
}
