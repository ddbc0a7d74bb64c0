// Values that cross by RPC: copies both ways, stubs for what is passed by reference, errors for the rest.
import assert from "node:assert/strict";
import test from "node:test";
import { answer, failure, serve } from "../support/modern.mjs";

const script = `
import { DurableObject, RpcStub, RpcTarget } from "cloudflare:workers";
class Target extends RpcTarget { hi(x) { return "hi " + x; } }
class Mine { field = 1; }
export class Subject extends DurableObject {
  echo(...values) { return values.length === 1 ? values[0] : values; }
  change(value) { value.changed = true; return value; }
  kind(value) { return typeof value === "object" ? value?.constructor?.name : typeof value; }
  isOwn(value) { return [value instanceof Object, Object.getPrototypeOf(value) === Object.prototype]; }
  target() { return new Target(); }
  instance() { return new Mine(); }
  big(size) { return new Uint8Array(size); }
  stored(size) { return this.ctx.storage.put("key", new Uint8Array(size)); }
  async text(message) { return [message.constructor.name, await message.text()]; }
  async reads(stream) { return new Response(stream).text(); }
  async writes(stream) { const writer = stream.getWriter(); await writer.write(new Uint8Array([65])); await writer.close(); }
  aborts() { this.ctx.abort("gone"); }
  stream(kind, inResponse) {
    const first = new TextEncoder().encode("first");
    if (kind === "transform") {
      const { readable, writable } = new TransformStream();
      const writer = writable.getWriter();
      writer.write(first).then(() => writer.abort(new RangeError("boom"))).catch(() => {});
      return inResponse ? new Response(readable) : readable;
    }
    let chunks = 0;
    const next = {
      fails: (controller) => controller.error(new RangeError("boom")),
      aborts: () => this.ctx.abort("gone"),
      waits: () => new Promise(() => {}),
    };
    const pull = (controller) => chunks++ === 0 ? controller.enqueue(first) : next[kind](controller);
    const stream = new ReadableStream({ type: "bytes", pull });
    return inResponse ? new Response(stream) : stream;
  }
  async takes(stream) {
    const reader = stream.getReader();
    const found = [];
    try {
      for (let chunk; !(chunk = await reader.read()).done; ) found.push(new TextDecoder().decode(chunk.value));
    } catch (error) {
      found.push(String(error));
    }
    return found;
  }
  callsBack(stub) { return stub.add(1, 2); }
  add(a, b) { return a + b; }
}
export class Classic { constructor(state) { this.state = state; } async fetch(request) { await this.state.storage.put("key", new Uint8Array(Number(await request.text()))); return new Response(); } }
export default {
  async fetch(request, env) {
    const stub = env.Subject.getByName("a");
    const plain = await stub.echo({ list: [1] });
    const refused = [];
    for (const value of [env.Subject, stub.id, stub.foo, stub.add(1, 2), new URL("https://host/"), new FormData(), new WebSocketPair()[0],
      new Mine(), Object.create(null), Promise.resolve(), new WeakMap(), new AbortController().signal, new Proxy([], {}), Symbol("s"), env]) {
      refused.push(await stub.echo(value).catch((error) => [error.name, error.code, error.message, error instanceof DOMException, error.remote ?? null]));
    }
    return Response.json({
      realm: [plain instanceof Object, Object.getPrototypeOf(plain) === Object.prototype, Array.isArray(plain.list), Object.getPrototypeOf(plain.list) === Array.prototype],
      own: await stub.isOwn({}),
      map: (await stub.echo(new Map())) instanceof Map,
      error: await stub.nosuch().catch((error) => [error instanceof TypeError, Object.getPrototypeOf(error) === TypeError.prototype]),
      refused,
    });
  },
};`;

async function subject(t) {
  const mf = serve(t, script, ["Subject", "Classic"]);
  const namespace = await mf.getDurableObjectNamespace("Subject");
  const classic = (await mf.getDurableObjectNamespace("Classic")).getByName("a");
  return { mf, namespace, classic, stub: namespace.getByName("a") };
}

const noSerialization = (name) =>
  `Could not serialize object of type "${name}". This type does not support serialization.`;

