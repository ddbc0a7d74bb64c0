// The `Miniflare` class beside that of miniflare@2, and what belongs to it.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { Log, LogLevel, Miniflare, PLUGINS, updateCheck, VariedStorageFactory } from "ferroflare";
import { fakeRegistry, fixtures, runCli, startCli, temporaryDirectory } from "../support/cli.mjs";

const require = createRequire(import.meta.url);
const reference = require("miniflare");
const maxValueSize = path.join(fixtures, "max-value-size");
const KIB = 1024;

/** Remembers what was logged, as `[level] message`. */
class MemoryLog extends Log {
  lines = [];

  log(line) {
    this.lines.push(line);
  }
}

function miniflare(t, options) {
  const mf = new Miniflare(options);
  t.after(() => mf.dispose());
  return mf;
}

async function text(mf, pathname = "/") {
  const response = await mf.dispatchFetch(`http://localhost:8787${pathname}`);
  return response.text();
}

test("miniflare: it has the methods of miniflare's class", () => {
  const methods = ({ prototype }) => Object.getOwnPropertyNames(prototype).sort();
  assert.deepEqual(methods(Miniflare), methods(reference.Miniflare));
  const core = (Class) => Object.getPrototypeOf(Class);
  assert.equal(core(Miniflare), core(reference.Miniflare));
});

test("miniflare: it has miniflare's plugins, in the same order, all but one of them the same or their subclasses", () => {
  assert.deepEqual(Object.keys(PLUGINS), Object.keys(reference.PLUGINS));
  const different = Object.keys(PLUGINS).filter(
    (name) =>
      PLUGINS[name] !== reference.PLUGINS[name] &&
      !(PLUGINS[name].prototype instanceof reference.PLUGINS[name]),
  );
  assert.deepEqual(different, ["DurableObjectsPlugin"]);
});

test("miniflare: the plugin takes the reference's options and its own", () => {
  const options = (plugins) => [...plugins.DurableObjectsPlugin.prototype.opts.keys()];
  assert.deepEqual(options(PLUGINS), [
    ...options(reference.PLUGINS),
    "durableObjectsMaxValueSize",
    "durableObjectsDurability",
    "durableObjectsMaxOpen",
    "durableObjectsClasses",
    "durableObjectsSqlite",
  ]);
});

test("miniflare: Request and Response are those of the worker", async (t) => {
  const { Request, Response } = require("ferroflare");
  const mf = miniflare(t, {
    script:
      'addEventListener("fetch", (event) => event.respondWith(new Response(event.request.method)));',
  });
  const response = await mf.dispatchFetch(new Request("http://localhost/", { method: "PUT" }));
  assert.ok(response instanceof Response);
  assert.equal(await response.text(), "PUT");
});

test("miniflare: other storage works beside Durable Objects", async (t) => {
  const mf = miniflare(t, {
    modules: true,
    script: `
    export class Test {
      constructor(state, env) {
        this.state = state;
        this.env = env;
      }
      async fetch() {
        await this.env.KV.put("key", "from the object");
        await this.env.BUCKET.put("key", "in the bucket");
        await this.state.storage.put("key", await this.env.KV.get("key"));
        return new Response(await this.state.storage.get("key"));
      }
    }
    export default {
      fetch(request, env) {
        return env.TEST.get(env.TEST.idFromName("a")).fetch(request);
      }
    }`,
    durableObjects: { TEST: "Test" },
    kvNamespaces: ["KV"],
    r2Buckets: ["BUCKET"],
  });
  assert.equal(await text(mf), "from the object");
  const kv = await mf.getKVNamespace("KV");
  assert.equal(await kv.get("key"), "from the object");
  const bucket = await mf.getR2Bucket("BUCKET");
  assert.equal(await (await bucket.get("key")).text(), "in the bucket");
});

test("miniflare: getCaches() gives the worker's caches", async (t) => {
  const { Response } = require("ferroflare");
  const mf = miniflare(t, {
    script: `addEventListener("fetch", (event) => {
      event.respondWith(caches.default.match("http://localhost/cached"));
    });`,
  });
  const caches = await mf.getCaches();
  const headers = { "Cache-Control": "max-age=3600" };
  await caches.default.put("http://localhost/cached", new Response("cached", { headers }));
  assert.equal(await text(mf), "cached");
});

test("miniflare: KV in files is kept where miniflare keeps it", async (t) => {
  const kvPersist = await temporaryDirectory(t);
  const options = { script: "//", kvNamespaces: ["KV"], kvPersist };
  const theirs = new reference.Miniflare(options);
  t.after(() => theirs.dispose());
  await (await theirs.getKVNamespace("KV")).put("theirs", "1");
  const mf = miniflare(t, options);
  const kv = await mf.getKVNamespace("KV");
  assert.equal(await kv.get("theirs"), "1");
  await kv.put("ours", "2");
  assert.equal(await (await theirs.getKVNamespace("KV")).get("ours"), "2");
  assert.deepEqual(await readdir(kvPersist), ["KV"]);
});

