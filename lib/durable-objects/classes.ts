/** Finds the class of a binding: in the worker's own script or in that of a mount. */
import type { Context, Mount } from "@miniflare/shared";
import { DurableObjectError } from "../shared/error";
import { checkRuns } from "../shared/first-start";
import { didYouMean } from "../shared/nearest";
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
  checkRuns(exports);
  const found: DurableObjectConstructor | undefined = exports[className];
  if (found) return { Class: found, exports };
  const script = scriptName ? ` in script "${scriptName}"` : "";
  throw new DurableObjectError(
    "ERR_CLASS_NOT_FOUND",
    `Class "${className}"${script} for Durable Object "${name}" not found${exported(className, exports)}`,
  );
}

/** What the script exports in the place of a class. */
function exported(className: string, exports: Context): string {
  const names = Object.keys(exports).filter((name) => typeof exports[name] === "function");
  const classes = names.filter((name) => name !== "default");
  if (classes.length > 0) {
    const list = classes.map((name) => `"${name}"`).join(", ");
    return `.${didYouMean(className, classes)} The script exports ${list}.`;
  }
  // Without any export it may be no module.
  const isModule = Object.keys(exports).length > 0;
  return isModule ? `. The script exports no class: write "export class ${className}".` : "";
}

/** `bound` are the names of the bindings that exist. */
export function notBound(name: string, bound: Iterable<string>): DurableObjectError {
  const meant = didYouMean(name, [...bound]);
  return new DurableObjectError(
    "ERR_CLASS_NOT_FOUND",
    `No class is bound to Durable Object "${name}".${meant} Add "${name}" to the durableObjects option of this worker, or use the namespace that the id is from.`,
  );
}
