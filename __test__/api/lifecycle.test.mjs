// Many instances, worker threads and VM contexts on one native core, in one process; and how the command ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import { createRequire, isBuiltin } from "node:module";
import path from "node:path";
import { test } from "node:test";
import vm from "node:vm";
import { Worker } from "node:worker_threads";
import { Miniflare } from "ferroflare";
import {
  fixtures,
  isListening,
  packageRoot,
  runModule,
  startCli,
  temporaryDirectory,
  until,
  VM_MODULES,
} from "../support/cli.mjs";

const require = createRequire(import.meta.url);
const threads = path.join(fixtures, "threads");
const options = {
  modules: true,
  script: `
  export class Counter {
    constructor(state) {
      this.storage = state.storage;
    }
    async fetch() {
      const count = ((await this.storage.get("count")) ?? 0) + 1;
      await this.storage.put("count", count);
      return Response.json(count);
    }
  }
  export default {
    fetch(request, env) {
      return env.COUNTER.get(env.COUNTER.idFromName("a")).fetch(request);
    }
  }`,
  durableObjects: { COUNTER: "Counter" },
};

async function count(mf) {
  const response = await mf.dispatchFetch("http://localhost:8787/");
  return response.json();
}

function addonFile() {
  return Object.keys(require.cache).find((file) => file.endsWith(".node"));
}

test("lifecycle: thirty instances at once keep their data apart", async (t) => {
  const instances = Array.from({ length: 30 }, () => new Miniflare(options));
  t.after(() => Promise.all(instances.map((mf) => mf.dispose())));
  const rounds = [];
  for (let round = 0; round < 3; round++) rounds.push(await Promise.all(instances.map(count)));
  assert.deepEqual(
    rounds,
    [1, 2, 3].map((n) => instances.map(() => n)),
  );
});

test("lifecycle: instances made and disposed of one after the other start empty", async () => {
  for (let i = 0; i < 20; i++) {
    const mf = new Miniflare(options);
    assert.equal(await count(mf), 1);
    await mf.dispose();
  }
});

test("lifecycle: disposing of one instance leaves the others working", async (t) => {
  const kept = new Miniflare(options);
  t.after(() => kept.dispose());
  const gone = new Miniflare(options);
  assert.equal(await count(kept), 1);
  assert.equal(await count(gone), 1);
  await gone.dispose();
  assert.equal(await count(kept), 2);
});

test("lifecycle: several worker threads load the core at once, each with its own data", async () => {
  const workers = Array.from(
    { length: 4 },
    () =>
      new Worker(path.join(threads, "counter.mjs"), { execArgv: [VM_MODULES, "--no-warnings"] }),
  );
  const counts = await Promise.all(
    workers.map(async (worker) => {
      const exited = once(worker, "exit");
      const [message] = await once(worker, "message");
      const [code] = await exited;
      return { message, code };
    }),
  );
  assert.deepEqual(
    counts,
    workers.map(() => ({ message: [1, 2, 3], code: 0 })),
  );
});

test("lifecycle: threads that load the core again after others ended still work", async () => {
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(path.join(threads, "counter.mjs"), {
      execArgv: [VM_MODULES, "--no-warnings"],
    });
    const exited = once(worker, "exit");
    const [message] = await once(worker, "message");
    assert.deepEqual(message, [1, 2, 3]);
    await exited;
  }
});

for (const work of ["transaction", "retries", "writes", "alarm"]) {
  test(`lifecycle: a worker thread terminated during "${work}" does not harm the process`, async () => {
    const result = await runModule(`
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      import { Miniflare } from "ferroflare";
      const mf = new Miniflare(${JSON.stringify(options)});
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(${JSON.stringify(path.join(threads, "busy.mjs"))}, {
          execArgv: ["${VM_MODULES}", "--no-warnings"],
          workerData: "${work}",
        });
        await once(worker, "message");
        await worker.terminate();
        globalThis.gc?.();
        const response = await mf.dispatchFetch("http://localhost:8787/");
        console.log(await response.text());
      }
      await mf.dispose();`);
    assert.deepEqual(
      { code: result.code, signal: result.signal, hung: result.hung, stdout: result.stdout },
      { code: 0, signal: null, hung: false, stdout: "1\n2\n3\n" },
      result.stderr,
    );
  });
}

test("lifecycle: process.exit() in the middle of transactions and writes ends without a crash", async () => {
  const result = await runModule(`
    import { Miniflare } from "ferroflare";
    const mf = new Miniflare(${JSON.stringify(options)});
    const namespace = await mf.getDurableObjectNamespace("COUNTER");
    const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
    for (let i = 0; i < 100; i++) storage.put("key" + i, "value");
    storage.transaction(async (txn) => {
      await txn.put("key", "value");
      await txn.list();
      process.exit(7);
    });`);
  assert.deepEqual(
    { code: result.code, signal: result.signal },
    { code: 7, signal: null },
    result.stderr,
  );
});

test("lifecycle: the addon may be loaded several times by one thread", async () => {
  const mf = new Miniflare(options);
  const before = await count(mf);
  for (let i = 0; i < 3; i++) {
    const addon = { exports: {} };
    process.dlopen(addon, addonFile());
    assert.equal(typeof addon.exports.coreVersion(), "string");
    const ids = new addon.exports.IdFactory("TEST_OBJECT");
    assert.equal(
      ids.idFromName("test"),
      "8f9973e23d7d465bb827b1ded10ae3e3d1e9b25f9e0763ab8ced46632d58ff07",
    );
  }
  assert.equal(await count(mf), before + 1);
  await mf.dispose();
});