test("miniflare: storage in memory is the same for the same namespace", () => {
  const factory = new VariedStorageFactory();
  assert.equal(factory.storage("a"), factory.storage("a"));
  assert.notEqual(factory.storage("a"), factory.storage("b"));
});

test("miniflare: storage refuses a place that is neither a path nor a URL", () => {
  assert.throws(() => new VariedStorageFactory().storage("NAME", true), {
    name: "TypeError",
    message: 'The place of "NAME" must be a path, a Redis URL or undefined, not true.',
  });
});

test("miniflare: KV in Redis without Redis support names the package and hides the password", async () => {
  const mf = new Miniflare({
    script: "//",
    kvNamespaces: ["KV"],
    kvPersist: "redis://user:secret@localhost:6379/1",
  });
  await assert.rejects(mf.getPlugins(), {
    name: "Error",
    message:
      'Cannot store data in redis://user:***@localhost:6379/1: the package "@miniflare/storage-redis" is not ' +
      "installed. Install it with: npm install -D @miniflare/storage-redis@2.14.4 ioredis@4",
  });
});

test("miniflare: startServer() listens where the options say and reports it", async (t) => {
  const log = new MemoryLog(LogLevel.INFO);
  const mf = miniflare(t, {
    script: 'addEventListener("fetch", (event) => event.respondWith(new Response("body")));',
    host: "127.0.0.1",
    port: 0,
    cfFetch: false,
    log,
  });
  const server = await mf.startServer();
  t.after(() => server.close());
  const { port } = server.address();
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  assert.equal(await response.text(), "body");
  const listening = log.lines.filter((line) => line.includes("127.0.0.1"));
  assert.deepEqual(listening, [
    `[mf:inf] Listening on 127.0.0.1:${port}`,
    `[mf:inf] - http://127.0.0.1:${port}`,
  ]);
});

test("miniflare: startServer() rejects if the port is in use", async (t) => {
  const other = http.createServer();
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const { port } = other.address();
  const mf = miniflare(t, { script: "//", host: "127.0.0.1", port, cfFetch: false });
  await assert.rejects(mf.startServer(), {
    name: "ListenError",
    code: "EADDRINUSE",
    message: `Cannot listen on port ${port}: it is already in use. Choose another port (--port, port).`,
  });
});

test("miniflare: createServer() gives a server that does not listen yet", async (t) => {
  const mf = miniflare(t, { script: "//", cfFetch: false });
  const server = await mf.createServer();
  assert.ok(server instanceof http.Server);
  assert.equal(server.listening, false);
});

test("miniflare: startScheduler() schedules and can be disposed of", async (t) => {
  const mf = miniflare(t, { script: "//", crons: ["* * * * *"] });
  const scheduler = await mf.startScheduler();
  assert.equal(scheduler.scheduledHandles.length, 1);
  await scheduler.dispose();
});

for (const [options, url] of [
  [{}, undefined],
  [{ open: true }, "http://localhost:8787/"],
  [{ open: true, host: "example.com", port: 1234 }, "http://example.com:1234/"],
  [{ open: "https://example.com/path" }, "https://example.com/path"],
]) {
  test(`miniflare: getOpenURL() of ${JSON.stringify(options)}`, async (t) => {
    const mf = miniflare(t, { script: "//", cfFetch: false, ...options });
    assert.equal(await mf.getOpenURL(), url);
  });
}

test("miniflare: a worker without a script is an error, unless none is required", async (t) => {
  await assert.rejects(new Miniflare({}).getPlugins(), { code: "ERR_NO_SCRIPT" });
  await miniflare(t, { scriptRequired: false }).getPlugins();
});

test("miniflare: a worker that did not start rejects with why, and can be disposed of", async () => {
  const mf = new Miniflare({ script: "this is no script" });
  await assert.rejects(mf.getPlugins(), { name: "SyntaxError" });
  await assert.rejects(mf.getPlugins(), { name: "SyntaxError" });
  await mf.dispose();
});

test("miniflare: a syntax error in a module says where it is", async (t) => {
  const scriptPath = path.join(await temporaryDirectory(t), "worker.mjs");
  await writeFile(scriptPath, "export default {};\nlet let = 1;\n");
  const mf = new Miniflare({ modules: true, scriptPath });
  await assert.rejects(mf.getPlugins(), (error) => {
    assert.ok(error.stack.startsWith(`${scriptPath}:2\nlet let = 1;\n    ^^^\n\nSyntaxError: `));
    return true;
  });
});

test("max value size: 32 KiB by default", async (t) => {
  const mf = miniflare(t, {
    rootPath: maxValueSize,
    scriptPath: "worker.mjs",
    modules: true,
    durableObjects: { STORE: "Store" },
  });
  assert.equal(await text(mf, `/${32 * KIB - 16}`), String(32 * KIB - 16));
  assert.equal(
    await text(mf, `/${33 * KIB}`),
    "RangeError: Values cannot be larger than 32768 bytes.",
  );
});

