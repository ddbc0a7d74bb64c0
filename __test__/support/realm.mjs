// Loads packages into a realm of `node:vm`, as test runners do: scripts run there, what Node.js has built in does not.
import { readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import path from "node:path";
import vm from "node:vm";

const WRAPPER = ["(function (exports, require, module, __filename, __dirname) {", "\n})"];

/** A new realm with the globals of Node.js, and a `require` whose modules run in it. `from` is a file to resolve names from. */
export function newRealm(from) {
  const context = vm.createContext({});
  const global = vm.runInContext("globalThis", context);
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!(name in global)) {
      Object.defineProperty(global, name, Object.getOwnPropertyDescriptor(globalThis, name));
    }
  }
  // One class for all realms, as in Jest: the classes of Node.js only take this one.
  Object.assign(global, { global, ArrayBuffer, Uint8Array });
  return { global, context, require: requireIn(context, from, new Map()) };
}

function requireIn(context, from, loaded) {
  const outer = createRequire(from);
  const require = (name) => {
    const file = outer.resolve(name);
    if (isBuiltin(file) || file.endsWith(".node")) return outer(name);
    let module = loaded.get(file);
    if (module === undefined) {
      module = { exports: {}, filename: file };
      loaded.set(file, module);
      run(file, module);
    }
    return module.exports;
  };
  const run = (file, module) => {
    const source = readFileSync(file, "utf8");
    if (file.endsWith(".json")) {
      module.exports = JSON.parse(source);
      return;
    }
    const start = vm.runInContext(WRAPPER.join(source.replace(/^#!.*/, "")), context, {
      filename: file,
    });
    const inner = requireIn(context, file, loaded);
    start.call(module.exports, module.exports, inner, module, file, path.dirname(file));
  };
  return Object.assign(require, { resolve: outer.resolve, cache: {}, main: undefined });
}
