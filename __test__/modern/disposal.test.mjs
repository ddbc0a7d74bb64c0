// Stubs that are disposed of: when a target's disposer runs, and what a stub says that is used afterwards.
import assert from "node:assert/strict";
import test from "node:test";
import { answer, failure, serve } from "../support/modern.mjs";
import { idle } from "../support/plugin.mjs";

const script = `
import { DurableObject, RpcStub, RpcTarget } from "cloudflare:workers";
const log = [];
class Target extends RpcTarget {
  constructor(name) { super(); this.label = name; }
  hi() { return this.label; }
  [Symbol.dispose]() { log.push(this.label); }
}
class Doubling extends Target { dup() { return new Target("copy of " + this.label); } }
export class Subject extends DurableObject {
  target(name) { return new Target(name); }
  pair(name) { return { first: new Target(name), second: new Target(name + "2"), f: () => 1, [Symbol.dispose]() { log.push("result"); } }; }
  hold(stub) { this.held = stub; }
  holdCopy(stub) { this.held = stub.dup(); }
  useHeld() { return this.held(); }
  giveHeld() { return this.held; }
  touch() {}
  logged() { return log.splice(0); }
}
const pause = async () => { for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0)); };
export default { async fetch(request, env) {
  const stub = env.Subject.getByName("worker");
  const results = {};
  const after = async (name, run) => { log.length = 0; await run(); await pause(); results[name] = log.splice(0); };
  await after("passed", () => stub.touch(new Target("passed")));
  await after("passed twice", async () => { const target = new Target("twice"); await stub.touch(target); await stub.touch(target); });
  await after("doubled", () => stub.touch(new Doubling("double")));
  await after("stub passed", async () => {
    const own = new RpcStub(new Target("own"));
    await stub.touch(own);
    await pause();
    log.push("still there: " + (await own.hi()));
    own[Symbol.dispose]();
  });
  await after("a function", () => { const f = () => {}; f[Symbol.dispose] = () => log.push("function"); return stub.touch(f); });
  return Response.json(results);
} }`;

async function open(t, options) {
  const mf = serve(t, script, ["Subject"], options);
  return { mf, stub: (await mf.getDurableObjectNamespace("Subject")).getByName("a") };
}

const STUB_DISPOSED = "RPC stub used after being disposed.";
const PROMISE_DISPOSED = "RPC promise used after being disposed.";

async function assertDisposed(promise, message = STUB_DISPOSED, remote = undefined) {
  const error = await failure(promise);
  assert.deepEqual([error.name, error.message, error.remote], ["Error", message, remote]);
}

test("disposal: what was passed is disposed when the call ends, and a target's disposer runs then", async (t) => {
  const { mf } = await open(t);
  assert.deepEqual(await answer(mf), {
    passed: ["passed"],
    "passed twice": ["twice", "twice"],
    doubled: ["copy of double"],
    "stub passed": ["still there: own", "own"],
    "a function": ["function"],
  });
});

test("disposal: before 2026-01-20 a stub that is passed is disposed too", async (t) => {
  const { mf } = await open(t, { compatibilityDate: "2026-01-19" });
  const error = await failure(answer(mf));
  assert.match(error.message, new RegExp(STUB_DISPOSED));
  const flags = ["rpc_params_dup_stubs"];
  const asked = await open(t, { compatibilityDate: "2026-01-19", compatibilityFlags: flags });
  assert.deepEqual((await answer(asked.mf))["stub passed"], ["still there: own", "own"]);
});

test("disposal: of a stub, once, when the last one is gone", async (t) => {
  const { stub } = await open(t);
  const target = await stub.target("t");
  const copy = target.dup();
  target[Symbol.dispose]();
  target[Symbol.dispose]();
  await idle();
  await assertDisposed(target.hi());
  await assertDisposed(target.label);
  await assertDisposed(target.dup().hi());
  assert.equal(await copy.hi(), "t");
  assert.deepEqual(await stub.logged(), []);
  copy[Symbol.dispose]();
  await idle();
  assert.deepEqual(await stub.logged(), ["t"]);
});

test("disposal: of a result disposes of all stubs in it, and then runs the result's own disposer", async (t) => {
  const { stub } = await open(t);
  const pair = await stub.pair("p");
  const { enumerable, value } = Object.getOwnPropertyDescriptor(pair, Symbol.dispose);
  assert.deepEqual([enumerable, typeof value], [false, "function"]);
  pair[Symbol.dispose]();
  await idle();
  await assertDisposed(pair.first.hi());
  await assertDisposed(pair.f());
  assert.deepEqual((await stub.logged()).sort(), ["p", "p2", "result"]);
});

test("disposal: of a promise, before and after its result is there", async (t) => {
  const { stub } = await open(t);
  const early = stub.target("early");
  const before = early.hi();
  early[Symbol.dispose]();
  assert.equal(await before, "early");
  await assertDisposed(early.hi(), PROMISE_DISPOSED);
  await assertDisposed((await early).hi());
  const late = stub.target("late");
  const result = await late;
  late[Symbol.dispose]();
  await assertDisposed(result.hi());
  await idle();
  assert.deepEqual(await stub.logged(), ["early", "late"]);
});

test("disposal: an object keeps a stub beyond the call by dup(), and gives it away by returning it", async (t) => {
  const { stub } = await open(t);
  await stub.hold(() => "held");
  await assertDisposed(stub.useHeld(), STUB_DISPOSED, true);
  await stub.holdCopy(() => "held");
  assert.equal(await stub.useHeld(), "held");
  const given = await stub.giveHeld();
  assert.equal(await given(), "held");
  await assertDisposed(stub.useHeld(), STUB_DISPOSED, true);
});