test("max value size: durableObjectsMaxValueSize", async (t) => {
  const mf = miniflare(t, {
    rootPath: maxValueSize,
    scriptPath: "worker.mjs",
    modules: true,
    durableObjects: { STORE: "Store" },
    durableObjectsMaxValueSize: 1000,
  });
  assert.equal(await text(mf, "/900"), "900");
  assert.equal(await text(mf, "/2000"), "RangeError: Values cannot be larger than 1000 bytes.");
  const namespace = await mf.getDurableObjectNamespace("STORE");
  const storage = await mf.getDurableObjectStorage(namespace.newUniqueId());
  assert.throws(() => storage.put("key", "x".repeat(2000)), {
    name: "RangeError",
    message: "Values cannot be larger than 1000 bytes.",
  });
});

test("max value size: --do-max-value-size", async (t) => {
  const args = ["worker.mjs", "--do", "STORE=Store", "--do-max-value-size", "50000"];
  const cli = await startCli(t, [...args, "--wrangler-config", "wrangler.toml"], {
    cwd: maxValueSize,
  });
  assert.equal(await cli.text("/49000"), "49000");
  assert.equal(await cli.text("/51000"), "RangeError: Values cannot be larger than 50000 bytes.");
});

test("max value size: durable_objects_max_value_size in wrangler.toml", async (t) => {
  const cli = await startCli(t, [], { cwd: maxValueSize });
  assert.equal(await cli.text(`/${127 * KIB}`), String(127 * KIB));
  assert.equal(
    await cli.text(`/${129 * KIB}`),
    "RangeError: Values cannot be larger than 131072 bytes.",
  );
});

test("max value size: 2 MiB is the most", async (t) => {
  const mf = miniflare(t, {
    rootPath: maxValueSize,
    scriptPath: "worker.mjs",
    modules: true,
    durableObjects: { STORE: "Store" },
    durableObjectsMaxValueSize: 2048 * KIB,
  });
  assert.equal(await text(mf, `/${2047 * KIB}`), String(2047 * KIB));
});

for (const size of [0, -1, 1.5, Number.NaN, 2048 * KIB + 1, "32768"]) {
  test(`max value size: ${JSON.stringify(size)} is refused by name`, async () => {
    const mf = new Miniflare({
      rootPath: maxValueSize,
      scriptPath: "worker.mjs",
      modules: true,
      durableObjects: { STORE: "Store" },
      durableObjectsMaxValueSize: size,
    });
    await assert.rejects(mf.getPlugins(), /durableObjectsMaxValueSize.*expected a whole number/);
  });
}

test("max value size: the command refuses a bad one in one line", async () => {
  const args = ["worker.mjs", "--do-max-value-size", "0", "--no-cf-fetch"];
  const result = await runCli(args, { cwd: maxValueSize });
  assert.match(result.stderr, /^ferroflare: [^\n]*--do-max-value-size[^\n]*0[^\n]*\n$/);
  assert.equal(result.code, 1);
});

async function check(t, installed, latest) {
  const registry = await fakeRegistry(t, (response) =>
    response.end(JSON.stringify({ version: latest })),
  );
  const log = new MemoryLog(LogLevel.WARN);
  const lastCheckFile = path.join(await temporaryDirectory(t), "last");
  const options = {
    pkg: { name: "some-name", version: installed },
    lastCheckFile,
    log,
    registry: `${registry.url}/`,
  };
  return { registry, log, options };
}

for (const [installed, latest, warnings] of [
  ["1.2.3", "1.2.3", []],
  ["1.2.3", "1.2.2", []],
  ["1.10.0", "1.9.0", []],
  ["1.2.3", "1.2.3-beta.1", []],
  ["1.2.3", "1.10.0", ["[mf:wrn] some-name 1.10.0 is available; this is 1.2.3."]],
  ["1.2.3-beta.1", "1.2.3", ["[mf:wrn] some-name 1.2.3 is available; this is 1.2.3-beta.1."]],
  [
    "1.2.3",
    "2.0.0",
    [
      "[mf:wrn] some-name 2.0.0 is available; this is 1.2.3.",
      "[mf:wrn] 2.0.0 includes breaking changes. Read its changelog before you update.",
    ],
  ],
]) {
  test(`update check: ${installed} installed, ${latest} published`, async (t) => {
    const { registry, log, options } = await check(t, installed, latest);
    await updateCheck(options);
    assert.deepEqual(log.lines, warnings);
    assert.deepEqual(registry.asked, ["/some-name/latest"]);
  });
}

test("update check: it asks once a day", async (t) => {
  const { registry, options } = await check(t, "1.2.3", "1.2.3");
  const now = Date.now();
  await updateCheck({ ...options, now });
  assert.equal(await readFile(options.lastCheckFile, "utf8"), String(now));
  await updateCheck({ ...options, now: now + 23 * 60 * 60 * 1000 });
  assert.equal(registry.asked.length, 1);
  await updateCheck({ ...options, now: now + 25 * 60 * 60 * 1000 });
  assert.equal(registry.asked.length, 2);
});
