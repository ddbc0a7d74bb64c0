/** Finds the files that a script is made of, by its imports, without running or building it. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { importsOf } from "./script";

const ENDINGS = ["", ".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cjs"];
const CODE = /\.(?:[cm]?[jt]s|[jt]sx)$/i;
/** Endings that TypeScript writes for a file of its own. */
const COMPILED = /\.([cm]?)js(x?)$/;

/** The script first, then every file that exists and that an import of a path leads to, directly or not. */
export function sourcesOf(script: string): string[] {
  const found = new Set([script]);
  for (const file of found) {
    if (!CODE.test(file)) continue;
    for (const name of importsOf(textOf(file))) {
      const target = /^\.{0,2}\//.test(name) ? targetOf(file, name) : undefined;
      if (target !== undefined) found.add(target);
    }
  }
  return [...found];
}

function targetOf(from: string, name: string): string | undefined {
  const plain = path.resolve(path.dirname(from), name.replace(/\?.*$/, ""));
  const typed = plain.replace(COMPILED, ".$1ts$2");
  const candidates = [plain, typed, path.join(plain, "index")].flatMap((place) =>
    ENDINGS.map((ending) => place + ending),
  );
  return candidates.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
