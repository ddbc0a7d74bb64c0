// Workers in TypeScript, and workers that import packages: built in memory, with stack traces of the sources.
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { transform } from "esbuild";
import { runModule, start } from "../support/cli.mjs";
import { addFiles, projectOf, serveIn } from "../support/configured.mjs";
import { failure } from "../support/modern.mjs";

const CONFIG = {
  main: "src/index.ts",
  compatibility_date: "2026-04-01",
  compatibility_flags: ["nodejs_compat"],
  migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
  durable_objects: { bindings: [{ name: "ROOM", class_name: "Room" }] },
};

const ROOM = `import { DurableObject } from "cloudflare:workers";

interface Env {
  ROOM: unknown;
}

export class Room extends DurableObject<Env> {
  async fail(text: string): Promise<never> {
    // a comment
    throw new RangeError(text);
  }
  async put(): Promise<void> {
    await this.ctx.storage.put(undefined as never, 1);
  }
}
`;

const INDEX = `import { createHash } from "node:crypto";
import { EventEmitter } from "events";
import { shout } from "loud";
import type { Nothing } from "./nowhere";
import { Room } from "./room";
import page from "./page.html";
import data from "./data.bin";
export { Room };
enum Level { Low = 1, High }
const nothing: Nothing = undefined;
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") throw new TypeError("thrown");
    if (pathname === "/stack") return new Response(new Error("here").stack);
    return Response.json({
      level: Level.High, page, bytes: data.byteLength, loud: shout("a"), nothing,
      hash: createHash("sha256").update("").digest("hex").length, emitter: typeof EventEmitter,
      name: Room.name, agent: navigator.userAgent,
    });
  },
} satisfies object;
`;

const FILES = {
  "wrangler.jsonc": CONFIG,
  "src/index.ts": INDEX,
  "src/room.ts": ROOM,
  "src/page.html": "<p>",
  "src/data.bin": "1234",
  "node_modules/loud/package.json": { name: "loud", version: "1.0.0", main: "index.js" },
  "node_modules/loud/index.js": 'exports.shout = (text) => text.toUpperCase() + "!";',
};

test("TypeScript: main is built with what it imports, and no file is written", async (t) => {
  const directory = await projectOf(t, FILES);
  const before = await readdir(directory, { recursive: true });
  const { json } = serveIn(t, directory);
  assert.deepEqual(await json(), {
    level: 2,
    page: "<p>",
    bytes: 4,
    loud: "A!",
    hash: 64,
    emitter: "function",
    name: "Room",
    agent: "Cloudflare-Workers",
  });
  assert.deepEqual(await readdir(directory, { recursive: true }), before);
});

test("TypeScript: stack traces name the lines of the sources, in the worker, in objects and outside", async (t) => {
  const directory = await projectOf(t, FILES);
  const { mf, text } = serveIn(t, directory);
  const line = (file, number, column) => `${path.join(directory, file)}:${number}:${column}`;
  assert.ok((await text("/stack")).includes(line("src/index.ts", 15, 52)), await text("/stack"));
  const thrown = await failure(text("/throw"));
  assert.equal(
    thrown.stack.split("\n")[1].trim(),
    `at Object.fetch (${line("src/index.ts", 14, 38)})`,
  );
  const stub = (await mf.getDurableObjectNamespace("ROOM")).getByName("a");
  const inObject = await failure(stub.fail("no"));
  assert.ok(
    inObject.stack.includes(`at Room.fail (${line("src/room.ts", 10, 11)})`),
    inObject.stack,
  );
  // This error is made by the package, outside the realm of the worker.
  const ofStorage = await failure(stub.put());
  assert.ok(ofStorage.stack.includes(line("src/room.ts", 13, 28)), ofStorage.stack);
  for (const { stack } of [thrown, inObject, ofStorage]) {
    assert.ok(!stack.includes("bundle.mjs"), stack);
  }
});

test("TypeScript: stacks that have nothing to do with a built worker stay as they are", async (t) => {
  await serveIn(t, await projectOf(t, FILES)).json();
  const own = new TypeError("own");
  assert.match(own.stack, /^TypeError: own\n {4}at [^\n]*typescript\.test\.mjs:\d+:\d+/);
  assert.equal(new Error("").stack.split("\n", 1)[0], "Error");
});

test("TypeScript: a program that Node.js maps by --enable-source-maps keeps its own lines", async (t) => {
  const directory = await projectOf(t, FILES);
  const program = `import { Miniflare } from ${JSON.stringify(new URL("../../index.mjs", import.meta.url).href)};
    interface Nothing {}
    const rootPath: string = ${JSON.stringify(directory)};
    const mf: Miniflare = new Miniflare({ rootPath, wranglerConfigPath: true });
    const stack = async (): Promise<string> => new Error("own").stack!;
    await mf.dispatchFetch("http://a/");
    console.log(await stack());
    await mf.dispose();`;
  const { code } = await transform(program, {
    loader: "ts",
    format: "esm",
    sourcemap: "inline",
    sourcefile: "program.ts",
  });
  await addFiles(directory, { "program.mjs": code });
  const args = ["--enable-source-maps", "--no-warnings", path.join(directory, "program.mjs")];
  const { stdout, stderr } = await start(process.execPath, args).ended;
  assert.equal(stderr, "");
  assert.match(stdout, /^Error: own\n {4}at stack \([^\n]*program\.ts:5:48\)\n/);
});

