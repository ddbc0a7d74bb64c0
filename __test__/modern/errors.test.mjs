// Errors of RPC: what the caller gets of what was thrown, resets, and calls that fail and are not looked at.
import assert from "node:assert/strict";
import test from "node:test";
import { runModule } from "../support/cli.mjs";
import { failure, serve } from "../support/modern.mjs";

const script = `
import { DurableObject, RpcTarget } from "cloudflare:workers";
class Mine extends Error { extra = 1; }
const THROWN = {
  type: () => new TypeError("m"),
  uri: () => new URIError("m"),
  own: () => Object.assign(new Error("m", { cause: new RangeError("inner") }), { code: "E", info: { a: [1] } }),
  aggregate: () => new AggregateError([new Error("a"), 5], "m"),
  subclass: () => new Mine("m"),
  named: () => Object.assign(new TypeError("m"), { name: "Custom" }),
  dom: () => new DOMException("m", "AbortError"),
  object: () => ({ message: "m", list: [1] }),
  function: () => Object.assign(new Error("m"), { f() {} }),
  instance: () => Object.assign(new Error("m"), { mine: new (class Plain { field = 1; })() }),
  text: () => "m",
  nothing: () => undefined,
  target: () => new RpcTarget(),
  frozen: () => Object.freeze(new Error("m")),
};
export class Subject extends DurableObject {
  raise(kind) { throw THROWN[kind](); }
  async raiseLater(kind) { await null; throw THROWN[kind](); }
  pass(kind) { return THROWN[kind](); }
  async forward(kind) { return this.env.Subject.getByName("other").raise(kind); }
  async call(f) { return await f(); }
  async reset(reason) { await this.ctx.blockConcurrencyWhile(async () => { throw reason; }).catch(() => {}); return "not heard"; }
  nested(depth) { const block = (left) => this.ctx.blockConcurrencyWhile(async () => (left === 1 ? depth : block(left - 1))); return block(depth); }
  noFunction() { return this.ctx.blockConcurrencyWhile(5); }
  noPromise() { return this.ctx.waitUntil(); }
  fn() { return () => "fn"; }
  slow() { return new Promise((resolve) => { this.release = resolve; }); }
  add(a, b) { return a + b; }
  fetch() { throw new TypeError("fetched"); }
  use(member) { return member.split(".").reduce((at, name) => at[name], this.ctx)(); }
  unwatched() { this.ctx.waitUntil(Promise.reject(new Error("background"))); return "answered"; }
}
export class Failing extends DurableObject {
  static built = 0;
  constructor(ctx, env) { super(ctx, env); if (++Failing.built <= 2) throw new RangeError("constructor"); }
  number() { return Failing.built; }
}
export class Unready extends DurableObject {
  static built = 0;
  constructor(ctx, env) { super(ctx, env); const first = ++Unready.built === 1; ctx.blockConcurrencyWhile(async () => { await null; if (first) throw new RangeError("not ready"); }); }
  number() { return Unready.built; }
}
export default { fetch() {} }`;
const classes = ["Subject", "Failing", "Unready"];

async function open(t, options) {
  const mf = serve(t, script, classes, options);
  const [subject, failing, unready] = await Promise.all(
    classes.map((name) => mf.getDurableObjectNamespace(name)),
  );
  return { mf, subject, failing, unready, stub: subject.getByName("a") };
}

/** Name, message and own properties but for the marks. */
function shape(error) {
  const { remote, durableObjectId, durableObjectReset, ...own } = error;
  return [error.name, error.message, own];
}

const LEGACY = { compatibilityDate: "2026-04-20" };

test("errors: kind, message and own properties survive, with remote and the object's id", async (t) => {
  const { stub } = await open(t);
  const inner = { name: "RangeError", message: "inner" };
  for (const method of ["raise", "raiseLater", "forward"]) {
    const error = await failure(stub[method]("own"));
    assert.ok(error instanceof Error);
    assert.deepEqual([error.message, error.code, error.info], ["m", "E", { a: [1] }]);
    assert.deepEqual({ name: error.cause.name, message: error.cause.message }, inner);
    assert.equal(error.remote, true);
    assert.equal(error.durableObjectId, String(stub.id));
    assert.ok(Object.keys(error).includes("remote"));
  }
  assert.ok((await failure(stub.raise("type"))) instanceof TypeError);
  assert.ok((await failure(stub.raise("uri"))) instanceof URIError);
  assert.deepEqual(shape(await failure(stub.raise("subclass"))), ["Error", "m", { extra: 1 }]);
  const named = await failure(stub.raise("named"));
  assert.deepEqual([named.name, Object.getPrototypeOf(named)], ["Custom", Error.prototype]);
  const { errors } = await failure(stub.raise("aggregate"));
  assert.deepEqual([errors[0].message, errors[1]], ["a", 5]);
  const dom = await failure(stub.raise("dom"));
  assert.deepEqual([dom instanceof DOMException, dom.name, dom.message], [true, "AbortError", "m"]);
});

