// Modern objects in Jest and Vitest, run as a user runs them: the module, RPC, isolation, and what rejects unseen.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import test, { before } from "node:test";
import { installation, project, runCommand } from "../support/runners.mjs";

const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "3" : "4";
const PACKAGES = {
  jest: "30",
  vitest,
  "@vitest/coverage-v8": vitest,
  "@vitest/coverage-istanbul": vitest,
};

const worker = `
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Cursor extends RpcTarget { next() { return 1; } }
export class Counter extends DurableObject {
  async add(n) { const value = ((await this.ctx.storage.get("value")) ?? 0) + n; await this.ctx.storage.put("value", value); return value; }
  object() { return { list: [1, new Map([["a", 1]])], at: new Date(0) }; }
  cursor() { return new Cursor(); }
  fail() { throw new TypeError("failed"); }
  call(f) { return f(1); }
  fetch() {
    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1], ["tag"]);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }
  webSocketMessage(ws, message) { ws.send(message + " " + this.ctx.getWebSockets("tag").length); }
}
export default { async fetch(request, env) { return Response.json(await env.COUNTER.getByName("a").add(1)); } };
`;

/** The tests of both runners, after what imports \`workers\` and the globals. */
const tests = `
const { DurableObject, env } = workers;
const stub = () => env.COUNTER.getByName("a");
describe("modern objects", () => {
  test("have RPC, whose results are of the realm of the test", async () => {
    expect(await stub().add(2)).toBe(2);
    expect(await stub().object()).toStrictEqual({ list: [1, new Map([["a", 1]])], at: new Date(0) });
    expect(await stub().cursor().next()).toBe(1);
    expect(await stub().call((x) => x + 1)).toBe(2);
    await expect(stub().fail()).rejects.toThrow(TypeError);
  });
  test("start each test from what is stored", async () => {
    expect(await stub().add(3)).toBe(3);
    expect(getMiniflareBindings().COUNTER.getByName("a").name).toBe("a");
  });
  test("have stubs that are no ids", async () => {
    for (const helper of [getMiniflareDurableObjectStorage, getMiniflareDurableObjectInstance]) {
      await expect(helper(stub())).rejects.toThrow(/received an instance of DurableObjectStub\\. .*stub\\.id/);
    }
  });
  test("have the base class that tests import", async () => {
    const seen = await runInDurableObject(stub(), (instance, state) => [instance instanceof DurableObject, state.id.name, instance.ctx === state]);
    expect(seen).toEqual([true, "a", true]);
    class Own extends DurableObject { where() { return this.ctx.id.toString(); } }
    const { id } = stub();
    expect(new Own(await getMiniflareDurableObjectState(id), env).where()).toBe(String(id));
    expect(() => new Own({}, env)).toThrow(TypeError);
  });
  test("reject unseen without a word", async () => {
    for (let i = 0; i < 100; i++) { stub().fail(); stub().nosuch.deeper(); stub().call(() => { throw new Error("callback"); }); }
    expect(await stub().add(1)).toBe(1);
  });
  describe("whose sockets hibernate", () => {
    let outer;
    let inner;
    async function open() {
      const { webSocket } = await stub().fetch("http://localhost/");
      const end = { webSocket, closes: [] };
      webSocket.addEventListener("close", ({ code }) => end.closes.push(code));
      webSocket.accept();
      return end;
    }
    const answer = ({ webSocket }, text) => new Promise((resolve) => {
      webSocket.addEventListener("message", ({ data }) => resolve(data), { once: true });
      webSocket.send(text);
    });
    beforeAll(async () => { outer = await open(); });
    test("keep those of their group", async () => {
      expect(await answer(outer, "a")).toBe("a 1");
      inner = await open();
      expect(await answer(inner, "b")).toBe("b 2");
    });
    test("lose those of a test with it", async () => {
      expect(await answer(outer, "c")).toBe("c 1");
      expect([outer.closes, inner.closes]).toEqual([[], [1006]]);
    });
  });
  test("can be disposed of", () => {
    expect(Object.getOwnPropertyNames(class { [Symbol.dispose]() {} }.prototype)).toEqual(["constructor"]);
  });
});
`;

const options = {
  modules: true,
  scriptPath: "worker.mjs",
  durableObjects: { COUNTER: "Counter" },
  compatibilityDate: "2026-04-25",
};

