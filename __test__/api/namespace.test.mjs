// S12: namespaces, stubs and what a request to an object is.
import assert from "node:assert/strict";
import test from "node:test";
import { Request, Response } from "@miniflare/core";
import { Compatibility, getRequestContext, NoOpLog } from "@miniflare/shared";
import { WebSocketPair } from "@miniflare/web-sockets";
import { Request as BaseRequest, Response as BaseResponse } from "undici";
import { DurableObjectError, DurableObjectId, DurableObjectStub } from "../../index.mjs";
import {
  coreMiniflare,
  deferred,
  idle,
  pluginContext,
  servingPlugin,
  TEST_ID_HEX,
  visibleNames,
} from "../support/plugin.mjs";

/** Answers with the requests it got. */
class TEST {
  requests = 0;
  constructor(state) {
    this.id = state.id;
  }
  fetch(request) {
    return new Response(`${this.id}:request${++this.requests}:${request.method}:${request.url}`);
  }
}

const testId = new DurableObjectId("TEST", TEST_ID_HEX, "instance");

async function stubOf(classes = { TEST }, options) {
  const { namespace } = await servingPlugin(classes, options);
  const [name] = Object.keys(classes);
  return namespace(name).get(namespace(name).idFromName("test"));
}

test("S12 stub: fetch takes a URL with options, a URL object and every kind of Request", async () => {
  const stub = await stubOf();
  const answers = [
    [stub.fetch("http://localhost:8787/", { method: "POST" }), "POST:http://localhost:8787/"],
    [
      stub.fetch(new Request("http://localhost/path", { method: "PUT" })),
      "PUT:http://localhost/path",
    ],
    [stub.fetch(new URL("https://localhost/url")), "GET:https://localhost/url"],
    [stub.fetch(new BaseRequest("https://localhost/base")), "GET:https://localhost/base"],
    [
      stub.fetch(new Request("http://localhost/a"), { method: "PATCH" }),
      "PATCH:http://localhost/a",
    ],
  ];
  let count = 0;
  for (const [response, expected] of answers) {
    assert.equal(await (await response).text(), `${TEST_ID_HEX}:request${++count}:${expected}`);
  }
});

test("S12 stub: the request's headers and body arrive, and its headers are immutable", async () => {
  class ECHO {
    async fetch(request) {
      assert.throws(() => request.headers.set("x", "y"), TypeError);
      return new Response(`${request.headers.get("x-test")} ${await request.text()}`);
    }
  }
  const stub = await stubOf({ ECHO });
  const response = await stub.fetch("/", {
    method: "POST",
    headers: { "x-test": "header" },
    body: "body",
  });
  assert.equal(await response.text(), "header body");
  assert.throws(() => response.headers.set("x", "y"), TypeError);
});

test("S12 stub: a relative URL is resolved against https://fake-host", async () => {
  const stub = await stubOf();
  assert.match(await (await stub.fetch("test")).text(), /GET:https:\/\/fake-host\/test$/);
  assert.match(await (await stub.fetch("/a?b=c")).text(), /GET:https:\/\/fake-host\/a\?b=c$/);
});

test("S12 stub: durable_object_fetch_requires_full_url refuses relative URLs", async () => {
  const compat = new Compatibility(undefined, ["durable_object_fetch_requires_full_url"]);
  const stub = await stubOf({ TEST }, { ctx: pluginContext({ compat }) });
  await assert.rejects(stub.fetch("test"), { name: "TypeError", message: "Invalid URL" });
  assert.match(
    await (await stub.fetch("https://host/test")).text(),
    /request1:GET:https:\/\/host\/test$/,
  );
});

test("S12 stub: fetch_refuses_unknown_protocols refuses them, else a warning is logged", async () => {
  const compat = new Compatibility(undefined, ["fetch_refuses_unknown_protocols"]);
  const strict = await stubOf({ TEST }, { ctx: pluginContext({ compat }) });
  await assert.rejects(strict.fetch("test://host.com/"), {
    name: "TypeError",
    message: "Fetch API cannot load: test://host.com/",
  });
  assert.equal((await strict.fetch("http://host.com/")).status, 200);

  const warnings = [];
  class Recorder extends NoOpLog {
    warn(message) {
      warnings.push(message);
    }
  }
  const lenient = await stubOf({ TEST }, { ctx: pluginContext({ log: new Recorder() }) });
  assert.match(await (await lenient.fetch("test://host.com/")).text(), /GET:test:\/\/host\.com\/$/);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /must begin with either 'http:' or 'https:', not 'test:'/);
});

