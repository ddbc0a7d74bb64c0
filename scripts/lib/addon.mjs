/**
 * The Node.js addon: the built library under its platform's name, its loader and its types.
 *
 * Uses the API of @napi-rs/cli, not its `build` command, which always passes `--target` to Cargo. Cargo's output would
 * then share nothing with `cargo test` and `cargo clippy`, and everything native would be compiled twice.
 */
import { randomUUID } from "node:crypto";
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBinding, typeDefinitions } from "./cargo.mjs";
import { root } from "./paths.mjs";
import { outputOf } from "./process.mjs";
import { Failure } from "./program.mjs";

/** The committed files that a build writes again. */
export const generatedFiles = ["binding.js", "binding.d.ts"];

/** Builds the addon into the root of the repository; resolves with its file name. */
export async function buildAddon(options) {
  const library = await buildBinding(options);
  const { generateTypeDef, parseTriple, writeJsBinding } = await import("@napi-rs/cli");
  const { name, version, napi } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const host = /^host: (.+)$/m.exec(outputOf("rustc", ["-vV"]) ?? "")?.[1];
  if (!host) throw new Failure("`rustc -vV` names no host: reinstall Rust.");

  const addon = `${napi.binaryName}.${parseTriple(host).platformArchABI}.node`;
  replaceFile(addon, (path) => copyFileSync(library, path));

  const types = await generateTypeDef({
    typeDefDir: typeDefinitions,
    cwd: root,
    declareBindingTarget: true,
  });
  replaceFile("binding.d.ts", (path) => writeFileSync(path, types.dts));
  await writeJsBinding({
    platform: true,
    idents: types.exports,
    jsBinding: "binding.js",
    binaryName: napi.binaryName,
    packageName: name,
    version,
    outputDir: root,
  });
  return addon;
}

/** Writes beside and renames, so that a process that has the old file loaded keeps it whole. */
function replaceFile(name, write) {
  const temporary = join(root, `${name}.${randomUUID()}.tmp`);
  try {
    write(temporary);
    renameSync(temporary, join(root, name));
  } catch (error) {
    throw new Failure(`Cannot replace ${name}: ${error.message}\nEnd the programs that use it.`);
  } finally {
    rmSync(temporary, { force: true });
  }
}
