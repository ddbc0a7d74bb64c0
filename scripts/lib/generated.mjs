/** Proves that the generated files in the repository are what a build makes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { generatedFiles } from "./addon.mjs";
import { root } from "./paths.mjs";
import { outputOf } from "./process.mjs";
import { Failure } from "./program.mjs";

/** The generated files as they are now, to compare with after a build. */
export function readGenerated() {
  return new Map(generatedFiles.map((name) => [name, contentOf(name)]));
}

/** Throws a `Failure` unless git's version of each file, or `before` where git has none, equals the file. */
export function checkGenerated(before) {
  const stale = generatedFiles.filter((name) => {
    const tracked = outputOf("git", ["ls-files", "--error-unmatch", "--", name]) !== null;
    if (tracked) return outputOf("git", ["diff", "--quiet", "--", name]) === null;
    return before.get(name) !== contentOf(name);
  });
  if (stale.length > 0) {
    throw new Failure(
      `The build changed ${stale.join(" and ")}: look at the change and commit it with its cause.`,
    );
  }
}

function contentOf(name) {
  const path = join(root, name);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}
