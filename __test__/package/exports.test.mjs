// What the package exports, in each way of loading it, and what loading it does not load.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import * as imported from "ferroflare";
import { fixtures, packageRoot, runModule, start } from "../support/cli.mjs";

const require = createRequire(import.meta.url);
const required = require("ferroflare");
const pkg = require("ferroflare/package.json");

/** Internals of @miniflare/durable-objects that COMPAT.md says are left out. */
const LEFT_OUT = ["ReadWriteMutex", "ShadowStorage"];

test("packaging: every name of @miniflare/durable-objects is exported, but for its internals", () => {
  const theirs = Object.keys(require("@miniflare/durable-objects"));
  const missing = theirs.filter((name) => !Object.keys(required).includes(name));
  assert.deepEqual(missing.sort(), LEFT_OUT);
});

test("packaging: every name of miniflare is exported", () => {
  const theirs = Object.keys(require("miniflare"));
  assert.deepEqual(
    theirs.filter((name) => !(name in required)),
    [],
  );
});

test("packaging: exported names have the kind that the reference's have", () => {
  for (const name of ["miniflare", "@miniflare/durable-objects"]) {
    for (const [key, value] of Object.entries(require(name))) {
      if (!LEFT_OUT.includes(key)) assert.equal(typeof required[key], typeof value, key);
    }
  }
});

test("packaging: ALARM_KEY is the reference's", () => {
  assert.equal(required.ALARM_KEY, require("@miniflare/durable-objects").ALARM_KEY);
});

test("packaging: import and require give the same names and the same values", () => {
  const { default: whole, ...named } = imported;
  assert.deepEqual(Object.keys(named).sort(), Object.keys(required).sort());
  for (const [name, value] of Object.entries(named)) assert.equal(value, required[name], name);
  assert.equal(whole, required);
});

test("packaging: the Miniflare class uses the exported Durable Objects", () => {
  assert.equal(required.PLUGINS.DurableObjectsPlugin, required.DurableObjectsPlugin);
});

test("packaging: import { Miniflare } works in a program of its own", async () => {
  const result = await runModule(`
    import ferroflare, { Miniflare, DurableObjectId } from "ferroflare";
    console.log(ferroflare.Miniflare === Miniflare, typeof DurableObjectId);`);
  assert.deepEqual([result.code, result.stdout, result.stderr], [0, "true function\n", ""]);
});

test("packaging: require does not load what only the Miniflare class needs until it is touched", async () => {
  const result = await runModule(`
    import { createRequire } from "node:module";
    const require = createRequire(process.cwd() + "/");
    const heavy = ["http-server", "runner-vm", "kv", "r2", "d1", "cache", "scheduler", "sites", "html-rewriter"];
    const loaded = () => heavy.filter((name) =>
      Object.keys(require.cache).some((file) => file.replaceAll("\\\\", "/").includes("/@miniflare/" + name + "/")));
    const ferroflare = require("ferroflare");
    const names = Object.keys(ferroflare);
    for (const name of names) Object.getOwnPropertyDescriptor(ferroflare, name);
    console.log(names.includes("Miniflare"), loaded().join());
    ferroflare.Miniflare;
    console.log(loaded().join());`);
  assert.equal(result.stderr, "");
  assert.deepEqual(result.stdout.split("\n"), [
    "true ",
    "http-server,runner-vm,kv,r2,d1,cache,scheduler,sites,html-rewriter",
    "",
  ]);
});

test("packaging: unmodified miniflare runs on it in place of @miniflare/durable-objects", async () => {
  const result = await runModule(`
    import Module, { createRequire } from "node:module";
    const require = createRequire(process.cwd() + "/");
    const own = require.resolve("ferroflare");
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) =>
      name === "@miniflare/durable-objects" ? own : resolve(name, ...rest);
    const { Miniflare, PLUGINS } = require("miniflare");
    const ferroflare = require("ferroflare");
    console.log(PLUGINS.DurableObjectsPlugin === ferroflare.DurableObjectsPlugin);
    const mf = new Miniflare({
      modules: true,
      script: \`
      export class Test {
        constructor(state) {
          this.storage = state.storage;
        }
        async fetch() {
          await this.storage.put("key", "value");
          return new Response(await this.storage.get("key"));
        }
      }
      export default {
        fetch(request, env) {
          return env.TEST.get(env.TEST.idFromName("a")).fetch(request);
        }
      }\`,
      durableObjects: { TEST: "Test" },
    });
    const response = await mf.dispatchFetch("http://localhost:8787/");
    console.log(await response.text());
    const namespace = await mf.getDurableObjectNamespace("TEST");
    const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
    console.log(storage instanceof ferroflare.DurableObjectStorage, await storage.get("key"));
    await mf.dispose();`);
  assert.deepEqual([result.stdout, result.stderr], ["true\nvalue\ntrue value\n", ""]);
});

