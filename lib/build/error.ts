/** The error of a build: what cannot be built, the place in the source, and what to do. */

export class BuildError extends Error {
  override readonly name = "BuildError";
  readonly code = "ERR_BUILD";
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

/** The error of esbuild as one of ours, each problem with file, line and caret. */
export function buildError(entry: string, error: unknown): BuildError {
  const problems = (error as { errors?: Problem[] }).errors;
  if (!problems?.length)
    return new BuildError(`Cannot build "${entry}": ${(error as Error).message}`);
  const shown = problems.slice(0, PROBLEMS_MAX).map(describe);
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`… and ${more} more.`);
  return new BuildError(`Cannot build "${entry}": ${shown.join("\n\n")}`);
}

function describe({ text, location }: Problem): string {
  if (location === null) return text;
  const { file, line, column, length, lineText } = location;
  const bytesBefore = Buffer.from(lineText).subarray(0, column).toString("utf8");
  const indent = bytesBefore.replace(/[^\t]/g, " ");
  const marked = "^".repeat(Math.max(1, Math.min(length, lineText.length - bytesBefore.length)));
  return `${file}:${line}:${column + 1}: ${text}\n\n  ${lineText}\n  ${indent}${marked}`;
}