test("S12 stub: a handler may give undici's Response; anything else is ERR_RESPONSE_TYPE", async () => {
  let answer = new BaseResponse("base");
  class ANY {
    fetch() {
      return answer;
    }
  }
  const stub = await stubOf({ ANY });
  assert.equal(await (await stub.fetch("/")).text(), "base");
  for (answer of ["text", undefined, null, {}]) {
    await assert.rejects(stub.fetch("/"), (error) => {
      assert.ok(error instanceof DurableObjectError);
      assert.equal(error.code, "ERR_RESPONSE_TYPE");
      assert.equal(
        error.message,
        "Durable Object fetch handler didn't respond with a Response object",
      );
      return true;
    });
  }
});

test("S12 stub: a class without fetch() is ERR_NO_HANDLER", async () => {
  const stub = await stubOf({ EMPTY: class {} });
  await assert.rejects(stub.fetch("/"), {
    name: "DurableObjectError [ERR_NO_HANDLER]",
    code: "ERR_NO_HANDLER",
    message: "No fetch handler defined in Durable Object",
  });
});

test("S12 stub: what a handler throws is what fetch rejects with, and the object lives on", async () => {
  const thrown = [new RangeError("no"), "a string", undefined];
  let built = 0;
  class THROWS {
    constructor() {
      built++;
    }
    fetch() {
      throw thrown[0];
    }
  }
  const stub = await stubOf({ THROWS });
  while (thrown.length > 0) {
    await assert.rejects(stub.fetch("/"), (error) => error === thrown[0]);
    thrown.shift();
  }
  assert.equal(built, 1);
});

test("S12 stub: web sockets pass through", async () => {
  const received = deferred();
  class SOCKET {
    fetch() {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => received.resolve(data));
      return new Response(null, { status: 101, webSocket: client });
    }
  }
  const { webSocket } = await (await stubOf({ SOCKET })).fetch("/");
  webSocket.accept();
  webSocket.send("message");
  assert.equal(await received.promise, "message");
});

test("S12 stub: name is the name of its id", () => {
  const factory = () => assert.fail("not to be called");
  assert.equal(new DurableObjectStub(factory, testId).name, "instance");
  assert.equal(
    new DurableObjectStub(factory, new DurableObjectId("TEST", TEST_ID_HEX)).name,
    undefined,
  );
});

test("S12 state: the object's own id has no name, the stub's keeps it", async () => {
  class NAMED {
    constructor(state) {
      this.state = state;
    }
    fetch() {
      return new Response(`${this.state.id.name} ${this.state.id}`);
    }
  }
  const stub = await stubOf({ NAMED });
  assert.equal(stub.id.name, "test");
  assert.equal(await (await stub.fetch("/")).text(), `undefined ${stub.id}`);
});

test("S12 state: shows workers id, storage, waitUntil and blockConcurrencyWhile", async () => {
  const { plugin, factory } = await servingPlugin({ TEST });
  const state = await plugin.getObject(factory, testId);
  assert.deepEqual(visibleNames(state), ["blockConcurrencyWhile", "id", "storage", "waitUntil"]);
  assert.equal(state.waitUntil(Promise.resolve()), undefined);
});

/** Runs `probe` in the object and gives its request context. */
function contextWorker(bindings) {
  return {
    exports: {
      default: {
        async fetch(request, env) {
          bindings.entry?.(getRequestContext());
          const stub = env.TEST.get(env.TEST.idFromName("a"));
          const response = await bindings.call(stub, request);
          bindings.exit?.(getRequestContext());
          return response;
        },
      },
      TEST: class {
        constructor(_state, env) {
          this.env = env;
        }
        fetch(request) {
          return bindings.object(request, this.env, getRequestContext());
        }
      },
    },
  };
}

const durableObjects = { TEST: "TEST" };

test("S12 stub: a request has a context of its own, one deeper than its caller's", async () => {
  const depths = [];
  const worker = contextWorker({
    entry: (context) =>
      depths.push([context.requestDepth, context.pipelineDepth, context.durableObject]),
    call: (stub, request) => stub.fetch(request),
    async object(request, env, context) {
      depths.push([context.requestDepth, context.pipelineDepth, context.durableObject]);
      assert.equal(context.externalSubrequests, 0);
      context.incrementExternalSubrequests();
      const url = new URL(request.url);
      const left = Number(url.searchParams.get("n"));
      if (left === 0) return new Response("end");
      url.searchParams.set("n", left - 1);
      const response = await env.TEST.get(env.TEST.idFromName("a")).fetch(url);
      return new Response(`${left},${await response.text()}`);
    },
  });
  const mf = coreMiniflare(worker, { durableObjects });
  assert.equal(await (await mf.dispatchFetch("http://localhost/?n=3")).text(), "3,2,1,end");
  assert.deepEqual(depths, [[1, 1, false], ...[2, 3, 4, 5].map((depth) => [depth, 1, true])]);
  await mf.dispatchFetch("http://localhost/?n=14");
  await assert.rejects(
    mf.dispatchFetch("http://localhost/?n=15"),
    /^Error: Subrequest depth limit exceeded.+\nWorkers and objects can recurse up to 16 times\./,
  );
  await mf.dispose();
});

