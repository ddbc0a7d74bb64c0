// The command in projects with a configuration file: without options, with environments, watched, without a network.
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { bin, runCli, start, startCli, until } from "../support/cli.mjs";
import { addFiles, projectOf } from "../support/configured.mjs";

/** A project as create-cloudflare makes it for Durable Objects in TypeScript. */
const TEMPLATE = {
  "wrangler.jsonc": `/**
 * For more details on how to configure Wrangler, refer to:
 * https://developers.cloudflare.com/workers/wrangler/configuration/
 */
{
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "my-app",
  "main": "src/index.ts",
  "compatibility_date": "2026-04-01",
  "compatibility_flags": ["global_fetch_strictly_public"],
  "migrations": [{ "new_sqlite_classes": ["MyDurableObject"], "tag": "v1" }],
  "durable_objects": {
    "bindings": [{ "class_name": "MyDurableObject", "name": "MY_DURABLE_OBJECT" }],
  },
  "observability": { "enabled": true },
  "upload_source_maps": true,
}
`,
  "package.json": { name: "my-app", private: true, devDependencies: { wrangler: "^4.0.0" } },
  "tsconfig.json": {
    compilerOptions: { target: "es2024", module: "es2022", moduleResolution: "node", strict: true },
  },
  "src/index.ts": `import { DurableObject } from "cloudflare:workers";

export class MyDurableObject extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
  }

  async sayHello(name: string): Promise<string> {
    return \`Hello, \${name}!\`;
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const stub = env.MY_DURABLE_OBJECT.getByName("foo");
    const greeting = await stub.sayHello("world");
    return new Response(greeting);
  },
} satisfies ExportedHandler<Env>;
`,
};

/** The lines of warnings and errors in what a command has printed. */
const complaints = ({ stdout, stderr }) =>
  `${stdout}${stderr}`.split("\n").filter((line) => /mf:(wrn|err)|^ferroflare:/.test(line));

test("wrangler: a project of Cloudflare's template starts without an option and without a complaint", async (t) => {
  const cwd = await projectOf(t, TEMPLATE);
  const files = await readdir(cwd, { recursive: true });
  const cli = await startCli(t, [], { cwd });
  assert.equal(await cli.text(), "Hello, world!");
  const ended = await cli.end("SIGINT");
  assert.deepEqual([complaints(ended), ended.hung], [[], false]);
  assert.deepEqual(await readdir(cwd, { recursive: true }), files);
});

test("wrangler: an error of the worker names the line of TypeScript", async (t) => {
  const cwd = await projectOf(t, {
    ...TEMPLATE,
    "src/index.ts": `${TEMPLATE["src/index.ts"]}\nconst gone: any = undefined;\ngone.call();\n`,
  });
  const { code, stderr } = await runCli(["--port", "0"], { cwd });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /TypeError: Cannot read properties of undefined[^\n]*\n\s+at [^\n]*src\/index\.ts:22:6/,
  );
});

test("wrangler: a syntax error of TypeScript is shown with file, line and caret", async (t) => {
  const cwd = await projectOf(t, { ...TEMPLATE, "src/index.ts": "export default {\n  a b\n};\n" });
  const { code, stderr } = await runCli(["--port", "0"], { cwd });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^ferroflare: Cannot build "src\/index\.ts": src\/index\.ts:2:5: [^\n]+\n\n {4}a b\n {6}\^\n$/,
  );
});

/** Lets a process not find a package. */
const WITHOUT_ESBUILD = `const Module = require("node:module");
const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  if (name !== "esbuild") return resolve.call(this, name, ...rest);
  throw Object.assign(new Error("Cannot find module 'esbuild'"), { code: "MODULE_NOT_FOUND" });
};`;

test("wrangler: without esbuild the message names the command that installs it", async (t) => {
  const cwd = await projectOf(t, { ...TEMPLATE, "without.cjs": WITHOUT_ESBUILD });
  const hook = path.join(cwd, "without.cjs");
  const args = ["--require", hook, bin, "--port", "0"];
  const { code, stderr } = await start(process.execPath, args, { cwd }).ended;
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'ferroflare: Cannot build "src/index.ts": esbuild is not installed. Install it: npm install --save-dev esbuild\n',
  );
  // JavaScript in one file needs none.
  const js = TEMPLATE["src/index.ts"]
    .replace(/constructor[^}]*}\n/, "")
    .replaceAll(/<(Env|string|Response)>|: (Promise|string)\b|satisfies .*(?=;)/g, "");
  await addFiles(cwd, {
    "wrangler.jsonc": TEMPLATE["wrangler.jsonc"].replace("index.ts", "index.js"),
    "src/index.js": js,
  });
  const cli = await startCli(t, [], { cwd, nodeArguments: ["--require", hook] });
  assert.equal(await cli.text(), "Hello, world!");
});

