/** What has to be said of coverage: runners measure what they transform, and the code of a worker is none of that. */
import vm from "node:vm";

/** What is used of Jest's global configuration. */
export interface CoverageConfig {
  collectCoverage?: boolean;
  coverageProvider?: string;
  collectCoverageFrom?: string[];
}

const GUIDE = "See the guide on testing.";

/** Why Jest's report would not show what the worker has run, and what to do; `undefined` if it does. */
export function jestCoverageAdvice(config: CoverageConfig | undefined): string | undefined {
  const { collectCoverage, coverageProvider, collectCoverageFrom = [] } = config ?? {};
  if (!collectCoverage) return undefined;
  const missing: string[] = [];
  if (coverageProvider !== "v8") missing.push('coverageProvider: "v8"');
  if (collectCoverageFrom.length === 0) {
    missing.push("collectCoverageFrom with the files of the worker");
  }
  if (!("SourceTextModule" in vm)) missing.push("NODE_OPTIONS=--experimental-vm-modules");
  if (missing.length === 0) return undefined;
  return `ferroflare/jest: the coverage of the worker is wrong or missing. It needs ${missing.join(", and ")}. ${GUIDE}`;
}

/** The same of Vitest, where it imports no worker. */
export const VITEST_COVERAGE_ADVICE = `ferroflare/vitest: the coverage of the worker is wrong or missing. It needs the option "main" in the place of "scriptPath", so that Vitest imports the worker. ${GUIDE}`;

let warned = false;

/** Warns once, in the first of the processes that Jest starts. */
export function warnOfJestCoverage(config: CoverageConfig | undefined): void {
  const advice = jestCoverageAdvice(config);
  const { JEST_WORKER_ID = "1" } = process.env;
  if (advice === undefined || warned || JEST_WORKER_ID !== "1") return;
  warned = true;
  process.stderr.write(`${advice}\n`);
}