/** Loads this package's own modules again inside a VM context, as test runners do; all others are the host's. */
function loadInContext() {
  const context = vm.createContext({
    ...{ Buffer, URL, console, process, queueMicrotask },
    ...{ setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate },
  });
  const modules = new Map();
  const load = (file) => {
    const loaded = modules.get(file);
    if (loaded !== undefined) return loaded.exports;
    const requireFrom = createRequire(file);
    const module = { exports: {} };
    modules.set(file, module);
    const requireHere = (name) => {
      if (isBuiltin(name)) return requireFrom(name);
      const resolved = requireFrom.resolve(name);
      const own = resolved.startsWith(packageRoot) && !resolved.includes("node_modules");
      return own && /\.c?js$/.test(resolved) ? load(resolved) : requireFrom(resolved);
    };
    const wrapper = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, "utf8")}\n})`;
    const run = vm.runInContext(wrapper, context, { filename: file });
    run(module.exports, Object.assign(requireHere, requireFrom), module, file, path.dirname(file));
    return module.exports;
  };
  return load(path.join(packageRoot, "index.js"));
}

test("lifecycle: several VM contexts of one process have their own classes and data", async () => {
  const packages = [loadInContext(), loadInContext(), loadInContext()];
  const classes = new Set(packages.map(({ DurableObjectStorage }) => DurableObjectStorage));
  assert.equal(classes.size, 3);
  const instances = packages.map(({ Miniflare: InContext }) => new InContext(options));
  for (const expected of [1, 2]) {
    const counts = await Promise.all(instances.map(count));
    assert.deepEqual(counts, [expected, expected, expected]);
  }
  for (const [i, mf] of instances.entries()) {
    const namespace = await mf.getDurableObjectNamespace("COUNTER");
    const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
    assert.ok(storage instanceof packages[i].DurableObjectStorage);
    const value = await storage.transaction(async (txn) => {
      await txn.put("key", { from: i });
      return txn.get("key");
    });
    assert.deepEqual(structuredClone(value), { from: i });
    await mf.dispose();
  }
});

const worker = ["worker.mjs", "--do", "OBJECT1=Object1"];

for (const [how, nodeArguments] of [
  ["started again with the flag", []],
  ["already started with the flag", [VM_MODULES]],
]) {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    test(`lifecycle: the command: ${signal} ends it by that signal, ${how}`, async (t) => {
      const cli = await startCli(t, worker, { cwd: path.join(fixtures, "objects"), nodeArguments });
      assert.equal(await cli.text("/1"), "Object1 1");
      const { code, signal: endedBy, hung, stderr } = await cli.end(signal);
      assert.deepEqual(
        { code, endedBy, hung, stderr },
        { code: null, endedBy: signal, hung: false, stderr: "" },
      );
      assert.equal(await isListening(cli.port), false);
    });
  }
}

test("lifecycle: the command: killing what npx started leaves no process behind", async (t) => {
  const cli = await startCli(t, worker, { cwd: path.join(fixtures, "objects") });
  assert.equal(await cli.text("/1"), "Object1 1");
  const { hung } = await cli.end("SIGKILL");
  assert.equal(hung, false);
  await until(async () => ((await isListening(cli.port)) ? undefined : true), "the port to close");
});

test("lifecycle: the command: a request in progress is answered before it ends", async (t) => {
  const cwd = await temporaryDirectory(t);
  const script = `export default {
    async fetch() {
      console.log("request began");
      await scheduler.wait(200);
      return new Response("answered");
    }
  }`;
  await writeFile(path.join(cwd, "worker.mjs"), script);
  const cli = await startCli(t, ["worker.mjs", "--modules"], { cwd });
  const answer = cli.text();
  await until(
    () => (cli.output.stdout.includes("request began") ? true : undefined),
    "the request to begin",
  );
  const ended = cli.end("SIGTERM");
  assert.equal(await answer, "answered");
  assert.equal((await ended).signal, "SIGTERM");
});

test("lifecycle: the command: an idle connection and a request that never ends do not keep it", async (t) => {
  const cwd = await temporaryDirectory(t);
  const script = `export default {
    fetch(request) {
      if (request.url.endsWith("/hang")) {
        console.log("request began");
        return new Promise(() => {});
      }
      return new Response("answered");
    }
  }`;
  await writeFile(path.join(cwd, "worker.mjs"), script);
  const cli = await startCli(t, ["worker.mjs", "--modules"], { cwd });
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const request = (pathname) => {
    const sent = http.get({ host: "127.0.0.1", port: cli.port, path: pathname, agent });
    sent.on("error", () => {});
    return sent;
  };
  await new Promise((resolve) =>
    request("/").on("response", (res) => res.resume().on("end", resolve)),
  );
  request("/hang");
  await until(
    () => (cli.output.stdout.includes("request began") ? true : undefined),
    "the request to begin",
  );
  const { signal, hung } = await cli.end("SIGINT");
  assert.deepEqual({ signal, hung }, { signal: "SIGINT", hung: false });
});

test("lifecycle: the command: an open WebSocket does not keep it", async (t) => {
  const cwd = await temporaryDirectory(t);
  const script = `export default {
    fetch() {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      return new Response(null, { status: 101, webSocket: client });
    }
  }`;
  await writeFile(path.join(cwd, "worker.mjs"), script);
  const cli = await startCli(t, ["worker.mjs", "--modules"], { cwd });
  const socket = await new Promise((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    const request = http.get({ host: "127.0.0.1", port: cli.port, headers });
    request.on("upgrade", (_response, upgraded) => resolve(upgraded));
    request.on("error", reject);
  });
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  const { signal, hung } = await cli.end("SIGINT");
  assert.deepEqual({ signal, hung }, { signal: "SIGINT", hung: false });
});