/** A worker as Cloudflare's templates have it, and a suite written for \`@cloudflare/vitest-pool-workers\`. */
const room = `
import { DurableObject } from "cloudflare:workers";
let built = 0;
export class Room extends DurableObject {
  count = 0;
  constructor(ctx, env) {
    super(ctx, env);
    built++;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }
  async increment() { const n = ((await this.ctx.storage.get("n")) ?? 0) + 1; await this.ctx.storage.put("n", n); this.count++; return n; }
  built() { return built; }
  soon(ms) { return this.ctx.storage.setAlarm(Date.now() + 60_000); }
  async alarm() { await this.ctx.storage.put("alarm", true); }
  slow() { return new Promise(() => {}); }
  fetch(request) {
    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1], ["tag"]);
    pair[1].serializeAttachment({ path: new URL(request.url).pathname });
    return new Response(null, { status: 101, webSocket: pair[0] });
  }
  webSocketMessage(ws, message) { ws.send(message + " " + ws.deserializeAttachment().path + " " + this.ctx.getTags(ws)); }
  webSocketClose(ws, code, reason) { ws.close(code, reason); }
}
export default {
  async fetch(request, env, ctx) {
    ctx.waitUntil(env.KV.put("seen", "yes"));
    const url = new URL(request.url);
    if (url.pathname === "/hello") return new Response("hello " + (await env.ROOM.getByName("worker").increment()));
    return env.ROOM.getByName("worker").fetch(request);
  },
  async scheduled(controller, env) { await env.KV.put("cron", controller.cron); },
};
`;

const cloudflareSuite = `
const { SELF, abortAllDurableObjects, createExecutionContext, createScheduledController, env, evictAllDurableObjects, evictDurableObject, listDurableObjectIds, reset, runDurableObjectAlarm, runInDurableObject, waitOnExecutionContext } = helpers;

async function open(stub, path) {
  const response = await stub.fetch("https://example.com" + path, { headers: { Upgrade: "websocket" } });
  const socket = response.webSocket;
  socket.accept();
  return socket;
}
const next = (socket, type) => new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));

describe("a suite of Cloudflare's integration", () => {
  it("calls the worker", async () => {
    const response = await SELF.fetch("https://example.com/hello");
    expect(await response.text()).toBe("hello 1");
    const ids = await listDurableObjectIds(env.ROOM);
    expect(ids.map(String)).toEqual([env.ROOM.idFromName("worker").toString()]);
    await SELF.scheduled({ cron: "* * * * *" });
    expect(await env.KV.get("cron")).toBe("* * * * *");
  });
  it("calls a handler with a context", async () => {
    const ctx = createExecutionContext();
    const response = await worker.fetch(new Request("https://example.com/hello"), env, ctx);
    await waitOnExecutionContext(ctx);
    expect(await response.text()).toMatch(/^hello/);
    expect(await env.KV.get("seen")).toBe("yes");
    await worker.scheduled(createScheduledController({ cron: "1 * * * *" }), env, createExecutionContext());
    expect(await env.KV.get("cron")).toBe("1 * * * *");
    const failing = createExecutionContext();
    failing.waitUntil(Promise.reject(new RangeError("late")));
    await expect(waitOnExecutionContext(failing)).rejects.toThrow("late");
    await expect(waitOnExecutionContext({})).rejects.toThrow("parameter 1 is not of type 'ExecutionContext'");
  });
  it("runs inside an object", async () => {
    const stub = env.ROOM.getByName("inside");
    expect(await stub.increment()).toBe(1);
    await runInDurableObject(stub, async (instance, state) => {
      expect(instance).toBeInstanceOf(Room);
      expect(instance.count).toBe(1);
      expect(await state.storage.get("n")).toBe(1);
    });
    await stub.soon();
    expect(await runDurableObjectAlarm(stub)).toBe(true);
    expect(await runDurableObjectAlarm(stub)).toBe(false);
    expect(await runInDurableObject(stub, (_, state) => state.storage.get("alarm"))).toBe(true);
  });
  it("hibernates sockets across eviction", async () => {
    const stub = env.ROOM.getByName("sockets");
    const socket = await open(stub, "/path");
    const built = await stub.built();
    await evictDurableObject(stub);
    let answer = next(socket, "message");
    socket.send("ping");
    expect((await answer).data).toBe("pong");
    await expect(evictDurableObject(stub)).rejects.toThrow("Cannot evict Durable Object: it is not currently running.");
    answer = next(socket, "message");
    socket.send("hello");
    expect((await answer).data).toBe("hello /path tag");
    expect(await stub.built()).toBe(built + 1);
    const closed = next(socket, "close");
    await evictAllDurableObjects({ webSockets: "close" });
    expect((await closed).code).toBe(1006);
  });
  it("aborts and resets", async () => {
    const stub = env.ROOM.getByName("abort");
    await stub.increment();
    const slow = stub.slow();
    const rejected = expect(slow).rejects.toThrow("Application called abortAllDurableObjects().");
    await stub.built();
    await abortAllDurableObjects();
    await rejected;
    await expect(stub.increment()).rejects.toThrow("Application called abortAllDurableObjects().");
    expect(await env.ROOM.getByName("abort").increment()).toBe(2);
    await env.KV.put("key", "value");
    await reset();
    expect(await env.KV.get("key")).toBe(null);
    expect(await listDurableObjectIds(env.ROOM)).toEqual([]);
    expect(await env.ROOM.getByName("abort").increment()).toBe(1);
  });
  it("begins this test with ISOLATION storage", async () => {
    expect(await env.ROOM.getByName("abort").increment()).toBe(EXPECTED);
  });
});
`;

