// The module `cloudflare:workers`: where it can be imported, and what each of its exports does.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { Miniflare } from "../../index.mjs";
import { runModule, temporaryDirectory } from "../support/cli.mjs";
import { answer, failure, serve, TODAY } from "../support/modern.mjs";

const { WORKERS_EXPORTS } = createRequire(import.meta.url)("../../dist/workers/names.js");

const counter = `
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  add(n) { this.n = (this.n ?? 0) + n; return this.n; }
  own() { return [Object.keys(this), this.env.VALUE]; }
}
`;
const handler = "export default { fetch: () => new Response(null) }";

test("module: a string script imports it and its class serves RPC", async (t) => {
  const mf = serve(t, counter + handler, ["Counter"]);
  const stub = (await mf.getDurableObjectNamespace("Counter")).getByName("a");
  assert.equal(await stub.add(2), 2);
  assert.equal(await stub.add(3), 5);
});

test("module: it can be imported dynamically too", async (t) => {
  const script = `export default {
    async fetch() { return Response.json(Object.keys(await import("cloudflare:workers")).sort()); },
  }`;
  assert.deepEqual(await answer(serve(t, script, [])), [...WORKERS_EXPORTS].sort());
});

test("module: a script file and the modules that it imports share it", async (t) => {
  const folder = await temporaryDirectory(t);
  await writeFile(path.join(folder, "counter.mjs"), counter);
  await writeFile(
    path.join(folder, "worker.mjs"),
    `import { DurableObject } from "cloudflare:workers";
    import { Counter } from "./counter.mjs";
    export { Counter };
    export default { fetch: () => Response.json(Counter.prototype instanceof DurableObject) };`,
  );
  const options = { script: undefined, scriptPath: path.join(folder, "worker.mjs") };
  const mf = serve(t, undefined, ["Counter"], options);
  assert.equal(await answer(mf), true);
  const stub = (await mf.getDurableObjectNamespace("Counter")).getByName("a");
  assert.equal(await stub.add(2), 2);
});

test("module: with Node.js's own vm modules it is the same", async () => {
  const { code, stdout, stderr } = await runModule(
    `import { Miniflare } from "ferroflare";
    const script = ${JSON.stringify(`${counter + handler};\nconst late = await import("cloudflare:workers");\nexport const same = late.DurableObject === DurableObject;`)};
    const mf = new Miniflare({ modules: true, script, durableObjects: { C: "Counter" } });
    const stub = (await mf.getDurableObjectNamespace("C")).getByName("a");
    console.log(await stub.add(4), (await mf.getModuleExports()).same);
    await mf.dispose();`,
  );
  assert.deepEqual([code, stderr, stdout], [0, "", "4 true\n"]);
});

test("module: another import of a string script is refused as before", async () => {
  const script = 'import "./other.mjs"; import "cloudflare:workers"; export default {}';
  const mf = new Miniflare({ modules: true, script });
  const error = await failure(mf.getPlugins());
  assert.match(error.message, /dependency ".\/other.mjs": imports unsupported with string script/);
  await mf.dispose();
});

test("module: another module of Cloudflare's is an error that names it", async (t) => {
  const folder = await temporaryDirectory(t);
  const scriptPath = path.join(folder, "worker.mjs");
  await writeFile(scriptPath, 'import { connect } from "cloudflare:sockets"; export default {}');
  const mf = new Miniflare({ modules: true, scriptPath });
  const { message } = await failure(mf.getPlugins());
  assert.match(message, /dependency "cloudflare:sockets": no matching module rules/);
  assert.match(message, /ferroflare has "cloudflare:workers", and none of the other modules/);
  await mf.dispose();
});

