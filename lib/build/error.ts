/** The error of a build: what cannot be built, the place in the source, and what to do. */
import path from "node:path";

export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly code = "ERR_BUILD";
  /** Files any of which might be what an import has not found. */
  missing: string[] = [];
}

/** What esbuild says of one problem. */
export interface Problem {
  text: string;
  location: {
    file: string;
    line: number;
    column: number;
    length: number;
    lineText: string;
  } | null;
}

const PROBLEMS_MAX = 5;
const ENDINGS = ["", ".ts", ".tsx", ".js", ".mjs"];

/** The error of esbuild, which has worked in `root`, as one of ours: each problem with file, line and caret. */
export function buildError(entry: string, root: string, error: unknown): BuildError {
  const problems = (error as { errors?: Problem[] }).errors;
  if (!problems?.length)
    return new BuildError(`Cannot build "${entry}": ${(error as Error).message}`);
  const shown = problems.slice(0, PROBLEMS_MAX).map(describe);
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`… and ${more} more.`);
  const built = new BuildError(`Cannot build "${entry}": ${shown.join("\n\n")}`);
  built.missing = problems.flatMap((problem) => missingFiles(problem, root));
  return built;
}

/** What a relative import that has found nothing may mean. */
function missingFiles({ text, location }: Problem, root: string): string[] {
  const [, name] = /^Could not resolve "(\.{1,2}\/[^"]*)"/.exec(text) ?? [];
  if (name === undefined || location === null) return [];
  const file = path.resolve(root, path.dirname(location.file), name);
  return ENDINGS.map((ending) => file + ending);
}

function describe({ text, location }: Problem): string {
  if (location === null) return text;
  const { file, line, column, length, lineText } = location;
  const bytesBefore = Buffer.from(lineText).subarray(0, column).toString("utf8");
  const indent = bytesBefore.replace(/[^\t]/g, " ");
  const marked = "^".repeat(Math.max(1, Math.min(length, lineText.length - bytesBefore.length)));
  return `${file}:${line}:${column + 1}: ${text}\n\n  ${lineText}\n  ${indent}${marked}`;
}
