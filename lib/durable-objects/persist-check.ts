/** Checks before data is stored whether its directory can be created. */
import { mkdtempSync, rmdirSync, statSync } from "node:fs";
import path from "node:path";
import { DurableObjectError } from "../shared/error";

/**
 * # Errors
 * `ERR_OPTION` if the directory does not exist and cannot be created.
 */
export function checkCreatable(directory: string): void {
  if (directory.includes("\0")) {
    throw new DurableObjectError(
      "ERR_OPTION",
      `Invalid value for durableObjectsPersist (--do-persist): ${JSON.stringify(directory)} (expected a path without NUL characters)`,
    );
  }
  let above = directory;
  try {
    while (statSync(above, { throwIfNoEntry: false }) === undefined) above = path.dirname(above);
    if (above === directory) return;
    rmdirSync(mkdtempSync(path.join(above, ".ferroflare-")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // The native core says what stands in the way.
    if (code === "ENOTDIR") return;
    throw new DurableObjectError(
      "ERR_OPTION",
      `Cannot create the directory ${directory} (durableObjectsPersist, --do-persist): ${reasonOf(code, above)}. Choose another directory, or change the permissions of that one.`,
    );
  }
}

function reasonOf(code: string | undefined, above: string): string {
  const denied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  return denied
    ? `${above} may not be written to (${code})`
    : `no directory can be created in ${above} (${code})`;
}
