// The commands and programs of the documents, as they stand there.
import { readFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "./cli.mjs";

function blocksOf(document, language) {
  const text = readFileSync(path.join(packageRoot, document), "utf8");
  const pattern = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm");
  return [...text.matchAll(pattern)].map(([, block]) => block);
}

/** The commands of a document, without their comments. */
export function commandsIn(document) {
  const lines = blocksOf(document, "sh").flatMap((block) => block.split("\n"));
  return lines.map((line) => line.replace(/\s+#.*/, "").trim()).filter((line) => line !== "");
}

/** The only block of a language in a document that holds a text. */
export function blockIn(document, language, holding) {
  const found = blocksOf(document, language).filter((block) => block.includes(holding));
  if (found.length !== 1)
    throw new Error(`${document} has ${found.length} blocks of ${language} with ${holding}`);
  return found[0];
}