test("TypeScript: an error of the build shows file, line and caret, each of them", async (t) => {
  const directory = await projectOf(t, {
    ...FILES,
    "src/room.ts": "export class Room {\n\tconst a = ;\n}\n",
  });
  const syntax = await failure(serveIn(t, directory).mf.getPlugins());
  assert.deepEqual([syntax.name, syntax.code], ["BuildError", "ERR_BUILD"]);
  assert.match(
    syntax.message,
    /^Cannot build "[^"]*src\/index\.ts": src\/room\.ts:2:8: Expected ";" but found "a"\n\n {2}\tconst a = ;\n {2}\t {6}\^(\n|$)/,
  );
  await addFiles(directory, {
    "src/room.ts": 'import "./a";\nimport "b";\nexport class Room {}\n',
  });
  const missing = await failure(serveIn(t, directory).mf.getPlugins());
  assert.match(
    missing.message,
    /src\/room\.ts:1:8: Could not resolve "\.\/a"\n\n {2}import "\.\/a";\n {9}\^{5}/,
  );
  assert.match(missing.message, /src\/room\.ts:2:8: Could not resolve "b"/);
});

test("TypeScript: a script by option is built too, and so is JavaScript that imports an installed package", async (t) => {
  const directory = await projectOf(t, {
    ...FILES,
    "worker.ts":
      'import page from "./src/page.html";\nconst answer: string = "ts" + page;\nexport default { fetch: () => new Response(answer) };\n',
    "worker.mjs":
      'import { shout } from "loud";\nexport default { fetch: () => new Response(shout("js")) };\n',
    "deep.mjs": 'import worker from "./worker.mjs";\nexport default worker;\n',
    "plain.ts": 'addEventListener("fetch", (e: any) => e.respondWith(new Response("plain")));\n',
    "none.mjs": 'import "nosuch";\nexport default {};\n',
    "text.mjs":
      'const text = `import a from "loud"`;\nexport default { fetch: () => new Response(text) };\n',
  });
  const of = (scriptPath) => serveIn(t, directory, { scriptPath, wranglerConfigPath: false });
  assert.equal(await of("worker.ts").text(), "ts<p>");
  assert.equal(await of("worker.mjs").text(), "JS!");
  assert.equal(await of("deep.mjs").text(), "JS!");
  assert.equal(await of("plain.ts").text(), "plain");
  assert.equal(await of("text.mjs").text(), 'import a from "loud"');
  const none = await failure(of("none.mjs").mf.getPlugins());
  assert.equal(none.code, "ERR_MODULE_RULE");
});

test("TypeScript: settings of the configuration reach the build", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.jsonc": {
      main: "a.ts",
      define: { DEFINED: '"defined"' },
      alias: { other: "./alias.ts" },
    },
    "a.ts":
      'import x from "other";\ndeclare const DEFINED: string;\nexport default { fetch: () => Response.json([DEFINED, x]) };\n',
    "alias.ts": 'export default "alias" as string;\n',
  });
  assert.deepEqual(await serveIn(t, directory).json(), ["defined", "alias"]);
});

test("TypeScript: without nodejs_compat a module of Node.js is an error that names the flag", async (t) => {
  const directory = await projectOf(t, {
    ...FILES,
    "wrangler.jsonc": { ...CONFIG, compatibility_flags: [] },
  });
  const error = await failure(serveIn(t, directory).mf.getPlugins());
  assert.equal(error.code, "ERR_MODULE_RULE");
  assert.match(
    error.message,
    /src\/index\.ts" dependency "node:crypto": no matching module rules\.\nAdd "nodejs_compat"/,
  );
});

test("TypeScript: a build is made again when a source has changed, and only then", async (t) => {
  const directory = await projectOf(t, FILES);
  const first = serveIn(t, directory);
  await first.json();
  const again = serveIn(t, directory);
  assert.equal((await again.json()).level, 2);
  await writeFile(path.join(directory, "src/page.html"), "<b>");
  await writeFile(path.join(directory, "node_modules/loud/index.js"), "exports.shout = () => 1;");
  await first.mf.reload();
  const { page, loud } = await first.json();
  assert.deepEqual([page, loud], ["<b>", 1]);
});

test("TypeScript: module rules that differ make builds that differ", async (t) => {
  const directory = await projectOf(t, {
    "a.ts": 'import text from "./a.md";\nexport default { fetch: () => new Response(text) };\n',
    "a.md": "text",
  });
  const options = { scriptPath: "a.ts", wranglerConfigPath: false };
  const without = await failure(serveIn(t, directory, options).mf.getPlugins());
  assert.match(without.message, /No loader is configured for "\.md" files/);
  const modulesRules = [{ type: "Text", include: ["**/*.md"] }];
  assert.equal(await serveIn(t, directory, { ...options, modulesRules }).text(), "text");
});

test("TypeScript: a program that has built a worker ends by itself", async (t) => {
  const directory = await projectOf(t, FILES);
  const program = `import { Miniflare } from "ferroflare";
    const mf = new Miniflare({ rootPath: ${JSON.stringify(directory)}, wranglerConfigPath: true });
    console.log((await (await mf.dispatchFetch("http://a/")).json()).level);
    await mf.dispose();`;
  const { code, hung, stdout, stderr } = await runModule(program);
  assert.deepEqual(
    { code, hung, stdout, stderr },
    { code: 0, hung: false, stdout: "2\n", stderr: "" },
  );
});