test("values: what can be cloned arrives as a copy, with its cycles and its sameness", async (t) => {
  const { stub } = await subject(t);
  const values = [
    ...[undefined, null, true, 0, -0, Number.NaN, 12n, "text", ""],
    [
      new Date(5),
      /x/gi,
      new Map([[{ a: 1 }, new Set([1])]]),
      new Uint8Array([1, 2]),
      Object.assign(new Array(3), { 1: 2 }),
    ],
    {
      nested: {
        list: [new Float64Array([0.5]), new ArrayBuffer(2), new DataView(new ArrayBuffer(1))],
      },
    },
    [Object(1), Object("a"), Object(false)],
  ];
  for (const value of values) assert.deepStrictEqual(await stub.echo(value), value);
  const cycle = { label: "c" };
  cycle.self = cycle;
  const back = await stub.echo(cycle);
  assert.equal(back.self, back);
  assert.notEqual(back, cycle);
  const [first, second] = await stub.echo([cycle, cycle]);
  assert.equal(first, second);
  const bytes = new Uint8Array([0, 1, 2, 3]);
  const [view, buffer] = await stub.echo([bytes.subarray(1, 3), bytes.buffer]);
  assert.deepEqual([view.byteOffset, [...view]], [1, [1, 2]]);
  assert.equal(view.buffer, buffer);
});

test("values: the caller's object stays as it is", async (t) => {
  const { stub } = await subject(t);
  const own = { a: 1 };
  const changed = await stub.change(own);
  assert.deepEqual([own, changed], [{ a: 1 }, { a: 1, changed: true }]);
  const later = { n: 1 };
  const promise = stub.echo(later);
  later.n = 2;
  assert.equal((await promise).n, 1);
});

test("values: arguments are of the object's realm, results and errors of the caller's", async (t) => {
  const { mf, stub } = await subject(t);
  const seen = await answer(mf);
  assert.deepEqual(seen.realm, [true, true, true, true]);
  assert.deepEqual(seen.own, [true, true]);
  assert.deepEqual([seen.map, seen.error], [true, [true, true]]);
  assert.equal(Object.getPrototypeOf(await stub.echo({})), Object.prototype);
  assert.deepEqual(await stub.isOwn({}), [true, true]);
});

test("values: what cannot be copied or referred to is a DataCloneError", async (t) => {
  const { mf, stub } = await subject(t);
  const { refused } = await answer(mf);
  const texts = [
    ...[
      "DurableObjectNamespace",
      "DurableObjectId",
      "RpcProperty",
      "RpcPromise",
      "URL",
      "FormData",
    ].map(noSerialization),
    ...["WebSocket", "Mine", "Object"].map(noSerialization),
    "#<Promise> could not be cloned.",
    "#<WeakMap> could not be cloned.",
    "AbortSignal serialization is not enabled.",
    "Proxy could not be serialized because it is not a valid RPC receiver type. The Proxy must emulate either a plain object or an RpcTarget, as indicated by the Proxy's prototype chain.",
    "Symbol(s) could not be cloned.",
    noSerialization("DurableObjectNamespace"),
  ];
  assert.deepEqual(
    refused,
    texts.map((text) => ["DataCloneError", 25, text, true, null]),
  );
  const error = await failure(stub.instance());
  assert.deepEqual(
    [error.name, error.message, error.remote, error instanceof DOMException],
    ["DataCloneError", noSerialization("Mine"), true, true],
  );
});

test("values: an error of an argument rejects, and nothing is called", async (t) => {
  const { stub } = await subject(t);
  let called = false;
  const fails = {
    get a() {
      throw new RangeError("getter");
    },
  };
  const promise = stub.echo(() => (called = true), fails);
  const { message, name, remote } = await failure(promise);
  assert.deepEqual([name, message, remote, called], ["RangeError", "getter", undefined, false]);
});

test("values: Request, Response and Headers are rebuilt, and their bodies move", async (t) => {
  const { stub } = await subject(t);
  const { Request, Response } = await import("../../index.mjs");
  const response = new Response("body", { status: 201, statusText: "Made", headers: { h: "v" } });
  const back = await stub.echo(response);
  assert.deepEqual(
    [back.status, back.statusText, back.headers.get("h"), await back.text()],
    [201, "Made", "v", "body"],
  );
  assert.ok(response.bodyUsed);
  const locked = "The ReadableStream has been locked to a reader.";
  const error = await failure(stub.echo(response));
  assert.deepEqual([error.name, error.message], ["TypeError", locked]);
  const init = { method: "POST", body: "sent", headers: { h: "v" } };
  assert.deepEqual(await stub.text(new Request("https://host/", init)), ["Request", "sent"]);
  const request = await stub.echo(new Request("https://host/p", init));
  assert.deepEqual(
    [request.url, request.method, await request.text()],
    ["https://host/p", "POST", "sent"],
  );
  const headers = await stub.echo(response.headers);
  assert.deepEqual(
    [...headers].find(([name]) => name === "h"),
    ["h", "v"],
  );
});