test("module: a base class that is called otherwise than by an object's construction throws", async (t) => {
  const script = `${counter}
  import * as workers from "cloudflare:workers";
  const thrown = (run) => { try { run(); } catch (error) { return [error.name, error.message]; } };
  export default { fetch: (request, env, ctx) => Response.json([
    thrown(() => new Counter()),
    thrown(() => new Counter({}, env)),
    thrown(() => new workers.WorkerEntrypoint()),
    thrown(() => new workers.RpcPromise()),
    thrown(() => new workers.RpcProperty()),
    thrown(() => new workers.ServiceStub()),
    thrown(() => workers.RpcStub({})),
    thrown(() => new workers.RpcStub(5)),
    thrown(() => new workers.RpcStub([])),
    thrown(() => new workers.RpcStub(new Map())),
  ]) }`;
  const noState =
    "Failed to construct 'DurableObjectBase': constructor parameter 1 is not of type 'DurableObjectState'.";
  const noObject = (name) =>
    `Failed to construct '${name}': constructor parameter 1 is not of type 'Object'.`;
  const noTarget = "RpcStubs can only wrap plain objects, functions, and RpcTarget derivatives.";
  assert.deepEqual(await answer(serve(t, script, ["Counter"])), [
    ["TypeError", noState],
    ["TypeError", noState],
    ["TypeError", noObject("WorkerEntrypoint")],
    ["TypeError", "Illegal constructor"],
    ["TypeError", "Illegal constructor"],
    ["TypeError", "Illegal constructor"],
    [
      "TypeError",
      "Failed to construct 'JsRpcStub': Please use the 'new' operator, this object constructor cannot be called as a function.",
    ],
    ["TypeError", noObject("JsRpcStub")],
    ["TypeError", noTarget],
    ["TypeError", noTarget],
  ]);
});

test("module: ctx and env are the object's own writable properties", async (t) => {
  const mf = serve(t, counter + handler, ["Counter"], { bindings: { VALUE: 7 } });
  const stub = (await mf.getDurableObjectNamespace("Counter")).getByName("a");
  assert.deepEqual(await stub.own(), [["ctx", "env"], 7]);
});

test("module: env shows the worker's bindings at top level and in handlers, and takes writes", async (t) => {
  const script = `${counter}
  import { env, withEnv } from "cloudflare:workers";
  const early = [Object.keys(env).sort(), env.VALUE, "VALUE" in env];
  env.ADDED = 1;
  export default { async fetch(request, given) {
    env.LATER = 2;
    const inside = await withEnv({ VALUE: 8 }, async () => { await null; return [env.VALUE, Object.keys(env)]; });
    delete env.KEPT;
    return Response.json({ early, same: env === given, added: given.ADDED, later: given.LATER, inside, after: env.VALUE,
      kept: "KEPT" in given, object: env.Counter === given.Counter });
  } }`;
  const options = { bindings: { VALUE: 7, KEPT: 0 }, kvNamespaces: ["KV"] };
  assert.deepEqual(await answer(serve(t, script, ["Counter"], options)), {
    early: [["Counter", "KEPT", "KV", "VALUE"], 7, true],
    same: false,
    added: 1,
    later: 2,
    inside: [8, ["VALUE"]],
    after: 7,
    kept: false,
    object: true,
  });
});

test("module: env follows a reload, and the flag disallow_importable_env empties it", async (t) => {
  const script = `import { env } from "cloudflare:workers";
  const early = env.VALUE;
  export default { fetch: () => Response.json([early ?? null, env.VALUE ?? null]) }`;
  const mf = serve(t, script, [], { bindings: { VALUE: 1 } });
  assert.deepEqual(await answer(mf), [1, 1]);
  await mf.setOptions({ bindings: { VALUE: 2 } });
  assert.deepEqual(await answer(mf), [2, 2]);
  await mf.setOptions({ compatibilityFlags: ["disallow_importable_env"] });
  assert.deepEqual(await answer(mf), [null, null]);
});