/** Compiles a fixture as a user's project would, the types of libraries included. */
async function compile(file) {
  const source = path.join(fixtures, "types", file);
  const options =
    "--ignoreConfig --noEmit --strict --skipLibCheck false --pretty false --types node";
  const modules = "--target es2022 --module node16 --moduleResolution node16";
  const tsc = path.join(packageRoot, "node_modules", "typescript", "bin", "tsc");
  const args = [tsc, ...options.split(" "), ...modules.split(" "), source];
  const { stdout } = await start(process.execPath, args).ended;
  const errors = stdout.split("\n").filter((line) => /\(\d+,\d+\): error|^error/.test(line));
  // The types of Miniflare's own packages refer to packages that have none.
  return errors.filter((line) => !line.startsWith("node_modules"));
}

test("packaging: a strict TypeScript program compiles against the types", async () => {
  assert.deepEqual(await compile("correct.ts"), []);
});

test("packaging: a strict TypeScript program compiles against the types of the test environments", async () => {
  assert.deepEqual(await compile("testing.ts"), []);
});

test("packaging: the types refuse wrong programs, exactly where they are wrong", async () => {
  const lines = readFileSync(path.join(fixtures, "types", "wrong.ts"), "utf8").split("\n");
  const wrong = lines.flatMap((line, i) => (line.includes("// wrong: ") ? [i + 1] : []));
  const errors = await compile("wrong.ts");
  const found = errors.flatMap((error) => /wrong\.ts\((\d+),/.exec(error)?.[1] ?? []);
  assert.deepEqual(found.map(Number), wrong);
});

test("packaging: every exported name has a type", () => {
  const types = readFileSync(path.join(packageRoot, "index.d.ts"), "utf8");
  const typed = [...types.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, names]) =>
    names.split(",").map((name) => name.trim()),
  );
  assert.deepEqual(typed.filter(Boolean).sort(), Object.keys(required).sort());
});

test("packaging: the files that package.json names exist and would be published", async () => {
  const { main, types, bin, exports } = pkg;
  const { types: exportedTypes, import: module, require: script } = exports["."];
  const entries = [main, types, bin.ferroflare, exportedTypes, module, script];
  for (const target of Object.values(exports)) {
    if (target === "./package.json") continue;
    entries.push(...(typeof target === "string" ? [target] : Object.values(target)));
  }
  const published = pkg.files.map((name) => path.resolve(packageRoot, name));
  for (const entry of entries) {
    const file = path.resolve(packageRoot, entry);
    assert.ok(existsSync(file), entry);
    assert.ok(
      published.some((name) => file === name || file.startsWith(name + path.sep)),
      `${entry} is not among "files"`,
    );
  }
});

test("packaging: every package that the published code loads is a dependency", () => {
  const loaded = new Set();
  const visited = new Set();
  const visit = (file) => {
    if (visited.has(file)) return;
    visited.add(file);
    for (const [, name] of readFileSync(file, "utf8").matchAll(/\brequire\("([^"]+)"\)/g)) {
      if (name.startsWith(".")) visit(require.resolve(path.resolve(path.dirname(file), name)));
      else if (!name.startsWith("node:")) loaded.add(name.match(/^(@[^/]+\/)?[^/]+/)[0]);
    }
  };
  for (const entry of ["index.js", "bin/ferroflare.js", "jest.js"]) {
    const file = path.join(packageRoot, entry);
    const source = readFileSync(file, "utf8");
    for (const [, name] of source.matchAll(/require\("(\.[^"]+)"\)/g)) {
      const target = path.resolve(path.dirname(file), name);
      if (!target.endsWith("binding.js")) visit(target);
    }
  }
  // The Jest environment loads these from the Jest that runs.
  const ofJest = ["@jest/fake-timers", "jest-mock", "jest-util"];
  const known = new Set([pkg.name, ...Object.keys(pkg.dependencies), ...ofJest]);
  const undeclared = [...loaded].filter(
    (name) => !known.has(name) && !name.startsWith("@ferroflare"),
  );
  assert.deepEqual(undeclared, []);
});
