// RPC on stubs: what a caller sees of a stub, what can be reached, calls on results, order and gates.
import assert from "node:assert/strict";
import test from "node:test";
import { Miniflare } from "../../index.mjs";
import { answer, failure, serve } from "../support/modern.mjs";

const script = `
import { DurableObject, RpcProperty, RpcPromise, RpcStub, RpcTarget, ServiceStub } from "cloudflare:workers";
class Cursor extends RpcTarget {
  hidden = 1;
  constructor(at) { super(); this.at = at; }
  get position() { return this.at; }
  move(by) { this.at += by; return this.at; }
  next() { return new Cursor(this.at + 1); }
}
export class Subject extends DurableObject {
  own = 1;
  log = [];
  get tree() { return { branch: { leaf: (...args) => args.length }, five: 5, cursor: new Cursor(3) }; }
  get failing() { throw new RangeError("getter"); }
  static fixed() {}
  _visible() { return "visible"; }
  add(a, b) { return a + b; }
  cursor(at) { return new Cursor(at); }
  hide(name) { this[name] = 5; }
  proxy() { return new Proxy(new Cursor(1), { get: (target, name) => (name === "dynamic" ? () => "dynamic" : target[name]) }); }
  plainProxy() { return new Proxy({ own: 1 }, { get: (target, name) => (name === "dynamic" ? () => "dynamic" : target[name]) }); }
  async closed(f) { return this.ctx.blockConcurrencyWhile(async () => { this.note("begin"); await f(); this.note("end"); }); }
  thenable() { return { then(resolve) { resolve("adopted"); } }; }
  call(f, ...args) { return f(...args); }
  note(x) { this.log.push(x); return this.log; }
  async increment(timer) {
    const n = (await this.ctx.storage.get("n")) ?? 0;
    if (timer) await new Promise((resolve) => setTimeout(resolve, 1));
    await this.ctx.storage.put("n", n + 1);
    return n + 1;
  }
  blockWith(f) { return this.ctx.blockConcurrencyWhile(async () => f("inside")); }
  fetch() { this.log.push("fetch"); return new Response("ok"); }
  async through(name) { return (await this.env.Subject.getByName(name).add(1, 2)) + 1; }
}
export class Blocked extends DurableObject {
  log = [];
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => { await ctx.storage.get("x"); this.log.push("constructed"); });
  }
  note(x) { this.log.push(x); return this.log; }
  fetch() { this.log.push("fetch"); return new Response("ok"); }
}
export class Silent extends DurableObject { hi() { return "hi"; } }
export class Classic { fetch() { return new Response("classic"); } method() {} }
export default {
  async fetch(request, env) {
    const stub = env.Subject.getByName("worker");
    const property = stub.anything;
    const promise = stub.add(1, 2);
    const cursor = await stub.cursor(1);
    return Response.json({
      types: [typeof stub, typeof property, typeof promise, typeof cursor],
      kinds: [property instanceof RpcProperty, promise instanceof RpcPromise, cursor instanceof RpcStub, stub instanceof ServiceStub],
      tags: [stub, property, promise, cursor].map((it) => Object.prototype.toString.call(it)),
      promises: [promise.then((x) => x) instanceof Promise, await promise],
      names: ["call", "apply", "bind", "name", "length", "prototype"].map((name) => promise[name] instanceof RpcProperty),
    });
  },
};`;
const classes = ["Subject", "Blocked", "Silent", "Classic"];

async function stubs(t) {
  const mf = serve(t, script, classes);
  const [subject, blocked, silent, classic] = await Promise.all(
    classes.map((name) => mf.getDurableObjectNamespace(name)),
  );
  const stub = subject.getByName("a");
  return {
    mf,
    stub,
    subject,
    blocked,
    silent: silent.getByName("a"),
    classic: classic.getByName("a"),
  };
}

const miss = (name) => `The RPC receiver does not implement the method "${name}".`;
const reserved = (name) => `'${name}' is a reserved method and cannot be called over RPC.`;

async function assertFails(promise, name, message, marks = { remote: true }) {
  const error = await failure(promise);
  assert.deepEqual([error.name, error.message], [name, message]);
  for (const mark of ["remote", "durableObjectReset"]) assert.equal(error[mark], marks[mark]);
  return error;
}

test("RPC: a stub, a property, a promise and a stub of a target are what they are in workerd", async (t) => {
  assert.deepEqual(await answer((await stubs(t)).mf), {
    types: ["object", "function", "function", "function"],
    kinds: [true, true, true, true],
    tags: [
      "[object DurableObject]",
      "[object JsRpcProperty]",
      "[object JsRpcPromise]",
      "[object JsRpcStub]",
    ],
    promises: [true, 3],
    names: [true, true, true, true, true, true],
  });
});