test("module: exports and ctx.exports have the bound classes and the entrypoints, by the flag of a date", async (t) => {
  const script = `${counter}
  import { WorkerEntrypoint, exports, withExports } from "cloudflare:workers";
  export class Other extends WorkerEntrypoint {
    double(n) { return [2 * n, this.env.VALUE]; }
    fetch() { return new Response("other"); }
  }
  export default { async fetch(request, env, ctx) {
    if (ctx.exports === undefined) return Response.json([Object.keys(exports)]);
    exports.added = 1;
    delete exports.Counter;
    return Response.json([
      Object.keys(exports).sort(),
      Object.keys(ctx.exports).sort(),
      ctx.props,
      await exports.Counter.getByName("x").add(1),
      await ctx.exports.Other.double(4),
      await (await ctx.exports.Other.fetch("https://host/")).text(),
      await exports.default.nosuch().catch((error) => error.message),
      withExports({ only: 1 }, () => Object.keys(exports)),
    ]);
  } }`;
  const options = { bindings: { VALUE: 7 } };
  const names = ["Counter", "Other", "default"];
  assert.deepEqual(await answer(serve(t, script, ["Counter"], options)), [
    names,
    names,
    {},
    1,
    [8, 7],
    "other",
    'The RPC receiver does not implement the method "nosuch".',
    ["only"],
  ]);
  const old = serve(t, script, ["Counter"], { compatibilityDate: "2025-11-16" });
  assert.deepEqual(await answer(old), [[]]);
});

test("module: a WorkerEntrypoint as default export is constructed for each event", async (t) => {
  const script = `import { WorkerEntrypoint } from "cloudflare:workers";
  let built = 0;
  export default class extends WorkerEntrypoint {
    number = ++built;
    async fetch(request) {
      return Response.json([this.number, this.env.VALUE, new URL(request.url).pathname, typeof this.ctx.waitUntil, this.ctx.props]);
    }
  }`;
  const mf = serve(t, script, [], { bindings: { VALUE: 7 } });
  assert.deepEqual(await answer(mf, "/a"), [1, 7, "/a", "function", {}]);
  assert.deepEqual(await answer(mf, "/b"), [2, 7, "/b", "function", {}]);
  const { default: Class } = await mf.getModuleExports();
  assert.equal(typeof Class, "function");
});

test("module: waitUntil() extends the event that runs, and is refused outside events", async (t) => {
  const script = `import { DurableObject, waitUntil } from "cloudflare:workers";
  let outside;
  try { waitUntil(Promise.resolve()); } catch (error) { outside = error.message; }
  const log = [];
  export class Waiting extends DurableObject { wait() { waitUntil(Promise.resolve()); return "waited"; } }
  export default { async fetch(request, env) {
    if (request.url.endsWith("log")) return Response.json(log);
    waitUntil(new Promise((resolve) => setTimeout(resolve, 5)).then(() => { log.push("done"); return "value"; }));
    return Response.json([outside, await env.Waiting.getByName("a").wait()]);
  } }`;
  const mf = serve(t, script, ["Waiting"]);
  const response = await mf.dispatchFetch("http://localhost/");
  const [outside, waited] = await response.json();
  assert.match(outside, /^Disallowed operation called within global scope\. /);
  assert.equal(waited, "waited");
  assert.deepEqual(await response.waitUntil(), ["value"]);
  assert.deepEqual(await answer(mf, "/log"), ["done"]);
});

test("module: what it does not have yet can be imported, and its use names it", async (t) => {
  const script = `import { WorkflowEntrypoint, abortIsolate, cache, restore, tracing } from "cloudflare:workers";
  const thrown = (run) => { try { run(); } catch (error) { return [error.code, error.message]; } };
  class Flow extends WorkflowEntrypoint {}
  export default { fetch: () => Response.json([
    thrown(() => new Flow()), thrown(() => abortIsolate()), thrown(() => restore()),
    thrown(() => cache.default), thrown(() => tracing.enterSpan()),
  ]) }`;
  const names = [
    "WorkflowEntrypoint",
    "abortIsolate()",
    "restore()",
    "cache.default",
    "tracing.enterSpan",
  ];
  const expected = names.map((name) => [
    "ERR_UNSUPPORTED",
    `${name} is not supported by ferroflare`,
  ]);
  assert.deepEqual(await answer(serve(t, script, [])), expected);
});