/** Prints where a process would connect to, and lets it fail. */
const WITHOUT_NETWORK = `const { Socket } = require("node:net");
Socket.prototype.connect = function (...args) {
  const [options] = args.flat();
  process.stderr.write("CONNECT " + (options.host ?? options.path ?? options) + "\\n");
  process.nextTick(() => this.destroy(new Error("no network")));
  return this;
};`;

test("wrangler: no network is touched at start, and Request.cf is a placeholder without a warning", async (t) => {
  const cwd = await projectOf(t, {
    ...TEMPLATE,
    "hook.cjs": WITHOUT_NETWORK,
    "src/index.ts": "export default { fetch: (request: any) => new Response(request.cf.colo) };",
    "wrangler.jsonc": { name: "a", main: "src/index.ts" },
    "node_modules/x/package.json": "{}",
  });
  const env = { NODE_ENV: undefined, CI: undefined, NO_UPDATE_NOTIFIER: undefined };
  const nodeArguments = ["--require", path.join(cwd, "hook.cjs")];
  const run = async (...args) => {
    const given = [...nodeArguments, bin, "--host", "127.0.0.1", "--port", "0", ...args];
    const cli = start(process.execPath, given, { cwd, env });
    t.after(() => cli.child.kill("SIGKILL"));
    const [, port] = await until(
      () => /Listening on 127\.0\.0\.1:(\d+)/.exec(cli.output.stdout) ?? undefined,
      "the server",
    );
    return { ...cli, port };
  };
  const silent = await run();
  assert.equal(await (await fetch(`http://127.0.0.1:${silent.port}`)).text(), "DFW");
  silent.child.kill("SIGINT");
  const ended = await silent.ended;
  assert.equal(ended.stderr, "");
  assert.deepEqual(complaints(ended), []);
  // With the option it is fetched: this shows that the hook would have told.
  const asked = await run("--cf-fetch", "--update-check");
  await until(
    () => asked.output.stderr.includes("CONNECT workers.cloudflare.com") || undefined,
    "cf",
  );
  await until(() => asked.output.stderr.split("CONNECT").length > 2 || undefined, "the registry");
  await until(
    () => asked.output.stdout.includes("Unable to fetch the `Request.cf`") || undefined,
    "a warning",
  );
});

const VARS = {
  "wrangler.jsonc": {
    main: "worker.mjs",
    vars: { A: "top" },
    dev: { port: 0 },
    env: { staging: { vars: { A: "staging" } } },
  },
  "wrangler.toml": 'main = "worker.mjs"\n[vars]\nA = "toml"\n',
  "worker.mjs": "export default { fetch: (request, env) => new Response(env.A) };",
  staging2: "A=file\n",
};