test("values: streams move both ways", async (t) => {
  const { stub } = await subject(t);
  const source = new ReadableStream({
    type: "bytes",
    start(controller) {
      controller.enqueue(new Uint8Array([104, 105]));
      controller.close();
    },
  });
  assert.equal(await stub.reads(source), "hi");
  assert.ok(source.locked);
  const { readable, writable } = new TransformStream();
  const reading = readable.getReader().read();
  await stub.writes(writable);
  assert.deepEqual([...(await reading).value], [65]);
});

test("values: functions and targets become stubs, a stub goes back to its owner, and an object's stub reaches it", async (t) => {
  const { stub, namespace } = await subject(t);
  assert.equal(await stub.kind(() => {}), "function");
  assert.equal(await (await stub.target()).hi("you"), "hi you");
  const target = await stub.target();
  assert.equal(await (await stub.echo(target)).hi("again"), "hi again");
  assert.equal(await stub.callsBack(namespace.getByName("other")), 3);
  const service = await stub.echo(namespace.getByName("other"));
  assert.deepEqual(
    [Object.keys(service), service.then, await service.add(1, 2)],
    [[], undefined, 3],
  );
});

test("values: over 32 MiB is an error on the way there and back", async (t) => {
  const { stub } = await subject(t);
  const size = 33 * 1024 * 1024;
  const text =
    /^Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: 346030\d\d bytes\.$/;
  const there = await failure(stub.kind(new Uint8Array(size)));
  assert.match(there.message, text);
  assert.equal(there.remote, undefined);
  const back = await failure(stub.big(size));
  assert.match(back.message, text);
  assert.equal(back.remote, true);
  assert.equal((await stub.big(31 * 1024 * 1024)).length, 31 * 1024 * 1024);
});

test("values: an object of a modern class stores 131,072 bytes, a classic one 32,768", async (t) => {
  const { stub, classic } = await subject(t);
  await stub.stored(131_072);
  const error = await failure(stub.stored(131_100));
  assert.deepEqual([error.name, error.code], ["RangeError", "ERR_VALUE_TOO_LARGE"]);
  const send = (size) => classic.fetch("https://host/", { method: "POST", body: String(size) });
  await send(32_700);
  await assert.rejects(send(32_800), { code: "ERR_VALUE_TOO_LARGE" });
});

test("values: a stream whose sender fails or ends is disconnected for its receiver", async (t) => {
  const disconnected = "Error: ReadableStream received over RPC disconnected prematurely.";
  const { stub, namespace } = await subject(t);
  const read = async (stream) => {
    const reader = stream.getReader();
    const found = [];
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return [...found, "done"];
        found.push(new TextDecoder().decode(value));
      }
    } catch (error) {
      return [...found, String(error), error instanceof Error];
    }
  };
  for (const kind of ["fails", "aborts", "transform"]) {
    const sender = namespace.getByName(kind);
    assert.deepEqual(await read(await sender.stream(kind)), ["first", disconnected, true], kind);
    // Miniflare's Response reads ahead, so that the call itself would meet the abort.
    if (kind === "aborts") continue;
    const response = await namespace.getByName(`${kind} response`).stream(kind, true);
    assert.deepEqual(await read(response.body), ["first", disconnected, true], `${kind}, response`);
  }
  const reset = namespace.getByName("reset");
  const waits = await reset.stream("waits");
  const found = read(waits);
  await failure(reset.aborts());
  assert.deepEqual(await found, ["first", disconnected, true], "a reset while a chunk is awaited");
  let chunks = 0;
  const given = new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (chunks++ === 0) controller.enqueue(new TextEncoder().encode("first"));
      else controller.error(new RangeError("boom"));
    },
  });
  assert.deepEqual(await stub.takes(given), ["first", disconnected]);
});
