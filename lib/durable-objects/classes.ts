/** Finds the class of a binding: in the worker's own script or in that of a mount. */
import type { Context, Mount } from "@miniflare/shared";
import { DurableObjectError } from "../shared/error";
import type { BoundObject } from "./options";
import type { DurableObjectConstructor } from "./state";

/** A class that is bound, by the name of its binding. */
export interface BoundClass {
  Class: DurableObjectConstructor;
  /** The exports that it was found in: another worker's, if it is a mount. */
  exports: Context;
}

export function findClass(
  { name, className, scriptName }: BoundObject,
  moduleExports: Context,
  mounts: Map<string, Mount>,
): BoundClass {
  const exports = scriptName === undefined ? moduleExports : mounts.get(scriptName)?.moduleExports;
  if (!exports) {
    throw new DurableObjectError(
      "ERR_SCRIPT_NOT_FOUND",
      `Script "${scriptName}" for Durable Object "${name}" not found.\nMake sure "${scriptName}" is mounted so Miniflare knows where to find it.`,
    );
  }
  const found: DurableObjectConstructor | undefined = exports[className];
  if (found) return { Class: found, exports };
  const script = scriptName ? ` in script "${scriptName}"` : "";
  throw new DurableObjectError(
    "ERR_CLASS_NOT_FOUND",
    `Class "${className}"${script} for Durable Object "${name}" not found`,
  );
}

export function notBound(name: string): DurableObjectError {
  return new DurableObjectError(
    "ERR_CLASS_NOT_FOUND",
    `No class is bound to Durable Object "${name}". Add "${name}" to the durableObjects option of this worker, or use the namespace that the id is from.`,
  );
}
