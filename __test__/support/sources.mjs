// Reads which source files import which: JavaScript and TypeScript by their relative imports, Rust by its paths.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

export const read = (file) => readFileSync(path.join(root, file), "utf8");

/** The files below a folder of the repository whose names match `ending`. */
export function filesBelow(folder, ending) {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(name, ending);
    return ending.test(name) ? [name] : [];
  });
}

/** The files, without an ending if the import has none, that a module imports with a relative path. */
export function importsOf(file) {
  const imports = read(file).matchAll(/(?:\bfrom|\bimport|\brequire\(|\bimport\()\s*"(\.[^"]+)"/g);
  return [...imports].map((found) => path.posix.join(path.posix.dirname(file), found[1]));
}

/** For each Rust file below `folder`, the files there that its `crate::`, `super::` and `self::` paths lead into. */
export function rustImports(folder) {
  const files = new Map();
  for (const file of filesBelow(folder, /\.rs$/)) {
    const name = path.posix.relative(folder, file).replace(/(^|\/)(mod|lib)?\.rs$/, "");
    const module = name.replace(/\.rs$/, "").split("/").filter(Boolean);
    files.set(module.join("::"), { file, module });
  }
  const imports = new Map();
  for (const { file, module } of files.values()) {
    const found = pathsIn(read(file)).map((steps) => fileOf(files, absolute(steps, module)));
    imports.set(file, new Set(found.filter((other) => other !== undefined && other !== file)));
  }
  return imports;
}

/** The file of the deepest module that a path names; none for the root, which only names the modules. */
function fileOf(files, steps) {
  for (let end = steps.length; end > 0; end--) {
    const known = files.get(steps.slice(0, end).join("::"));
    if (known !== undefined) return known.file;
  }
  return undefined;
}

function absolute([first, ...rest], module) {
  if (first === "crate") return rest;
  if (first === "self") return [...module, ...rest];
  let above = module.slice(0, -1);
  let steps = rest;
  while (steps[0] === "super") {
    above = above.slice(0, -1);
    steps = steps.slice(1);
  }
  return [...above, ...steps];
}

/** The paths in Rust code, without comments and without its tests, each as a list of names. */
function pathsIn(text) {
  const code = text.replace(/\/\/.*$/gm, "").split("#[cfg(test)]", 1)[0];
  const paths = [];
  const rest = code.replace(/\buse\s+([^;]+);/g, (_, tree) => {
    paths.push(...branches(tree.replace(/\s+/g, "")));
    return "";
  });
  for (const [found] of rest.matchAll(/\b(?:crate|super|self)(?:::\w+)+/g)) paths.push(found);
  return paths
    .map((one) => one.split("::"))
    .filter(([first]) => /^(crate|super|self)$/.test(first));
}

/** The paths of a `use` tree: `a::{b, c::d}` is `a::b` and `a::c::d`. */
function branches(tree) {
  const open = tree.indexOf("{");
  if (open === -1) return [tree];
  const parts = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < tree.length; at++) {
    if (tree[at] === "{") depth++;
    if (tree[at] === "}") depth--;
    if (depth === 0 || (depth === 1 && tree[at] === ",")) {
      parts.push(tree.slice(start, at));
      start = at + 1;
    }
  }
  return parts.filter(Boolean).flatMap((part) => branches(tree.slice(0, open) + part));
}

/** The groups of files that import each other in a circle, each in alphabetical order, by their first file. */
export function circlesIn(imports) {
  const reach = new Map([...imports.keys()].map((file) => [file, reachable(imports, file)]));
  const circles = new Map();
  for (const file of [...imports.keys()].sort()) {
    const circle = [...reach.get(file)].filter((other) => reach.get(other)?.has(file)).sort();
    if (circle.length > 1) circles.set(circle[0], circle);
  }
  return [...circles.values()];
}

function reachable(imports, start) {
  const found = new Set();
  const next = [start];
  while (next.length > 0) {
    for (const file of imports.get(next.pop()) ?? []) {
      if (!found.has(file)) next.push(file);
      found.add(file);
    }
  }
  return found;
}

/**
 * For each folder that holds files of `imports`, which of its files and folders import which of the others. A file or a
 * folder that lies in it directly is one node, by its name.
 */
export function importsBetweenRooms(imports) {
  const rooms = new Map();
  for (const [file, others] of imports) {
    for (const other of others) {
      const [from, to] = [file.split("/"), other.split("/")];
      const depth = from.findIndex((step, at) => step !== to[at]);
      const folder = from.slice(0, depth).join("/");
      if (!rooms.has(folder)) rooms.set(folder, new Map());
      const room = rooms.get(folder);
      if (!room.has(from[depth])) room.set(from[depth], new Set());
      room.get(from[depth]).add(to[depth]);
    }
  }
  return rooms;
}
