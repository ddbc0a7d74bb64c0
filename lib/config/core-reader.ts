/**
 * Lets Miniflare's core read JSON: the core reads the file that it is told, and has `@iarna/toml` parse its text.
 *
 * The parser is not told of the file, so it finds the file by its text among those that workers of this package have.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isJson } from "./files";
import { kFile, parseJsonConfig } from "./reading";
import type { Config } from "./types";

/** Files that workers have been told to read, the newest last. */
const files = new Set<string>();

/** A worker is about to have this file as its configuration. */
export function expectConfig(file: string): void {
  installReader();
  files.delete(file);
  files.add(file);
}

function fileWith(text: string): string | undefined {
  return [...files].reverse().find((file) => {
    try {
      return readFileSync(file, "utf8") === text;
    } catch {
      return false;
    }
  });
}

let installed = false;

/** The core requires the parser when it reads, so this has to be what the module exports. */
function installReader(): void {
  if (installed) return;
  installed = true;
  const requireFrom = createRequire(require.resolve("@miniflare/core"));
  const file = requireFrom.resolve("@iarna/toml");
  const theirs: { parse(text: string): object } = requireFrom(file);
  const loaded = requireFrom.cache[file];
  if (loaded !== undefined) loaded.exports = { ...theirs, parse: parserBefore(theirs.parse) };
}

/** Parses JSON of the files that are expected, and everything else by `parseToml`. */
function parserBefore(parseToml: (text: string) => object): (text: string) => object {
  return (text) => {
    const file = fileWith(text);
    if (file === undefined) return parseToml(text);
    const config = (isJson(file) ? parseJsonConfig(file, text) : parseToml(text)) as Config;
    config[kFile] = file;
    return config;
  };
}
