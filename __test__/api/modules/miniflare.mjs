// Uses `Miniflare` with module workers, and prints what each scenario shows as one JSON object.
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Miniflare } from "ferroflare";

const root = await realpath(await mkdtemp(path.join(os.tmpdir(), "ferroflare-modules-")));
process.chdir(root);
const results = {};

async function write(files) {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

async function scenario(name, files, options, use) {
  await write(files);
  const mf = new Miniflare({ rootPath: root, ...options });
  try {
    results[name] = await use(mf);
  } catch (error) {
    results[name] = { name: error.name, code: error.code, message: error.message };
  } finally {
    await mf.dispose();
  }
}

async function text(mf, url = "http://localhost:8787/") {
  const response = await mf.dispatchFetch(url);
  return response.text();
}

const wasm = Buffer.from("AGFzbQEAAAABBQFgAAF/AwIBAAcKAQZhbnN3ZXIAAAoGAQQAQSoL", "base64");

await scenario(
  "modulesRules",
  {
    "rules/worker.mjs": `
      import { greet } from "./lib.mjs"; import text from "./text.txt"; import page from "./page.html";
      import data from "./data.blob"; import wasm from "./add.wasm"; import old from "./old.cjs";
      const { exports } = new WebAssembly.Instance(wasm);
      export default { fetch: () => Response.json([greet("you"), text, page, data.byteLength, exports.answer(), old]) }`,
    "rules/lib.mjs": `export function greet(name) { return "hello " + name }`,
    "rules/text.txt": "text",
    "rules/page.html": "<p>",
    "rules/data.blob": "1234",
    "rules/add.wasm": wasm,
    "rules/old.cjs": `module.exports = { old: require("./text.txt") }`,
  },
  {
    scriptPath: "rules/worker.mjs",
    modules: true,
    modulesRules: [
      { type: "CommonJS", include: ["**/*.cjs"] },
      { type: "Data", include: ["**/*.blob"] },
      { type: "Text", include: ["**/*.html", "**/*.txt"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
  },
  text,
);

await scenario(
  "wrangler.toml",
  {
    "toml/wrangler.toml": `
      [build.upload]
      format = "modules"
      dir = "src"
      main = "./main.mjs"
      [[build.upload.rules]]
      type = "Text"
      globs = ["**/*.md"]`,
    "toml/src/main.mjs": `import readme from "./readme.md"; export default { fetch: () => new Response(readme) }`,
    "toml/src/readme.md": "# Title",
  },
  { wranglerConfigPath: path.join(root, "toml/wrangler.toml"), rootPath: path.join(root, "toml") },
  text,
);

const counter = `
  import { step } from "./step.mjs";
  export class Counter {
    constructor(state) { this.storage = state.storage }
    async fetch() {
      const count = ((await this.storage.get("count")) ?? 0) + step;
      await this.storage.put("count", count);
      return new Response(String(count));
    }
  }
  export default { fetch: (request, env) => env.COUNTER.get(env.COUNTER.idFromName("a")).fetch(request) }`;

await scenario(
  "mounts",
  {
    "api/worker.mjs": counter,
    "api/step.mjs": "export const step = 10",
    "main.mjs": `export { default } from "./api/worker.mjs"`,
  },
  {
    scriptPath: "main.mjs",
    modules: true,
    durableObjects: { COUNTER: { className: "Counter", scriptName: "api" } },
    mounts: {
      api: {
        rootPath: path.join(root, "api"),
        scriptPath: "worker.mjs",
        modules: true,
        durableObjects: { OWN: "Counter" },
      },
    },
  },
  async (mf) => [await text(mf), await text(mf)],
);

await scenario(
  "reload",
  { "reload/worker.mjs": counter, "reload/step.mjs": "export let step = 0; step++" },
  { scriptPath: "reload/worker.mjs", modules: true, durableObjects: { COUNTER: "Counter" } },
  async (mf) => {
    const shown = [await text(mf), await text(mf)];
    await mf.reload();
    shown.push(await text(mf));
    await write({ "reload/step.mjs": "export const step = 100" });
    await mf.reload();
    return [...shown, await text(mf)];
  },
);

await scenario(
  "watch",
  {
    "watch/worker.mjs": `import { say } from "./deep/say.mjs"; export default { fetch: () => new Response(say()) }`,
    "watch/deep/say.mjs": `import text from "./say.txt"; export const say = () => text`,
    "watch/deep/say.txt": "before",
  },
  {
    scriptPath: "watch/worker.mjs",
    modules: true,
    modulesRules: [{ type: "Text", include: ["**/*.txt"] }],
    watch: true,
  },
  async (mf) => {
    const shown = [await text(mf)];
    const reloaded = once(mf, "reload");
    await write({ "watch/deep/say.txt": "after" });
    await reloaded;
    return [...shown, await text(mf)];
  },
);

await scenario(
  "two instances",
  {
    "two/worker.mjs": `import "./state.mjs"; export default { fetch: () => new Response(String(++globalThis.count)) }`,
    "two/state.mjs": "globalThis.count = 0",
  },
  { scriptPath: "two/worker.mjs", modules: true },
  async (first) => {
    const second = new Miniflare({ rootPath: root, scriptPath: "two/worker.mjs", modules: true });
    try {
      return [await text(first), await text(first), await text(second), await text(first)];
    } finally {
      await second.dispose();
    }
  },
);

await scenario(
  "a site's manifest",
  {
    "site/page.txt": "page",
    "site.mjs": `import manifest from "__STATIC_CONTENT_MANIFEST"; export default { fetch: () => new Response(manifest) }`,
  },
  { scriptPath: "site.mjs", modules: true, sitePath: "site" },
  text,
);

await scenario(
  "stack traces",
  {
    "stack/worker.mjs": `import { helper } from "./helper.mjs";\n\nexport default {\n  fetch() {\n    try { helper() } catch (error) { return new Response(error.stack) }\n  },\n};`,
    "stack/helper.mjs": `export function helper() {\n  throw new Error("from helper");\n}`,
  },
  { scriptPath: "stack/worker.mjs", modules: true },
  async (mf) => (await text(mf)).split("\n").slice(0, 3),
);

// The compiled file has one line; the map sends column 0 and everything after it to line 3, column 4 of the original.
const map = {
  version: 3,
  sources: ["original.ts"],
  names: [],
  mappings: "AAEI",
  sourcesContent: ["// one\n// two\n    throw mapped;\n"],
};
await scenario(
  "source maps",
  {
    "mapped/worker.mjs": `import { mapped } from "./mapped.mjs"; export default { fetch() { try { mapped() } catch (error) { return new Response(error.stack) } } }`,
    "mapped/mapped.mjs": `export function mapped() { throw new Error("mapped") }\n//# sourceMappingURL=mapped.mjs.map`,
    "mapped/mapped.mjs.map": JSON.stringify(map),
  },
  { scriptPath: "mapped/worker.mjs", modules: true, sourceMap: true },
  async (mf) => (await text(mf)).split("\n").slice(0, 2),
);

await scenario(
  "an import that no rule allows",
  { "rule.mjs": `import "some-package"; export default {}` },
  { scriptPath: "rule.mjs", modules: true },
  async (mf) => String(await mf.getModuleExports()),
);

await scenario(
  "a script given as text",
  {},
  {
    script: `export const named = 1; export default { fetch: () => new Response(typeof require + typeof globalThis.Durable) }`,
    modules: true,
  },
  async (mf) => [await text(mf), Object.keys(await mf.getModuleExports())],
);

await scenario(
  "a service worker",
  {},
  {
    script: `addEventListener("fetch", (event) => event.respondWith(new Response("service " + (this === globalThis))))`,
  },
  text,
);

process.chdir(os.tmpdir());
await rm(root, { recursive: true, force: true });
console.log(JSON.stringify(results).replaceAll(root, "ROOT"));
