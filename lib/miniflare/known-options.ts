/** Tells of options that do not exist: an error if one is nearly an option, a warning if Miniflare 4 has it. */
import type { Log } from "@miniflare/shared";
import { LACKING_LINK } from "../config/notices";
import { DurableObjectError } from "../shared/error";
import { nearest } from "../shared/nearest";
import { PLUGINS } from "./plugins";

/** Options of the class itself. */
const OWN = ["log", "sourceMap", "scriptRequired"];
/** More letters than these are another word. */
const DISTANCE_MAX = 3;

/** Options of Miniflare 4 whose bindings would be missing here. */
const LACKING = [
  "ai",
  "analyticsEngineDatasets",
  "assets",
  "browserRendering",
  "containers",
  "dispatchNamespaces",
  "email",
  "hyperdrives",
  "images",
  "pipelines",
  "ratelimits",
  "secretsStoreSecrets",
  "streams",
  "tails",
  "vectorize",
  "versionMetadata",
  "vpcServices",
  "workerLoaders",
  "workers",
  "workflows",
];

let known: string[] | undefined;

function knownOptions(): string[] {
  known ??= Object.values(PLUGINS).flatMap((plugin) =>
    [...(plugin.prototype.opts ?? new Map()).keys()].filter((key) => typeof key === "string"),
  );
  return [...known, ...OWN];
}

/**
 * Checks the options of a worker and of its mounts. An option that is like none is left alone, as in Miniflare 2.
 *
 * # Errors
 * `ERR_OPTION` that names the option which was meant.
 */
export function checkOptionNames(options: object, log: Pick<Log, "warn">, where = ""): void {
  const names = knownOptions();
  for (const [key, value] of Object.entries(options)) {
    if (names.includes(key) || value === undefined) continue;
    if (LACKING.includes(key)) {
      log.warn(`The option "${where}${key}" is not supported, and has no effect: ${LACKING_LINK}`);
      continue;
    }
    const meant = nearest(key, names, DISTANCE_MAX);
    if (meant === undefined) continue;
    throw new DurableObjectError(
      "ERR_OPTION",
      `Unknown option "${where}${key}". Did you mean "${where}${meant}"?`,
    );
  }
  const { mounts } = options as { mounts?: unknown };
  for (const [name, mount] of Object.entries(Object(mounts) as object)) {
    if (typeof mount === "object" && mount !== null) {
      checkOptionNames(mount, log, `mounts.${name}.`);
    }
  }
}