test("RPC: real and assigned members of a stub come first, then the object's, and it is no thenable", async (t) => {
  const { stub } = await stubs(t);
  assert.deepEqual(Object.keys(stub).sort(), ["id", "name"]);
  assert.equal(stub.name, "a");
  assert.equal(stub.toString, Object.prototype.toString);
  assert.equal(stub.then, undefined);
  assert.equal(stub[Symbol.iterator], undefined);
  assert.equal(stub[0], undefined);
  assert.equal(await stub, stub);
  assert.notEqual(stub.foo, stub.foo);
  assert.ok("foo" in stub);
  assert.ok(!("then" in stub));
  stub.foo = 5;
  assert.equal(stub.foo, 5);
  assert.equal(JSON.stringify({ stub }), '{"stub":{"id":{"name":"a"},"name":"a","foo":5}}');
  assert.throws(() => stub.connect("host:1"), { code: "ERR_UNSUPPORTED" });
});

test("RPC: methods work detached, and results are there at each await", async (t) => {
  const { stub } = await stubs(t);
  const { add } = stub;
  assert.equal(await add(1, 2), 3);
  const promise = stub.cursor(1);
  assert.equal(await promise, await promise);
  assert.deepEqual(await Promise.all([stub.tree.five, stub.tree.five]), [5, 5]);
});

test("RPC: what is not there, or not visible, is a TypeError that names the segment", async (t) => {
  const { stub } = await stubs(t);
  for (const [promise, name] of [
    [stub.nosuch(), "nosuch"],
    [stub.nosuch, "nosuch"],
    [stub.nosuch.deeper(), "nosuch"],
    [stub.own, "own"],
    [stub.own(), "own"],
    [stub.ctx, "ctx"],
    [stub.env, "env"],
    [stub.log, "log"],
    [stub.fixed(), "fixed"],
    [stub.tree.nosuch(), "nosuch"],
    [stub.tree.five.x, "five"],
    [stub.tree.cursor.hidden, "hidden"],
    [stub.tree.cursor.at, "at"],
    [stub.add.call(null, 1), "call"],
    [stub.cursor(1).nosuch(), "nosuch"],
  ]) {
    await assertFails(promise, "TypeError", miss(name));
  }
  assert.equal(await stub._visible(), "visible");
});

test("RPC: an own property hides a method of the same name, and a proxy shows what its handler does", async (t) => {
  const { stub } = await stubs(t);
  await stub.hide("add");
  await assertFails(stub.add(1, 2), "TypeError", miss("add"));
  assert.equal(await stub.proxy().dynamic(), "dynamic");
  await assertFails(stub.proxy().nothing, "TypeError", miss("nothing"));
  assert.equal(await stub.plainProxy().own, 1);
  await assertFails(stub.plainProxy().dynamic(), "TypeError", miss("dynamic"));
});

test("RPC: calls on the result of a call that could not be sent reject with its error", async (t) => {
  const { stub } = await stubs(t);
  for (const promise of [stub.add(Symbol("s")), stub.add(Symbol("s")).deeper.still()]) {
    const error = await failure(promise);
    assert.deepEqual(
      [error.name, error.message],
      ["DataCloneError", "Symbol(s) could not be cloned."],
    );
  }
});

test("RPC: what cannot be called says so with its path", async (t) => {
  const { stub } = await stubs(t);
  await assertFails(stub.tree(), "TypeError", '"tree" is not a function.');
  await assertFails(stub.tree.branch(), "TypeError", '"tree.branch" is not a function.');
  await assertFails(stub.cursor(1).position(), "TypeError", '"position" is not a function.');
});

test("RPC: names that only the system may call are refused", async (t) => {
  const { stub } = await stubs(t);
  for (const name of ["alarm", "webSocketMessage", "webSocketClose", "webSocketError", "dup"]) {
    await assertFails(stub[name](), "TypeError", reserved(name));
    await assertFails(stub[name], "TypeError", reserved(name));
  }
  await assertFails(stub.tree.cursor.dup(), "TypeError", reserved("dup"));
});

test("RPC: a path has at most 65 segments", async (t) => {
  const { stub } = await stubs(t);
  let at = stub;
  for (let depth = 0; depth < 65; depth++) at = at.deeper;
  await assertFails(at(), "TypeError", miss("deeper"));
  assert.throws(() => at.deeper, {
    name: "TypeError",
    message: "RPC pipelined property path is too deep (max 64).",
  });
});

test("RPC: a class that does not extend DurableObject says how to", async (t) => {
  const { classic, silent } = await stubs(t);
  const message =
    'The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`. In order to enable RPC, make sure your class extends the special class `DurableObject`, which can be imported from the module "cloudflare:workers".';
  await assertFails(classic.method(), "TypeError", message);
  await assertFails(classic.nosuch.deeper, "TypeError", message);
  assert.equal(await (await classic.fetch("https://host/")).text(), "classic");
  assert.equal(await silent.hi(), "hi");
  await assertFails(
    silent.fetch("https://host/"),
    "Error",
    "Handler does not export a fetch() function.",
  );
});