test("S12 stub: a worker may make 1000 requests to objects, each of which may make 50 or 1000 of its own", async () => {
  let limit;
  const worker = contextWorker({
    async call(stub, request) {
      const count = Number(new URL(request.url).searchParams.get("n"));
      const before = getRequestContext().internalSubrequests;
      const responses = await Promise.all(Array.from({ length: count }, () => stub.fetch("/")));
      assert.equal(getRequestContext().internalSubrequests - before, count);
      return responses[0];
    },
    object(_request, _env, context) {
      limit = context.externalSubrequestLimit;
      return new Response("body");
    },
  });
  const mf = coreMiniflare(worker, { durableObjects });
  await assert.rejects(
    mf.dispatchFetch("http://localhost/?n=1001"),
    /^Error: Too many API requests by single worker invocation/,
  );
  assert.equal(await (await mf.dispatchFetch("http://localhost/?n=1000")).text(), "body");
  assert.equal(limit, 50);
  await mf.setOptions({ usageModel: "unbound" });
  await mf.dispatchFetch("http://localhost/?n=1");
  assert.equal(limit, 1000);
  await mf.dispose();
});

test("S12 stub: the caller's clock moves on when the response is there", async () => {
  const times = [];
  const reached = deferred();
  const answer = deferred();
  const worker = contextWorker({
    entry: (context) => times.push(context.currentTime),
    async call(stub, request) {
      const response = stub.fetch(request);
      await reached.promise;
      times.push(getRequestContext().currentTime);
      while (Date.now() === times[0]) await new Promise(setImmediate);
      answer.resolve(new Response());
      return response;
    },
    object() {
      reached.resolve();
      return answer.promise;
    },
    exit: (context) => times.push(context.currentTime),
  });
  const mf = coreMiniflare(worker, { durableObjects });
  await mf.dispatchFetch("http://localhost/");
  assert.equal(times[1], times[0]);
  assert.ok(times[2] > times[0]);
  await mf.dispose();
});

test("S12 stub: constructs an object once for requests that come together", async () => {
  let built = 0;
  class ONCE {
    constructor() {
      this.number = ++built;
    }
    fetch() {
      return new Response(String(this.number));
    }
  }
  const stub = await stubOf({ ONCE });
  const responses = await Promise.all([stub.fetch("/"), stub.fetch("/"), stub.fetch("/")]);
  assert.deepEqual(await Promise.all(responses.map((response) => response.text())), [
    "1",
    "1",
    "1",
  ]);
});

test("fixed: a constructor that throws is tried again at each request, and each gets the real error", async () => {
  let failures = 0;
  const states = [];
  const warnings = [];
  const note = (warning) => warnings.push(warning);
  process.on("warning", note);
  class FLAKY {
    constructor(state) {
      states.push(state);
      if (failures < 2) throw new Error(`failure ${++failures}`);
    }
    fetch() {
      return new Response("ok");
    }
  }
  const { namespace, plugin, factory } = await servingPlugin({ FLAKY });
  const stub = namespace("FLAKY").get(namespace("FLAKY").idFromName("a"));
  await assert.rejects(stub.fetch("/"), { message: "failure 1" });
  assert.deepEqual(plugin.getObjects(factory, "FLAKY"), []);
  await assert.rejects(stub.fetch("/"), { message: "failure 2" });
  assert.equal(await (await stub.fetch("/")).text(), "ok");
  assert.equal(plugin.getObjects(factory, "FLAKY").length, 1);
  await assert.rejects(
    states[0].blockConcurrencyWhile(async () => {}),
    { message: "failure 1" },
  );
  await idle();
  process.off("warning", note);
  assert.deepEqual(warnings, []);
});

test("S14 mounts: an object of a mounted script, with the worker's own env", async () => {
  const worker = {
    exports: {
      default: { fetch: (_request, env) => env.OBJECT.get(env.OBJECT.idFromName("a")).fetch("/") },
    },
    mount: {
      API: class {
        constructor(_state, env) {
          this.env = env;
        }
        fetch() {
          return new Response(`API response ${this.env.KEY}`);
        }
      },
    },
  };
  const mf = coreMiniflare(worker, {
    bindings: { KEY: "of the worker" },
    durableObjects: { OBJECT: { className: "API", scriptName: "api" } },
    mounts: { api: { modules: true, script: "mount" } },
  });
  assert.equal(
    await (await mf.dispatchFetch("http://localhost/")).text(),
    "API response of the worker",
  );
  await mf.dispose();
});
