/**
 * Cargo as every step runs it: one profile (release), one target folder, one environment.
 *
 * The environment must be the same in all steps, because Cargo rebuilds the binding when it changes. It holds where
 * napi-derive writes the type definitions, and a token that forces the binding to be compiled again when
 * - this clone has no type definitions yet, or
 * - another clone was the last to build into the folder. The name of a `cdylib` carries no hash, so Cargo would take
 *   that clone's library for ours.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, targetDirectory } from "./paths.mjs";
import { run } from "./process.mjs";
import { Failure } from "./program.mjs";

const bindingCrate = "ferroflare";
const stateDirectory = join(targetDirectory, "ferroflare-scripts");
const ownerFile = join(stateDirectory, "owner");
const cloneDirectory = join(
  stateDirectory,
  createHash("sha256").update(root).digest("hex").slice(0, 16),
);
const tokenFile = join(cloneDirectory, "token");

/** Where napi-derive leaves the binding's type definitions, one file a crate. */
export const typeDefinitions = join(cloneDirectory, "types");

/** Runs cargo with `args`; `options` are those of `run`. */
export function cargo(args, options) {
  claimTargetDirectory();
  const env = {
    CARGO_TARGET_DIR: targetDirectory,
    NAPI_TYPE_DEF_TMP_FOLDER: typeDefinitions,
    [`NAPI_FORCE_BUILD_${bindingCrate.toUpperCase()}`]: readFileSync(tokenFile, "utf8"),
    ...(process.stderr.isTTY ? { CARGO_TERM_COLOR: "always" } : {}),
  };
  return run("cargo", args, { ...options, env: { ...env, ...options.env } });
}

/** Builds the binding; resolves with the path of its library. */
export async function buildBinding(options) {
  const messages = await cargo(
    ["build", "--release", "--package", bindingCrate, "--message-format=json-render-diagnostics"],
    { name: "cargo build", minutesMax: 80, ...options, stdout: () => {} },
  );
  for (const line of messages.split("\n")) {
    const message = line.startsWith("{") ? JSON.parse(line) : {};
    if (message.target?.name !== bindingCrate || !message.target.crate_types.includes("cdylib"))
      continue;
    const library = message.filenames?.find((name) => /\.(so|dylib|dll)$/.test(name));
    if (library) return library;
  }
  throw new Failure(
    `cargo build ended well but named no library of ${bindingCrate}: is its crate-type still "cdylib"?`,
  );
}

function claimTargetDirectory() {
  try {
    mkdirSync(typeDefinitions, { recursive: true });
    const owned = existsSync(ownerFile) && readFileSync(ownerFile, "utf8") === root;
    if (owned && existsSync(tokenFile) && existsSync(join(typeDefinitions, bindingCrate))) return;
    writeFileSync(tokenFile, String(Date.now()));
    writeFileSync(ownerFile, root);
  } catch (error) {
    throw new Failure(
      `Cannot write to the build folder ${targetDirectory}: ${error.message}\nSet CARGO_TARGET_DIR to a folder that you can write to.`,
    );
  }
}
