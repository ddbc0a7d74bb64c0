// ctx.abort(): what callers get, what is undone, and that the code that goes on after it has no effect.
import assert from "node:assert/strict";
import test from "node:test";
import { NoOpLog } from "@miniflare/shared";
import { onEachBackend } from "../support/backends.mjs";
import { failure, serve } from "../support/modern.mjs";
import { idle } from "../support/plugin.mjs";

const NO_REASON = "Application called abort() to reset Durable Object.";

const script = `
import { DurableObject } from "cloudflare:workers";
const REASONS = {
  error: () => new RangeError("range"), number: () => 5, object: () => ({}), null: () => null, empty: () => "", nothing: () => undefined,
  symbol: () => Symbol("s"), throwing: () => ({ toString() { throw new TypeError("no text"); } }),
};
export class Subject extends DurableObject {
  static built = 0;
  static notes = [];
  static inConstructor = false;
  constructor(ctx, env) {
    super(ctx, env);
    Subject.built++;
    if (Subject.inConstructor === "caught") try { this.end("constructor"); } catch {}
    else if (Subject.inConstructor) this.end("constructor");
  }
  end(reason) { Subject.inConstructor = false; this.ctx.abort(reason); }
  built() { return Subject.built; }
  notes() { return Subject.notes; }
  nextConstructor(how) { Subject.inConstructor = how; }
  abort(...args) { this.ctx.abort(...args); }
  abortWith(kind) { this.ctx.abort(REASONS[kind]()); }
  describe() { const { abort } = this.ctx; return [abort.length, abort.name]; }
  wait() { return new Promise((resolve) => { Subject.go = resolve; }); }
  go() { Subject.go("went on"); }
  async fetch(request) {
    if (request.url.endsWith("/wait")) await this.wait();
    if (request.url.endsWith("/socket")) {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => { if (data === "abort") this.ctx.abort("by a message"); });
      return new Response(null, { status: 101, webSocket: client });
    }
    if (request.url.endsWith("/abort")) this.ctx.abort("in fetch");
    return new Response("answer");
  }
  async caught() {
    try { this.ctx.abort("caught"); } catch (error) { Subject.notes.push(error instanceof Error, error.message); }
    for (const operation of [(s) => s.put("after", 1), (s) => s.get("after"), (s) => s.setAlarm(1), (s) => s.transaction((txn) => txn.put("after", 1))]) {
      operation(this.ctx.storage);
      try { await operation(this.ctx.storage); Subject.notes.push("done"); } catch (error) { Subject.notes.push(error.message); }
    }
    return "returned";
  }
  put(key) { return this.ctx.storage.put(key, "kept"); }
  get(key) { return this.ctx.storage.get(key); }
  async keys() { return [...(await this.ctx.storage.list()).keys()]; }
  getAlarm() { return this.ctx.storage.getAlarm(); }
  alarm() {}
  async undone() {
    const { storage } = this.ctx;
    storage.put("new", 1);
    storage.put("old", "changed");
    storage.delete("gone");
    storage.setAlarm(Date.now() + 1e9);
    await null;
    await storage.put("new too", 1);
    this.ctx.abort("undone");
  }
  async cleared() { this.ctx.storage.deleteAll(); this.ctx.storage.put("new", 1); this.ctx.abort("cleared"); }
  async kept() {
    this.ctx.storage.put("kept", 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.ctx.storage.put("lost", 1);
    this.ctx.abort("kept");
  }
  async synced() { await this.ctx.storage.put("synced", 1); await this.ctx.storage.sync(); this.ctx.abort("synced"); }
  inTransaction() { return this.ctx.storage.transaction(async (txn) => { await txn.put("txn", 1); this.ctx.abort("in a transaction"); }); }
  async caughtInTransaction() {
    await this.ctx.storage.transaction(async (txn) => { await txn.put("txn", 1); try { this.ctx.abort("in a transaction"); } catch {} });
  }
  inBlock() { return this.ctx.blockConcurrencyWhile(async () => this.ctx.abort("in a block")); }
  inBackground() { this.ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 1)).then(() => this.ctx.abort("in the background"))); return "answered"; }
  inTimer() { setTimeout(() => { Subject.notes.push("timer"); this.ctx.abort("in a timer"); }, 1); return "answered"; }
}
export default {
  async fetch(request, env) {
    try { await env.Subject.getByName("realm").abort("why"); } catch (error) {
      return Response.json([error instanceof Error, error.constructor === Error, error.message]);
    }
  },
}`;

async function open(t, durableObjectsPersist = false) {
  const errors = [];
  class Errors extends NoOpLog {
    error(error) {
      errors.push(error.message);
    }
  }
  const mf = serve(t, script, ["Subject"], { durableObjectsPersist, log: new Errors() });
  const namespace = await mf.getDurableObjectNamespace("Subject");
  return { mf, errors, object: (name = "a") => namespace.getByName(name) };
}

const marks = ({ message, remote, durableObjectReset }) => [message, remote, durableObjectReset];
const reset = (message) => [message, undefined, true];
const resetOfRequest = (message) => [message, true, true];

