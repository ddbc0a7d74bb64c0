/** Asks the package registry, at most once a day, whether a newer version exists, and says so in the log. */
import { readFile, writeFile } from "node:fs/promises";
import type { Log } from "@miniflare/shared";
import { fetch } from "undici";

const DAY_MS = 24 * 60 * 60 * 1000;
const ANSWER_MS_MAX = 5000;

export interface UpdateCheckOptions {
  pkg: { name: string; version: string };
  /** The file that remembers the time of the last check. */
  lastCheckFile: string;
  log: Log;
  now?: number;
  registry?: string;
}

interface Version {
  numbers: number[];
  prerelease: boolean;
}

function parseVersion(text: string): Version {
  const [release = "", prerelease] = text.split("+", 1)[0]!.split(/-(.*)/s, 2);
  return { numbers: release.split(".").map(Number), prerelease: prerelease !== undefined };
}

/** Whether `candidate` comes after `current`; of equal numbers, a release comes after its prereleases. */
function isNewer(candidate: Version, current: Version): boolean {
  for (let i = 0; i < 3; i++) {
    const difference = (candidate.numbers[i] ?? 0) - (current.numbers[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return current.prerelease && !candidate.prerelease;
}

async function timeOfLastCheck(file: string): Promise<number> {
  try {
    return Number.parseInt(await readFile(file, "utf8"), 10) || 0;
  } catch {
    return 0;
  }
}

/**
 * # Errors
 * Rejects if the registry does not answer within five seconds or not in JSON, or if `lastCheckFile` cannot be written.
 */
export async function updateCheck(options: UpdateCheckOptions): Promise<void> {
  const { pkg, lastCheckFile, log } = options;
  const { now = Date.now(), registry = "https://registry.npmjs.org/" } = options;
  if (now - (await timeOfLastCheck(lastCheckFile)) < DAY_MS) return;

  const response = await fetch(`${registry}${pkg.name}/latest`, {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  const { version } = (await response.json()) as { version?: string };
  if (!version) return;
  await writeFile(lastCheckFile, String(now), "utf8");

  const latest = parseVersion(version);
  const current = parseVersion(pkg.version);
  if (!isNewer(latest, current)) return;
  log.warn(`${pkg.name} ${version} is available; this is ${pkg.version}.`);
  if ((latest.numbers[0] ?? 0) > (current.numbers[0] ?? 0)) {
    log.warn(`${version} includes breaking changes. Read its changelog before you update.`);
  }
}
