// S14: a class that another script exports, by script_name or scriptName and mounts.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { Miniflare } from "ferroflare";
import { fixtures, runCli, startCli } from "../support/cli.mjs";

const scripts = path.join(fixtures, "scripts");
const mainScript = `export default {
  fetch(request, env) {
    const id = env.TEST_OBJECT.idFromName("a");
    return env.TEST_OBJECT.get(id).fetch(request);
  }
}`;
const apiScript = `
export class TestObject {
  constructor(state, env) {
    this.storage = state.storage;
    this.env = env;
  }
  async fetch() {
    const count = ((await this.storage.get("count")) ?? 0) + 1;
    await this.storage.put("count", count);
    return new Response("API " + count);
  }
}
export default {
  fetch(request, env) {
    return env.TEST_OBJECT.get(env.TEST_OBJECT.idFromName("a")).fetch(request);
  }
}`;
const testObject = { className: "TestObject", scriptName: "api" };

async function text(mf, url = "http://localhost:8787/") {
  const response = await mf.dispatchFetch(url);
  return response.text();
}

test("S14: script_name and [miniflare.mounts] in wrangler.toml, the command asked over HTTP", async (t) => {
  const cli = await startCli(t, [], { cwd: scripts });
  assert.equal(await cli.text(), "API response");
});

test("S14: script_name and [miniflare.mounts] in wrangler.toml, through the API", async (t) => {
  const mf = new Miniflare({ rootPath: scripts, wranglerConfigPath: true });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API response");
});

test("S14: scriptName and mounts: { name: path }", async (t) => {
  const mf = new Miniflare({
    modules: true,
    scriptPath: path.join(scripts, "worker.mjs"),
    durableObjects: { TEST_OBJECT: testObject },
    mounts: { api: path.join(scripts, "api") },
  });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API response");
});

test("S14: scriptName and mounts: { name: options }", async (t) => {
  const mf = new Miniflare({
    modules: true,
    script: mainScript,
    durableObjects: { TEST_OBJECT: testObject },
    mounts: { api: { modules: true, script: apiScript } },
  });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API 1");
  assert.equal(await text(mf), "API 2");
});

test("S14: namespace and storage of such an object from outside", async (t) => {
  const mf = new Miniflare({
    modules: true,
    script: mainScript,
    durableObjects: { TEST_OBJECT: testObject },
    mounts: { api: { modules: true, script: apiScript } },
  });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API 1");
  const namespace = await mf.getDurableObjectNamespace("TEST_OBJECT");
  const id = namespace.idFromName("a");
  const storage = await mf.getDurableObjectStorage(id);
  assert.equal(await storage.get("count"), 1);
  await storage.put("count", 10);
  const response = await namespace.get(id).fetch("http://localhost:8787/");
  assert.equal(await response.text(), "API 11");
});

test("S14: a name that both scripts bind is one set of objects", async (t) => {
  const mf = new Miniflare({
    modules: true,
    script: mainScript,
    durableObjects: { TEST_OBJECT: testObject },
    mounts: {
      api: {
        modules: true,
        script: apiScript,
        routes: ["api.example.com/*"],
        durableObjects: { TEST_OBJECT: "TestObject" },
      },
    },
  });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API 1");
  assert.equal(await text(mf, "http://api.example.com/"), "API 2");
  assert.equal(await text(mf), "API 3");
});

test("S14: data survives a reload of the mounted script", async (t) => {
  const options = {
    modules: true,
    script: mainScript,
    durableObjects: { TEST_OBJECT: testObject },
  };
  const mf = new Miniflare({ ...options, mounts: { api: { modules: true, script: apiScript } } });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API 1");
  const script = apiScript.replace('"API "', '"changed "');
  await mf.setOptions({ mounts: { api: { modules: true, script } } });
  assert.equal(await text(mf), "changed 2");
});

test("S14: the main script may refer to itself by its name", async (t) => {
  const mf = new Miniflare({
    name: "main",
    modules: true,
    script: apiScript,
    durableObjects: { TEST_OBJECT: { className: "TestObject", scriptName: "main" } },
  });
  t.after(() => mf.dispose());
  assert.equal(await text(mf), "API 1");
});

test("S14: a script that is not mounted is an error that says so", async () => {
  const mf = new Miniflare({
    modules: true,
    script: mainScript,
    durableObjects: { TEST_OBJECT: testObject },
  });
  await assert.rejects(mf.getPlugins(), {
    code: "ERR_SCRIPT_NOT_FOUND",
    message:
      'Script "api" for Durable Object "TEST_OBJECT" not found.\n' +
      'Make sure "api" is mounted so Miniflare knows where to find it.',
  });
});

test("S14: a class that the mounted script does not export is an error that names both", async () => {
  const mf = new Miniflare({
    modules: true,
    script: mainScript,
    durableObjects: { TEST_OBJECT: { className: "Missing", scriptName: "api" } },
    mounts: { api: { modules: true, script: apiScript } },
  });
  await assert.rejects(mf.getPlugins(), {
    code: "ERR_CLASS_NOT_FOUND",
    message:
      'Class "Missing" in script "api" for Durable Object "TEST_OBJECT" not found. The script exports "TestObject".',
  });
});

test("S14: the command ends with one line if the script is not mounted", async () => {
  const args = ["scripts/worker.mjs", "--do", "TEST_OBJECT=TestObject@api", "--no-cf-fetch"];
  const result = await runCli(args, { cwd: fixtures });
  assert.equal(result.code, 1);
  assert.equal(
    result.stderr,
    'ferroflare: Script "api" for Durable Object "TEST_OBJECT" not found. ' +
      'Make sure "api" is mounted so Miniflare knows where to find it.\n',
  );
});