test("module: with nodejs_compat every module of Node.js can be imported by its full name", async (t) => {
  const script = `import fs, { readFileSync } from "node:fs";
  import { inspect } from "node:util";
  import { AsyncLocalStorage } from "node:async_hooks";
  import { setTimeout as sleep } from "node:timers/promises";
  export default { fetch: () => Response.json([fs.readFileSync === readFileSync, inspect(1), typeof AsyncLocalStorage, typeof sleep]) }`;
  const mf = serve(t, script, [], { compatibilityFlags: ["nodejs_compat"] });
  assert.deepEqual(await answer(mf), [true, "1", "function", "function"]);
});

test("module: Symbol.dispose and Symbol.asyncDispose are the host's in every worker", async (t) => {
  const script = `export const symbols = [Symbol.dispose, Symbol.asyncDispose];
  export const method = Object.getOwnPropertyNames(class { [Symbol.dispose]() {} }.prototype);
  export default {}`;
  const mf = serve(t, script, []);
  const { symbols, method } = await mf.getModuleExports();
  assert.deepEqual([...symbols], [Symbol.dispose, Symbol.asyncDispose]);
  assert.deepEqual([...method], ["constructor"]);
});

test("module: the class of a mount has the bindings of its own worker, and its exports", async (t) => {
  const mounted = `import { DurableObject, env } from "cloudflare:workers";
  export class Room extends DurableObject {
    see() { return [this.env.WHERE, env.WHERE, this.ctx.exports === undefined ? null : Object.keys(this.ctx.exports)]; }
  }
  export default { fetch: () => new Response("mounted") }`;
  const script = `export default { async fetch(request, env) { return Response.json(await env.ROOM.getByName("a").see()); } }`;
  const mf = new Miniflare({
    modules: true,
    script,
    bindings: { WHERE: "parent" },
    durableObjects: { ROOM: { className: "Room", scriptName: "rooms" } },
    compatibilityDate: TODAY,
    mounts: {
      rooms: {
        modules: true,
        script: mounted,
        bindings: { WHERE: "mount" },
        durableObjects: { OWN: "Room" },
        compatibilityDate: TODAY,
      },
    },
  });
  t.after(() => mf.dispose());
  assert.deepEqual(await answer(mf), ["mount", "mount", ["Room", "default"]]);
});

test("module: under an unmodified MiniflareCore a script file has it, with the flag of Node.js", async (t) => {
  const folder = await temporaryDirectory(t);
  const scriptPath = path.join(folder, "worker.mjs");
  await writeFile(
    scriptPath,
    `import { env } from "cloudflare:workers";
    const early = Object.keys(env);
    ${counter}
    export default { async fetch(request, given) {
      return Response.json([early, await given.COUNTER.getByName("a").add(2), Object.keys(env).sort()]);
    } };`,
  );
  const { code, stdout, stderr } = await runModule(`
    import { BindingsPlugin, CorePlugin, MiniflareCore } from "@miniflare/core";
    import { VMScriptRunner } from "@miniflare/runner-vm";
    import { QueueBroker } from "@miniflare/queues";
    import { NoOpLog } from "@miniflare/shared";
    import { MemoryStorage } from "@miniflare/storage-memory";
    import { DurableObjectsPlugin } from "ferroflare";
    const log = new NoOpLog();
    const storageFactory = { storage: () => new MemoryStorage() };
    const mf = new MiniflareCore(
      { CorePlugin, DurableObjectsPlugin, BindingsPlugin },
      { log, storageFactory, queueBroker: new QueueBroker(log), scriptRunner: new VMScriptRunner() },
      { modules: true, scriptPath: ${JSON.stringify(scriptPath)}, bindings: { VALUE: 1 }, durableObjects: { COUNTER: "Counter" } },
    );
    console.log(await (await mf.dispatchFetch("http://localhost/")).text());
    await mf.dispose();
  `);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(JSON.parse(stdout), [["COUNTER"], 2, ["COUNTER", "VALUE"]]);
});
