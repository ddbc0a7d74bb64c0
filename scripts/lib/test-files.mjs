/** Finds the test files: `__test__/<room>/<subject>.test.mjs`. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { Failure } from "./program.mjs";

const folder = "__test__";

/** The paths of all test files from the root of the repository, in order. What lies in `fixtures` belongs to other runners. */
export function allTestFiles() {
  const files = filesBelow(folder).filter((name) => name.endsWith(".test.mjs"));
  if (files.length === 0) throw new Failure(`${folder} holds no *.test.mjs file.`);
  return files.sort();
}

function filesBelow(path) {
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "fixtures") return [];
    const name = `${path}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(name) : [name];
  });
}