test("wrangler: --env and --wrangler-env choose an environment, --env also a file of variables", async (t) => {
  const cwd = await projectOf(t, VARS);
  const text = async (...args) => {
    const cli = await startCli(t, args, { cwd });
    const body = await cli.text();
    await cli.end("SIGINT");
    return body;
  };
  assert.equal(await text(), "top");
  assert.equal(await text("--env", "staging"), "staging");
  assert.equal(await text("-e", "staging"), "staging");
  assert.equal(await text("--wrangler-env", "staging"), "staging");
  assert.equal(await text("--env", "staging2"), "file");
  assert.equal(await text("-c", "wrangler.toml"), "toml");
  const { code, stderr } = await runCli(["--env", "nope", "--port", "0"], { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /nope" \(--env\): no such file or directory\.\n$/);
  const unknown = await runCli(["--wrangler-env", "nope", "--port", "0"], { cwd });
  assert.match(
    unknown.stderr,
    /^ferroflare: There is no environment "nope" in [^\n]* It has "staging"\.\n$/,
  );
});

test("wrangler: a line says which of several files is used", async (t) => {
  const cwd = await projectOf(t, VARS);
  const cli = await startCli(t, [], { cwd });
  const { stdout } = await cli.end("SIGINT");
  assert.match(stdout, /wrangler\.jsonc is used, and wrangler\.toml beside it is not\./);
});

test("wrangler: what is no JSON, and a migration that cannot be, end the start with their place", async (t) => {
  const cwd = await projectOf(t, { ...VARS, "wrangler.json": '{ "main": worker }' });
  const json = await runCli(["--port", "0"], { cwd });
  assert.equal(json.code, 1);
  assert.match(
    json.stderr,
    /^ferroflare: Cannot parse "[^"]*wrangler\.json": this is no value at 1:11\.\n\n {2}\{ "main": worker \}\n {12}\^\n$/,
  );
  await addFiles(cwd, {
    "wrangler.json": { main: "worker.mjs", migrations: [{ deleted_classes: ["A"] }] },
  });
  const migration = await runCli(["--port", "0"], { cwd });
  assert.equal(
    migration.stderr,
    "ferroflare: Cannot apply deleted_classes migration to non-existent class A\n",
  );
});

test("wrangler: --watch builds again when a source changes, and reads the configuration again", async (t) => {
  const cwd = await projectOf(t, {
    "wrangler.jsonc": { main: "src/index.ts", vars: { A: "1" } },
    "src/index.ts":
      'import { word } from "./word";\nexport default { fetch: (r: any, env: any) => new Response(word + env.A) };\n',
    "src/word.ts": 'export const word: string = "a";\n',
  });
  const cli = await startCli(t, ["--watch"], { cwd });
  const becomes = (body) =>
    until(async () => ((await cli.text()) === body ? true : undefined), `the answer ${body}`);
  await becomes("a1");
  await writeFile(path.join(cwd, "src/word.ts"), 'export const word: string = "b";\n');
  await becomes("b1");
  await addFiles(cwd, { "wrangler.jsonc": { main: "src/index.ts", vars: { A: "2" } } });
  await becomes("b2");
  await writeFile(path.join(cwd, "src/word.ts"), "export const word: = ;\n");
  await until(
    () =>
      /Cannot build "src\/index\.ts": src\/word\.ts:1:20/.exec(
        cli.output.stderr + cli.output.stdout,
      ) ?? undefined,
    "the error",
  );
  assert.equal(await cli.text(), "b2");
  await writeFile(path.join(cwd, "src/word.ts"), 'export const word: string = "c";\n');
  await becomes("c2");
});

test("wrangler: --watch builds again when a file comes that an import has missed", async (t) => {
  const cwd = await projectOf(t, {
    "wrangler.jsonc": { main: "src/index.ts" },
    "src/index.ts": 'export default { fetch: () => new Response("first") };\n',
  });
  const cli = await startCli(t, ["--watch"], { cwd });
  assert.equal(await cli.text(), "first");
  await writeFile(
    path.join(cwd, "src/index.ts"),
    'import { word } from "./late";\nexport default { fetch: () => new Response(word) };\n',
  );
  const missed = () => /Could not resolve "\.\/late"/.exec(cli.output.stdout + cli.output.stderr);
  await until(() => missed() ?? undefined, "the error");
  assert.equal(await cli.text(), "first");
  await writeFile(path.join(cwd, "src/late.ts"), 'export const word: string = "late";\n');
  await until(async () => ((await cli.text()) === "late" ? true : undefined), "the answer");
});

test("wrangler: doctor says which file counts, what it declares, and where its data are", async (t) => {
  const cwd = await projectOf(t, {
    ...VARS,
    "wrangler.jsonc": `{
      "main": "worker.mjs", // the worker
      "miniflare": { "durable_objects_persist": "./data" },
      "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"], "new_classes": ["Kv"] }],
    }`,
  });
  const { code, stdout, stderr } = await runCli(["doctor"], { cwd });
  assert.deepEqual([code, stderr], [0, ""]);
  const file = path.join(cwd, "wrangler.jsonc");
  assert.match(
    stdout,
    new RegExp(`^config: +${file}: wrangler\\.jsonc is used, and wrangler\\.toml`, "m"),
  );
  assert.match(stdout, /^classes: +Kv, Room \(SQLite\)$/m);
  assert.ok(
    stdout.includes(
      `${path.join(cwd, "data")} (durable_objects_persist in wrangler.jsonc): written`,
    ),
  );
  await addFiles(cwd, { "wrangler.jsonc": "{ broken" });
  const broken = await runCli(["doctor"], { cwd });
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /^ferroflare: Cannot parse "[^\n]*wrangler\.jsonc": [^\n]*\n$/);
});
