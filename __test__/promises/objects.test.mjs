// S1, S2, S3: the three ways to say which Durable Objects there are.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { Miniflare } from "ferroflare";
import { fixtures, startCli } from "../support/cli.mjs";

const objects = path.join(fixtures, "objects");
const toml = path.join(fixtures, "toml");
const scripts = path.join(fixtures, "scripts");

/** Starts a worker for the length of a test. */
function miniflare(t, options) {
  const mf = new Miniflare({ modules: true, ...options });
  t.after(() => mf.dispose());
  return mf;
}

async function text(mf, pathname) {
  const response = await mf.dispatchFetch(`http://localhost:8787${pathname}`);
  return response.text();
}

test("S1: --do binds each named object, asked over HTTP", async (t) => {
  const args = ["worker.mjs", "--do", "OBJECT1=Object1", "--do", "OBJECT2=Object2"];
  const cli = await startCli(t, args, { cwd: objects });
  assert.equal(await cli.text("/1"), "Object1 1");
  assert.equal(await cli.text("/2"), "Object2 1");
  assert.equal(await cli.text("/1"), "Object1 2");
});

test("S1: -o is short for --do", async (t) => {
  const args = ["worker.mjs", "-o", "OBJECT1=Object1", "-o", "OBJECT2=Object2"];
  const cli = await startCli(t, args, { cwd: objects });
  assert.equal(await cli.text("/1"), "Object1 1");
  assert.equal(await cli.text("/2"), "Object2 1");
});

test("S1: --do and -o may be mixed, and --do=NAME=Class works", async (t) => {
  const args = ["worker.mjs", "--do=OBJECT1=Object1", "-o", "OBJECT2=Object2"];
  const cli = await startCli(t, args, { cwd: objects });
  assert.equal(await cli.text("/1"), "Object1 1");
  assert.equal(await cli.text("/2"), "Object2 1");
});

test("S1: only the named objects are bound", async (t) => {
  const cli = await startCli(t, ["worker.mjs", "--do", "OBJECT2=Object2"], { cwd: objects });
  assert.equal(await cli.text("/1"), "no such binding");
  assert.equal(await cli.text("/2"), "Object2 1");
});

test("S1: NAME=Class@script takes the class from a mounted script", async (t) => {
  const args = ["scripts/worker.mjs", "--do", "TEST_OBJECT=TestObject@api"];
  args.push("--mount", "api=scripts/api");
  const cli = await startCli(t, args, { cwd: fixtures });
  assert.equal(await cli.text(), "API response");
});

test("S2: bindings of wrangler.toml, found by the command", async (t) => {
  const cli = await startCli(t, [], { cwd: toml });
  assert.equal(await cli.text("/1"), "Object1 1");
  assert.equal(await cli.text("/2"), "Object2 1");
  assert.equal(await cli.text("/2"), "Object2 2");
});

test("S2: --wrangler-env chooses the bindings of an environment", async (t) => {
  const cli = await startCli(t, ["--wrangler-env", "single"], { cwd: toml });
  assert.equal(await cli.text("/1"), "Object2 1");
  assert.equal(await cli.text("/2"), "no such binding");
});

test("S2: --do on the command line replaces the bindings of wrangler.toml", async (t) => {
  const cli = await startCli(t, ["--do", "OBJECT1=Object2"], { cwd: toml });
  assert.equal(await cli.text("/1"), "Object2 1");
  assert.equal(await cli.text("/2"), "no such binding");
});

test("S2: bindings of wrangler.toml, through the API", async (t) => {
  const mf = new Miniflare({ rootPath: toml, wranglerConfigPath: true });
  t.after(() => mf.dispose());
  assert.equal(await text(mf, "/1"), "Object1 1");
  assert.equal(await text(mf, "/2"), "Object2 1");
});

test("S2: script_name in wrangler.toml, through the API", async (t) => {
  const mf = new Miniflare({
    wranglerConfigPath: path.join(scripts, "wrangler.toml"),
    rootPath: scripts,
  });
  t.after(() => mf.dispose());
  assert.equal(await text(mf, "/"), "API response");
});

test("S3: durableObjects: { NAME: 'Class' }", async (t) => {
  const mf = miniflare(t, {
    scriptPath: path.join(objects, "worker.mjs"),
    durableObjects: { OBJECT1: "Object1", OBJECT2: "Object2" },
  });
  assert.equal(await text(mf, "/1"), "Object1 1");
  assert.equal(await text(mf, "/2"), "Object2 1");
});

test("S3: durableObjects: { NAME: { className } }", async (t) => {
  const mf = miniflare(t, {
    scriptPath: path.join(objects, "worker.mjs"),
    durableObjects: { OBJECT1: { className: "Object2" } },
  });
  assert.equal(await text(mf, "/1"), "Object2 1");
});

test("S3: durableObjects: { NAME: { className, scriptName } }", async (t) => {
  const mf = miniflare(t, {
    scriptPath: path.join(scripts, "worker.mjs"),
    durableObjects: { TEST_OBJECT: { className: "TestObject", scriptName: "api" } },
    mounts: { api: path.join(scripts, "api") },
  });
  assert.equal(await text(mf, "/"), "API response");
});

test("S3: the class comes from the exports of the main (string) script", async (t) => {
  const mf = miniflare(t, {
    script: `
    export class Object1 {
      async fetch(request) {
        return new Response(new URL(request.url).pathname);
      }
    }
    export default {
      fetch(request, env) {
        return env.OBJECT1.get(env.OBJECT1.newUniqueId()).fetch(request);
      }
    }`,
    durableObjects: { OBJECT1: "Object1" },
  });
  assert.equal(await text(mf, "/from-the-script"), "/from-the-script");
});

test("S3: two names for one class are two sets of objects", async (t) => {
  const mf = miniflare(t, {
    scriptPath: path.join(objects, "worker.mjs"),
    durableObjects: { OBJECT1: "Object1", OBJECT2: "Object1" },
  });
  assert.equal(await text(mf, "/1"), "Object1 1");
  assert.equal(await text(mf, "/1"), "Object1 2");
  assert.equal(await text(mf, "/2"), "Object1 1");
});

test("S3: a class that the script does not export is an error that names both", async () => {
  const mf = new Miniflare({
    modules: true,
    script: "export default { fetch() {} }",
    durableObjects: { OBJECT1: "Missing" },
  });
  await assert.rejects(mf.getPlugins(), {
    name: "DurableObjectError [ERR_CLASS_NOT_FOUND]",
    code: "ERR_CLASS_NOT_FOUND",
    message:
      'Class "Missing" for Durable Object "OBJECT1" not found. The script exports no class: write "export class Missing".',
  });
});