const wrangler = `
name = "room"
main = "src/index.ts"
compatibility_date = "2026-04-25"
kv_namespaces = [{ binding = "KV", id = "kv" }]
[durable_objects]
bindings = [{ name = "ROOM", class_name = "Room" }]
`;

function suite(expected, title = "its own") {
  return cloudflareSuite.replace("EXPECTED", expected).replace("ISOLATION", title);
}

let installed;
before(async () => {
  installed = await installation(PACKAGES);
});

function failuresOf({ assertionResults, message }) {
  const failed = assertionResults.flatMap(({ fullName, failureMessages }) =>
    failureMessages.map((failure) => `${fullName}: ${failure}`),
  );
  return [message, ...failed];
}

/** Runs a command in a project, and gives the counts of its JSON report. */
async function run(t, files, command, passed = 8) {
  const made = await project(installed, { "worker.mjs": worker, ...files });
  t.after(made.remove);
  const { code, output } = await runCommand(made.folder, command);
  const report = JSON.parse(await readFile(path.join(made.folder, "report.json"), "utf8"));
  const shown = [output, ...report.testResults.flatMap(failuresOf)].join("\n");
  assert.equal(code, 0, shown);
  assert.deepEqual([report.numPassedTests, report.numFailedTests], [passed, 0], shown);
  assert.doesNotMatch(output, /unhandled/i);
}

test("runners: Jest with the preset runs tests of modern objects", (t) =>
  run(
    t,
    {
      "jest.config.js": `module.exports = { preset: "ferroflare", testEnvironmentOptions: ${JSON.stringify(options)} };`,
      "modern.test.js": `const workers = require("cloudflare:workers");\n${tests}`,
    },
    ["jest", "--json", "--outputFile=report.json"],
  ));

test("runners: Vitest with the plugin runs tests of modern objects", (t) =>
  run(
    t,
    {
      "vitest.config.mjs": `import ferroflare from "ferroflare/vitest";
        export default { plugins: [ferroflare(${JSON.stringify(options)})], test: { globals: true } };`,
      "modern.test.js": `import * as workers from "cloudflare:workers";\n${tests}`,
    },
    ["vitest", "run", "--reporter=json", "--outputFile=report.json"],
  ));

const IMPORTS = `import * as helpers from "cloudflare:test";
import { describe, expect, it } from "vitest";
import worker, { Room } from "./src/index.mjs";
`;
const TYPED_IMPORTS = IMPORTS.replace("index.mjs", "index");
const VITEST = ["vitest", "run", "--reporter=json", "--outputFile=report.json"];

test("runners: a suite for @cloudflare/vitest-pool-workers runs after one line of its configuration has changed", (t) =>
  run(
    t,
    {
      "src/index.ts": room.replace("(ctx, env)", "(ctx: DurableObjectState, env: unknown)"),
      "wrangler.toml": wrangler,
      "vitest.config.mjs": `import { cloudflareTest } from "ferroflare/vitest";
        import { defineConfig } from "vitest/config";
        export default defineConfig({
          plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        });`,
      // Today's integration isolates files, not tests.
      "room.test.ts": TYPED_IMPORTS + suite(2, "the file's"),
      "other.test.ts": TYPED_IMPORTS + suite(2, "the file's"),
    },
    VITEST,
    12,
  ));

test("runners: so does one for its versions up to 0.12, which isolate each test", (t) =>
  run(
    t,
    {
      "src/index.mjs": room,
      "vitest.config.mjs": `import { defineWorkersConfig } from "ferroflare/vitest";
        export default defineWorkersConfig({
          test: {
            poolOptions: {
              workers: {
                main: "./src/index.mjs",
                miniflare: {
                  compatibilityDate: "2026-04-25",
                  kvNamespaces: { KV: "kv" },
                  durableObjects: { ROOM: "Room" },
                },
              },
            },
          },
        });`,
      "room.test.mjs": IMPORTS + suite(1),
    },
    VITEST,
    6,
  ));

test("runners: Jest with the preset has cloudflare:test too", (t) =>
  run(
    t,
    {
      "src/index.js": room,
      "jest.config.js": `module.exports = { preset: "ferroflare", testEnvironmentOptions: ${JSON.stringify(
        {
          ...options,
          scriptPath: "src/index.js",
          durableObjects: { ROOM: "Room" },
          kvNamespaces: ["KV"],
        },
      )} };`,
      "room.test.js": `const helpers = require("cloudflare:test");
        const { DurableObject } = require("cloudflare:workers");
        const Room = DurableObject;
        const worker = { fetch: (...args) => helpers.SELF.fetch(args[0]), scheduled: (controller) => helpers.SELF.scheduled(controller) };
        ${suite(1)}`,
    },
    ["jest", "--json", "--outputFile=report.json"],
    6,
  ));
