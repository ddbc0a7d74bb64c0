/** Loads the native addon; where that fails, says what is missing and what to do. */
import type * as Binding from "../../binding.js";
import { PLATFORMS, platformName } from "./platforms";

/**
 * # Errors
 * `Error` with code `ERR_NO_NATIVE_CORE`: there is no addon for this platform, its package is not installed, or the system
 * cannot load it. `cause` is the chain of what the loader has tried.
 */
export function loadBinding(): typeof Binding {
  try {
    return require("../../binding.js") as typeof Binding;
  } catch (cause) {
    const error = new Error(`ferroflare: ${describe(cause)}`, { cause });
    throw Object.assign(error, { code: "ERR_NO_NATIVE_CORE" });
  }
}

function describe(cause: unknown): string {
  const given = process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
  const refusal = messagesOf(cause).find(isRefusal);
  if (given) {
    return `Cannot load ${given}, which the environment variable NAPI_RS_NATIVE_LIBRARY_PATH names: ${refusal ?? "there is no such file"}.`;
  }
  const platform = platformName();
  if (!PLATFORMS.includes(platform)) {
    return (
      `There is no prebuilt native core for ${platform}, only for ${PLATFORMS.join(", ")}. ` +
      "On other platforms build it from a clone of the repository, with Rust and a C++ compiler: npm run build, then install the folder."
    );
  }
  if (refusal !== undefined) {
    return `The native core for ${platform} cannot be loaded: ${refusal}.${hintFor(refusal)}`;
  }
  return (
    `The package ferroflare-${platform}, which holds the native core for this platform, is not installed. ` +
    "It is an optional dependency: install without --omit=optional or --no-optional, and on this platform. " +
    "If the lock file was made on another one and lacks it, remove node_modules and the lock file, then install again."
  );
}

/** Whether a message says more than that a file or package is not there. */
function isRefusal(message: string): boolean {
  return !/^(Cannot find (module|native binding)|Unsupported |Failed to load native)/.test(message);
}

function hintFor(refusal: string): string {
  if (!/GLIBC(XX)?_\d/.test(refusal)) return "";
  return " This system's C library is older than the core needs: build it on this system from a clone of the repository.";
}

/** The first lines of an error and its causes, from the outermost. */
function messagesOf(error: unknown): string[] {
  const messages: string[] = [];
  for (let next = error; next instanceof Error; next = next.cause) {
    messages.push(next.message.split("\n", 1)[0]!.replace(/\.$/, ""));
  }
  return messages;
}