test("errors: what is no error, or cannot be copied, arrives as workerd has it", async (t) => {
  const { stub } = await open(t);
  const object = await failure(stub.raise("object"));
  assert.deepEqual([object.message, object.list, object.remote], ["m", [1], true]);
  assert.deepEqual(shape(await failure(stub.raise("function"))), ["Error", "m", {}]);
  assert.deepEqual(shape(await failure(stub.raise("instance"))), [
    "Error",
    "m",
    { mine: { field: 1 } },
  ]);
  assert.deepEqual(shape(await failure(stub.raise("text"))), ["Error", "m", {}]);
  assert.deepEqual(shape(await failure(stub.raise("nothing"))), ["Error", "undefined", {}]);
  assert.deepEqual(shape(await failure(stub.raise("target"))), ["Error", "#<RpcTarget>", {}]);
  assert.equal((await failure(stub.raise("frozen"))).remote, true);
});

test("errors: before 2026-04-21 only kind and message survive", async (t) => {
  const { stub } = await open(t, LEGACY);
  assert.deepEqual(shape(await failure(stub.raise("own"))), ["Error", "m", {}]);
  assert.deepEqual(shape(await failure(stub.raise("type"))), ["TypeError", "m", {}]);
  assert.deepEqual(shape(await failure(stub.raise("named"))), ["Error", "Custom: m", {}]);
  assert.deepEqual(shape(await failure(stub.raise("object"))), ["Error", "#<Object>", {}]);
  assert.equal((await failure(stub.raise("own"))).cause, undefined);
  const { stub: asked } = await open(t, {
    ...LEGACY,
    compatibilityFlags: ["enhanced_error_serialization"],
  });
  assert.equal((await failure(asked.raise("own"))).code, "E");
});

test("errors: passed as values they have no mark", async (t) => {
  const { stub } = await open(t);
  const error = await stub.pass("own");
  assert.deepEqual([error.message, error.code, "remote" in error], ["m", "E", false]);
});

test("errors: the stack has the caller's frames, then the object's", async (t) => {
  const { stub } = await open(t);
  const { stack } = await failure(stub.raise("type"));
  assert.match(stack, /^TypeError: m\n {4}at .*errors\.test\.mjs/);
  assert.match(
    stack,
    /errors\.test\.mjs[\s\S]*\n {4}--- called in the object ---\n {4}at Object\.type.*<script>/,
  );
});

test("errors: of a callback they come to the object, and on to the caller", async (t) => {
  const { stub } = await open(t);
  const error = await failure(
    stub.call(() => {
      throw Object.assign(new RangeError("called back"), { n: 1 });
    }),
  );
  assert.deepEqual(
    [error.name, error.message, error.n, error.remote],
    ["RangeError", "called back", 1, true],
  );
});

test("errors: of a request to a modern object have the marks too", async (t) => {
  const { stub } = await open(t);
  const error = await failure(stub.fetch("https://host/"));
  assert.deepEqual([error.name, error.message, error.remote], ["TypeError", "fetched", true]);
  assert.equal(error.durableObjectId, String(stub.id));
});

test("errors: a reset reaches all who wait, a stub that has seen it rejects for ever, and a new one works", async (t) => {
  const { subject } = await open(t);
  const stub = subject.getByName("reset");
  const waiting = [stub.slow(), stub.slow()].map(failure);
  const reset = await failure(stub.reset(new RangeError("why")));
  for (const error of [reset, ...(await Promise.all(waiting)), await failure(stub.add(1, 2))]) {
    assert.deepEqual([error.name, error.message], ["RangeError", "why"]);
    assert.deepEqual([error.durableObjectReset, error.remote], [true, undefined]);
  }
  const refused = await failure(stub.fetch("https://host/"));
  assert.deepEqual([refused.message, refused.durableObjectReset], ["why", true]);
  assert.equal(await subject.getByName("reset").add(1, 2), 3);
});

