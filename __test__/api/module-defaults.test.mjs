// What is a module without an option, which files modules may import, and what is said of imports that lead nowhere.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { start, temporaryDirectory, VM_MODULES } from "../support/cli.mjs";

const answer = (code) => `export default { fetch: () => new Response(${code}) };\n`;
const listener = 'addEventListener("fetch", (e) => e.respondWith(new Response("listener")));\n';

/** Gives what each worker answers, or how it fails, with the options of each. */
const PROGRAM = `
import { Miniflare } from "ferroflare";
const answers = {};
for (const [name, options] of JSON.parse(process.env.WORKERS)) {
  const mf = new Miniflare({ rootPath: process.env.ROOT, ...options });
  try {
    answers[name] = await (await mf.dispatchFetch("http://localhost/")).text();
  } catch (error) {
    answers[name] = error.stack;
  }
  await mf.dispose().catch(() => {});
}
console.log(JSON.stringify(answers));
`;

/** The same with and without Node.js's own modules for contexts. */
async function answersOf(t, files, workers) {
  const directory = await temporaryDirectory(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
    await writeFile(path.join(directory, name), content);
  }
  const env = { ROOT: directory, WORKERS: JSON.stringify(Object.entries(workers)) };
  const all = [];
  for (const flags of [[], [VM_MODULES]]) {
    const args = ["--no-warnings", ...flags, "--input-type=module", "--eval", PROGRAM];
    const run = await start(process.execPath, args, { env }).ended;
    assert.deepEqual([run.code, run.stderr], [0, ""]);
    all.push(JSON.parse(run.stdout));
  }
  return all;
}

test("modules: a script is one by its ending, its classes in the configuration, or its imports and exports", async (t) => {
  const files = {
    "plain.mjs": "globalThis.x = 1; import.meta.url;\n",
    "listener.mjs": listener,
    "exports.js": answer('"exports"'),
    "listener.js": listener,
    "wrangler.toml":
      '[durable_objects]\nbindings = [{ name = "A", class_name = "A" }]\n[build.upload]\nmain = "./classes.js"\ndir = "."\n',
    "classes.js": `export class A {}\n${answer('"classes"')}`,
    "meta.mjs": `const here = typeof import.meta;\n${answer("here")}`,
  };
  for (const answers of await answersOf(t, files, {
    plain: { scriptPath: "plain.mjs", upstream: "http://127.0.0.1:1" },
    listenerMjs: { scriptPath: "listener.mjs" },
    exports: { scriptPath: "exports.js" },
    listener: { scriptPath: "listener.js" },
    classes: { wranglerConfigPath: true },
    meta: { scriptPath: "meta.mjs" },
    forced: { scriptPath: "exports.js", modules: false },
  })) {
    assert.doesNotMatch(answers.plain, /SyntaxError/);
    assert.equal(answers.listenerMjs, "listener");
    assert.equal(answers.exports, "exports");
    assert.equal(answers.listener, "listener");
    assert.equal(answers.classes, "classes");
    assert.equal(answers.meta, "object");
    assert.match(answers.forced, /SyntaxError/);
  }
});

test("modules: files of JSON and modules that end in .js can be imported, and CommonJS as before", async (t) => {
  const files = {
    "worker.mjs": `
import data from "./data.json";
import { named } from "./lib/module.js";
import common from "./common.js";
${answer("JSON.stringify([data, named, common, data instanceof Object])")}`,
    "data.json": '{ "list": [1] }',
    "lib/module.js": 'import deep from "./deep.json";\nexport const named = deep.name;\n',
    "lib/deep.json": '{ "name": "deep" }',
    "common.js": 'module.exports = require("./data.json").default.list;\n',
    "broken.mjs": `import data from "./broken.json";\n${answer("data")}`,
    "broken.json": "{ nothing }",
  };
  for (const answers of await answersOf(t, files, {
    worker: { scriptPath: "worker.mjs" },
    broken: { scriptPath: "broken.mjs" },
  })) {
    assert.deepEqual(JSON.parse(answers.worker), [{ list: [1] }, "deep", [1], true]);
    assert.match(answers.broken, /Cannot parse \S*broken\.json: /);
  }
});

test("modules: an import that leads nowhere says what to do", async (t) => {
  const files = {
    "package.mjs": `import "@some/package/deep";\n${answer("1")}`,
    "markdown.mjs": `import text from "./a.md";\n${answer("text")}`,
    "a.md": "text",
    "missing.mjs": `import {\n  one,\n  two,\n} from "./part.mjs";\n${answer("one + two")}`,
    "default.mjs": `import part from "./part.mjs";\n${answer("part")}`,
    "part.mjs": "export const one = 1;\n",
  };
  const names = ["package", "markdown", "missing", "default"];
  const workers = names.map((name) => [name, { scriptPath: `${name}.mjs` }]);
  for (const answers of await answersOf(t, files, Object.fromEntries(workers))) {
    assert.match(
      answers.package,
      /dependency "@some\/package\/deep": no matching module rules\.\nIf it is an npm package, .*: npm install --save-dev @some\/package esbuild\n/,
    );
    assert.match(
      answers.markdown,
      /modulesRules: \[\{ type: "Text", include: \["\*\*\/\*\.md"\] \}\]/,
    );
    assert.match(
      answers.missing,
      /missing\.mjs:3\n {2}two,\n {2}\^{3}\n\nSyntaxError: The requested module '\.\/part\.mjs' does not provide an export named 'two'/,
    );
    assert.match(answers.default, /default\.mjs:1\nimport part from ".\/part\.mjs";\n {7}\^{4}\n/);
  }
});