test("RPC: a worker without a modern class has stubs as Miniflare 2's", async (t) => {
  const source = 'export class Classic { fetch() { return new Response("c"); } } export default {}';
  const mf = serve(t, source, ["Classic"]);
  const stub = (await mf.getDurableObjectNamespace("Classic")).getByName("a");
  assert.equal(stub.method, undefined);
  assert.ok(!("method" in stub));
  assert.deepEqual(Object.keys(stub), ["id"]);
  assert.equal(String(stub), "[object Object]");
});

test("RPC: the flag no_rpc takes it away, at any date it is there without, and js_rpc needs no base class", async (t) => {
  const without = serve(t, script, classes, { compatibilityFlags: ["no_rpc"] });
  assert.equal((await without.getDurableObjectNamespace("Subject")).getByName("a").add, undefined);
  const old = new Miniflare({ modules: true, script, durableObjects: { Subject: "Subject" } });
  t.after(() => old.dispose());
  assert.equal(await (await old.getDurableObjectNamespace("Subject")).getByName("a").add(1, 2), 3);
  const source = "export class Classic { add(a, b) { return a + b; } } export default {}";
  const bare = serve(t, source, ["Classic"], { compatibilityFlags: ["js_rpc"] });
  assert.equal(await (await bare.getDurableObjectNamespace("Classic")).getByName("a").add(1, 2), 3);
});

test("RPC: calls on a result run on the object's own value, in call order", async (t) => {
  const { stub } = await stubs(t);
  const cursor = stub.cursor(10);
  const [first, second, position] = await Promise.all([
    cursor.move(1),
    cursor.move(5),
    cursor.position,
  ]);
  assert.deepEqual([first, second, position], [11, 16, 16]);
  assert.equal(await stub.cursor(1).next().next().position, 3);
  assert.equal(await stub.tree.branch.leaf(1, 2, 3), 3);
  assert.equal(await stub.thenable(), "adopted");
  await assertFails(stub.failing.deeper.still(), "RangeError", "getter");
  const number = stub.add(1, 2);
  await number;
  await assertFails(
    number.toFixed(),
    "TypeError",
    "Can't pipeline on RPC that did not return an object.",
    {},
  );
});

test("RPC: then(), catch() and finally() want functions", async (t) => {
  const { stub } = await stubs(t);
  const wrong = (method, type, place) =>
    `Failed to execute '${method}' on '${type}': parameter ${place} is not of type 'Function'.`;
  for (const [run, message] of [
    [() => stub.add(1, 2).then(), wrong("then", "JsRpcPromise", 1)],
    [() => stub.add(1, 2).then(null, () => {}), wrong("then", "JsRpcPromise", 1)],
    [() => stub.add(1, 2).then(() => {}, 5), wrong("then", "JsRpcPromise", 2)],
    [() => stub.add(1, 2).catch(), wrong("catch", "JsRpcPromise", 1)],
    [() => stub.tree.finally(5), wrong("finally", "JsRpcProperty", 1)],
  ]) {
    assert.throws(run, { name: "TypeError", message });
  }
});

test("RPC: calls and requests of one stub arrive in their order, also while the object is constructed", async (t) => {
  const { blocked, stub } = await stubs(t);
  for (const one of [blocked.getByName("fresh"), blocked.getByName("fresh"), stub]) {
    one.note("a");
    one.fetch("https://host/");
    one.note("b");
    one.fetch("https://host/");
    const log = await one.note("c");
    assert.deepEqual(log.slice(-5), ["a", "fetch", "b", "fetch", "c"]);
  }
});

test("RPC: each call is an event behind the input gate", async (t) => {
  const { subject } = await stubs(t);
  const counter = subject.getByName("counter");
  const counts = await Promise.all([1, 2, 3, 4].map(() => counter.increment(false)));
  assert.deepEqual(counts, [1, 2, 3, 4]);
  const closed = subject.getByName("closed");
  let open;
  const block = closed.closed(() => new Promise((resolve) => (open = resolve)));
  const during = closed.note("during");
  while (open === undefined) await new Promise(setImmediate);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  open();
  assert.deepEqual(await during, ["begin", "end", "during"]);
  await block;
  const other = subject.getByName("timers");
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => other.increment(true))), [1, 1, 1]);
});

test("RPC: a callback of another host arrives inside blockConcurrencyWhile()", async (t) => {
  const { stub } = await stubs(t);
  assert.equal(await stub.call((x) => `called with ${x}`, 5), "called with 5");
  assert.equal(await stub.blockWith((where) => `called ${where}`), "called inside");
  assert.equal(await stub.through("another"), 4);
});

test("RPC: properties are read at each await again", async (t) => {
  const { stub } = await stubs(t);
  const property = stub.tree;
  assert.notEqual(await property, await property);
});