test("errors: a reset ends what the object has passed to others", async (t) => {
  const { subject } = await open(t);
  const stub = subject.getByName("host");
  const fn = await stub.fn();
  assert.equal(await fn(), "fn");
  await failure(stub.reset(new Error("why")));
  const error = await failure(fn());
  const message = "The execution context which hosts this callback is no longer running.";
  assert.deepEqual([error.message, error.remote], [message, undefined]);
});

test("errors: eviction ends what the object has passed to others, and its stub goes on", async (t) => {
  const { mf, subject } = await open(t);
  const stub = subject.getByName("reloaded");
  const fn = await stub.fn();
  await mf.reload();
  assert.match((await failure(fn())).message, /^The execution context which hosts/);
  assert.equal(await stub.add(1, 2), 3);
});

test("errors: a constructor that fails is told to each caller, and the next call constructs again", async (t) => {
  const { failing, unready } = await open(t);
  for (const [call, remote] of [
    [(stub) => stub.number(), undefined],
    [(stub) => stub.fetch("https://host/"), true],
  ]) {
    const error = await failure(call(failing.getByName("a")));
    assert.deepEqual([error.name, error.message], ["RangeError", "constructor"]);
    assert.deepEqual([error.durableObjectReset, error.remote], [true, remote]);
  }
  assert.equal(await failing.getByName("a").number(), 3);
  const stub = unready.getByName("a");
  for (const error of await Promise.all([stub.number(), stub.number()].map(failure))) {
    assert.deepEqual([error.message, error.durableObjectReset], ["not ready", true]);
  }
  assert.equal(await unready.getByName("a").number(), 2);
});

test("errors: blockConcurrencyWhile() is nested 64 deep at most, and wants a function", async (t) => {
  const { subject } = await open(t);
  assert.equal(await subject.getByName("deep").nested(64), 64);
  const error = await failure(subject.getByName("deeper").nested(65));
  const message = "blockConcurrencyWhile() calls are nested too deeply.";
  assert.deepEqual([error.message, error.durableObjectReset], [message, true]);
  const wrong = (method, type) =>
    `Failed to execute '${method}' on 'DurableObjectState': parameter 1 is not of type '${type}'.`;
  const stub = subject.getByName("a");
  assert.equal(
    (await failure(stub.noFunction())).message,
    wrong("blockConcurrencyWhile", "function"),
  );
  assert.equal((await failure(stub.noPromise())).message, wrong("waitUntil", "Promise"));
});

test("errors: what a modern object does not have yet says so, by its name", async (t) => {
  const { stub } = await open(t);
  for (const member of ["facets.get", "facets.abort", "facets.delete"]) {
    const error = await failure(stub.use(member));
    assert.deepEqual(
      [error.code, error.message],
      ["ERR_UNSUPPORTED", `ctx.${member}() is not supported by ferroflare`],
    );
  }
});

test("errors: 100 calls that fail, awaited, caught, ignored and called on, are no unhandled rejection", async (t) => {
  const unhandled = [];
  const note = (reason) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  const { mf, subject, failing } = await open(t);
  const stub = subject.getByName("many");
  for (let i = 0; i < 25; i++) {
    await failure(stub.raise("type"));
    await stub.raiseLater("own").catch(() => {});
    stub.raise("type");
    stub.raiseLater("own").deeper.still();
    stub.nosuch;
    stub.add(1, Symbol("cannot be passed"));
    stub.call(() => {
      throw new Error("callback");
    });
    failing.getByName(`${i}`).number();
    const promise = stub.raise("type");
    promise[Symbol.dispose]();
  }
  assert.equal(await stub.unwatched(), "answered");
  assert.equal(await stub.add(1, 2), 3);
  await mf.reload();
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  assert.deepEqual(unhandled, []);
});

test("errors: a promise that then() has made is an ordinary one, whose rejection is reported", async () => {
  const { code, stderr } = await runModule(`
    import { Miniflare } from "ferroflare";
    const mf = new Miniflare({ modules: true, script: ${JSON.stringify(script)}, durableObjects: { Subject: "Subject" } });
    const stub = (await mf.getDurableObjectNamespace("Subject")).getByName("a");
    stub.raise("type").then(() => {});
    setTimeout(() => {}, 60_000);
  `);
  assert.equal(code, 1);
  assert.match(stderr, /TypeError: m/);
});
