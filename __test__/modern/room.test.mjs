// The room of RPC without Durable Objects: stubs of own values, hosts that end, realms, and what the room imports.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import test from "node:test";
import vm from "node:vm";
import { failure } from "../support/modern.mjs";
import { idle } from "../support/plugin.mjs";

const require = createRequire(import.meta.url);
const {
  Broken,
  HOST,
  RpcTarget,
  property,
  realmOf,
  realmOfValue,
  stubClass,
} = require("../../dist/rpc/index.js");

const style = { enhancedErrors: true, dupStubs: true };
const side = { realm: HOST, style };
const RpcStub = stubClass(() => side);

test("room: a stub of an own value calls it later, with copies", async () => {
  const order = [];
  const own = { a: 1 };
  const stub = new RpcStub({
    take: (value) => order.push(value === own) && value,
    n: { m: () => 3 },
  });
  const promise = stub.take(own);
  order.push("called");
  const copy = await promise;
  assert.deepEqual([order, copy, copy === own], [["called", false], own, false]);
  assert.equal(await stub.n.m(), 3);
  assert.equal(await (await new RpcStub((x) => x * 2))(4), 8);
});

test("room: a remote that is broken tells each caller why, in its own realm", async () => {
  const context = vm.createContext({});
  const realm = realmOf(vm.runInContext("Object", context));
  const remote = {
    realm: HOST,
    enter: async () => {
      throw new Broken(Object.assign(new RangeError("why"), { n: 1 }), {
        durableObjectReset: true,
      });
    },
    dup: () => remote,
    dispose() {},
  };
  const source = { side: { realm, style }, use: () => remote };
  const error = await failure(property(source, ["method"])());
  const prototype = vm.runInContext("RangeError.prototype", context);
  assert.equal(Object.getPrototypeOf(error), prototype);
  assert.deepEqual([error.message, error.n, error.durableObjectReset], ["why", 1, true]);
});

test("room: a realm is found from any of its classes or objects", () => {
  const context = vm.createContext({});
  const [Class, object, arrow] = vm.runInContext(
    "[class extends Object {}, { a: 1 }, () => {}]",
    context,
  );
  const realm = realmOf(Class);
  assert.equal(realmOfValue(object), realm);
  assert.equal(realmOfValue(arrow), realm);
  assert.equal(realmOfValue({}), HOST);
  assert.equal(realmOfValue(null), undefined);
  assert.equal(Object.getPrototypeOf(realm.object()), vm.runInContext("Object.prototype", context));
  assert.equal(Object.getPrototypeOf(realm.array(2)), vm.runInContext("Array.prototype", context));
  const made = realm.make(TypeError, "text");
  assert.equal(Object.getPrototypeOf(made), vm.runInContext("TypeError.prototype", context));
});

test("room: a target's disposer runs once, a turn after its last stub has gone", async () => {
  let disposed = 0;
  class Target extends RpcTarget {
    hi() {
      return "hi";
    }
    [Symbol.dispose]() {
      disposed++;
    }
  }
  const stub = new RpcStub(new Target());
  const copy = stub.dup();
  stub[Symbol.dispose]();
  await idle();
  assert.equal(disposed, 0);
  assert.equal(await copy.hi(), "hi");
  copy[Symbol.dispose]();
  assert.equal(disposed, 0);
  await idle();
  assert.equal(disposed, 1);
});

test("room: it imports nothing from the rooms above it", () => {
  const folder = new URL("../../lib/rpc/", import.meta.url);
  for (const name of readdirSync(folder)) {
    const source = readFileSync(new URL(name, folder), "utf8");
    for (const [, room] of source.matchAll(/from "\.\.\/([\w-]+)/g)) {
      assert.ok(["codec", "shared"].includes(room), `lib/rpc/${name} imports from lib/${room}`);
    }
  }
});