test("abort: its caller and all in flight get the reason; that stub for ever, a new one reaches a new instance", async (t) => {
  const { object } = await open(t);
  const [stub, other] = [object(), object()];
  assert.equal(await stub.built(), 1);
  const waiting = [failure(other.wait()), failure(other.fetch("http://localhost/wait"))];
  await idle();
  assert.deepEqual(marks(await failure(stub.abort("why"))), reset("why"));
  assert.deepEqual(marks(await waiting[0]), reset("why"));
  assert.deepEqual(marks(await waiting[1]), resetOfRequest("why"));
  assert.deepEqual(marks(await failure(stub.built())), reset("why"));
  assert.deepEqual(marks(await failure(other.fetch("http://localhost/"))), reset("why"));
  assert.equal(await object().built(), 2);
  const requested = object();
  assert.deepEqual(
    marks(await failure(requested.fetch("http://localhost/abort"))),
    resetOfRequest("in fetch"),
  );
  assert.deepEqual(marks(await failure(requested.built())), reset("in fetch"));
});

test("abort: the reason is a text", async (t) => {
  const { mf, object } = await open(t);
  for (const [kind, text] of [
    ["error", "RangeError: range"],
    ["number", "5"],
    ["object", "[object Object]"],
    ["null", "null"],
    ["empty", ""],
    ["nothing", NO_REASON],
  ]) {
    const error = await failure(object().abortWith(kind));
    assert.deepEqual([error.name, ...marks(error)], ["Error", ...reset(text)], kind);
  }
  assert.deepEqual(marks(await failure(object().abort())), reset(NO_REASON));
  for (const options of [undefined, null, {}, { retryAlarm: false }, 5]) {
    assert.deepEqual(marks(await failure(object().abort("x", options))), reset("x"));
  }
  const [before] = [await object().built()];
  for (const [kind, text] of [
    ["symbol", "Cannot convert a Symbol value to a string"],
    ["throwing", "no text"],
  ]) {
    const error = await failure(object().abortWith(kind));
    assert.deepEqual([error.name, ...marks(error)], ["TypeError", text, true, undefined]);
  }
  assert.equal(await object().built(), before, "no reason, no reset");
  assert.deepEqual(await object().describe(), [0, "abort"]);
  const response = await mf.dispatchFetch("http://localhost/");
  assert.deepEqual(await response.json(), [true, true, "why"]);
});

test("abort: in a constructor, also one that catches it; in a block, in the background, in a timer", async (t) => {
  const { object, errors } = await open(t);
  await object("first").nextConstructor(true);
  const [stub, requested] = [object("b"), object("c")];
  assert.deepEqual(marks(await failure(stub.built())), reset("constructor"));
  assert.deepEqual(marks(await failure(stub.built())), reset("constructor"), "for ever");
  assert.equal(await object("b").built(), 3);
  await object("first").nextConstructor(true);
  assert.deepEqual(
    marks(await failure(requested.fetch("http://localhost/"))),
    resetOfRequest("constructor"),
  );
  assert.deepEqual(
    marks(await failure(requested.fetch("http://localhost/"))),
    reset("constructor"),
  );
  await object("first").nextConstructor("caught");
  assert.deepEqual(marks(await failure(object("d").built())), reset("constructor"));
  assert.equal(await object("d").built(), 6);

  assert.deepEqual(marks(await failure(object().inBlock())), reset("in a block"));
  assert.deepEqual(errors, []);
  for (const [method, reason] of [
    ["inBackground", "in the background"],
    ["inTimer", "in a timer"],
  ]) {
    const used = object();
    assert.equal(await used[method](), "answered");
    while (errors.length === 0) await idle();
    assert.deepEqual(errors.splice(0), [reason], "reported once");
    assert.deepEqual(marks(await failure(used.built())), reset(reason));
  }
  assert.deepEqual(await object().notes(), ["timer"]);
});

test("abort: the sockets of the object end as at a reset", async (t) => {
  const { object } = await open(t);
  const { webSocket } = await object().fetch("http://localhost/socket", {
    headers: { upgrade: "websocket" },
  });
  webSocket.accept();
  const closed = new Promise((resolve) => webSocket.addEventListener("close", resolve));
  webSocket.send("abort");
  const { code } = await closed;
  assert.equal(code, 1006);
});

onEachBackend("abort", (place) => {
  test("what was written in the same turn of the event loop is undone, and nothing before", async (t) => {
    const { object } = await open(t, await place(t));
    await object().put("old");
    await object().put("gone");
    assert.deepEqual(marks(await failure(object().undone())), reset("undone"));
    assert.deepEqual(await object().keys(), ["gone", "old"]);
    assert.equal(await object().get("old"), "kept");
    assert.equal(await object().getAlarm(), null);
    await failure(object().kept());
    await failure(object().synced());
    assert.deepEqual(await object().keys(), ["gone", "kept", "old", "synced"]);
    await failure(object().cleared());
    assert.deepEqual(
      await object().keys(),
      [],
      "deleteAll() is not undone, what comes after it is",
    );
  });

  test("a transaction in which it is called does not commit", async (t) => {
    const { object } = await open(t, await place(t));
    for (const method of ["inTransaction", "caughtInTransaction"]) {
      assert.deepEqual(marks(await failure(object()[method]())), reset("in a transaction"));
      for (let turn = 0; turn < 3; turn++) {
        await idle();
        assert.deepEqual(await object().keys(), [], method);
      }
    }
  });

  test("code that catches it and goes on writes nothing", async (t) => {
    const { object } = await open(t, await place(t));
    assert.deepEqual(marks(await failure(object().caught())), reset("caught"));
    while ((await object().notes()).length < 6) await idle();
    assert.deepEqual(await object().notes(), [true, "caught", ...Array(4).fill("caught")]);
    assert.deepEqual([await object().keys(), await object().getAlarm()], [[], null]);
  });
});
