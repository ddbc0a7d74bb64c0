// S11, S12: ids and what is checked about them.
import assert from "node:assert/strict";
import test from "node:test";
import * as reference from "@miniflare/durable-objects";
import { DurableObjectId, DurableObjectNamespace } from "../../index.mjs";
import { TEST_ID_HEX, visibleNames } from "../support/plugin.mjs";

const noFactory = () => assert.fail("no object should be started");
const namespaceOf = (name) => new DurableObjectNamespace(name, noFactory);
const bytesOf = (id) => Buffer.from(id.toString(), "hex");

test("S12 ids: idFromName keeps Miniflare 2's scheme (golden vectors)", () => {
  assert.equal(
    namespaceOf("TEST_OBJECT").idFromName("test").toString(),
    "8f9973e23d7d465bb827b1ded10ae3e3d1e9b25f9e0763ab8ced46632d58ff07",
  );
  assert.equal(namespaceOf("TEST").idFromName("test").toString(), TEST_ID_HEX);
});

test("S12 ids: idFromName agrees with @miniflare/durable-objects on any string", () => {
  const names = ["", "a", "ü", "日本", "😀", "a\u0000b", "x".repeat(10_000), "\ud800", "a\udc00b"];
  for (const objectName of ["TEST", "", "ÖBJEKT", "a:b"]) {
    const theirs = new reference.DurableObjectNamespace(objectName, noFactory);
    const ours = namespaceOf(objectName);
    for (const name of names) {
      assert.equal(ours.idFromName(name).toString(), theirs.idFromName(name).toString());
    }
  }
});

test("S12 ids: a name gives the same id every time, another name or binding another id", () => {
  const ids = [
    namespaceOf("A").idFromName("x"),
    namespaceOf("A").idFromName("y"),
    namespaceOf("B").idFromName("x"),
  ];
  assert.equal(new Set(ids.map(String)).size, 3);
  assert.ok(ids[0].equals(namespaceOf("A").idFromName("x")));
  assert.equal(bytesOf(ids[0])[0] >> 7, 1);
});

test("S12 ids: newUniqueId holds the time and the binding, and never repeats", () => {
  const namespace = namespaceOf("TEST_OBJECT");
  const before = Date.now();
  const ids = Array.from({ length: 1000 }, () => namespace.newUniqueId());
  const after = Date.now();
  assert.equal(new Set(ids.map(String)).size, ids.length);
  const tail = bytesOf(namespace.idFromName("test")).subarray(24);
  for (const id of ids) {
    const bytes = bytesOf(id);
    assert.equal(bytes.length, 32);
    assert.equal(bytes[0], 0);
    const time = Number(bytes.readBigUInt64BE(1));
    assert.ok(before <= time && time <= after);
    assert.deepEqual(bytes.subarray(24), tail);
    assert.equal(id.name, undefined);
    assert.equal(namespace.get(id).id, id);
  }
});

test("S12 ids: idFromString gives an id back from its string", () => {
  const namespace = namespaceOf("TEST");
  const id = namespace.idFromString(TEST_ID_HEX);
  assert.equal(id.toString(), TEST_ID_HEX);
  assert.equal(id.name, undefined);
  assert.ok(id.equals(namespace.idFromName("test")));
  assert.equal(namespace.get(id).id, id);
  const head = TEST_ID_HEX.slice(0, 48);
  const tail = TEST_ID_HEX.slice(48);
  assert.equal(namespace.idFromString(head.toUpperCase() + tail).toString(), TEST_ID_HEX);
});

test("S11 ids: idFromString refuses what is not 64 hex digits", () => {
  const wrong = [
    "",
    "abc",
    `${TEST_ID_HEX}0`,
    "not a hex id, but crafted to be 64 characters long like a real id",
  ];
  for (const hexId of [...wrong, 5, undefined, null, {}]) {
    assert.throws(() => namespaceOf("TEST").idFromString(hexId), {
      name: "TypeError",
      message: "Invalid Durable Object ID. Durable Object IDs must be 64 hex digits.",
    });
  }
});

test("S11 ids: idFromString refuses the id of another object", () => {
  const mismatch = {
    name: "TypeError",
    message: "Invalid Durable Object ID. The ID does not match this Durable Object class.",
  };
  assert.throws(() => namespaceOf("OTHER").idFromString(TEST_ID_HEX), mismatch);
  assert.throws(() => namespaceOf("TEST").idFromString(TEST_ID_HEX.toUpperCase()), mismatch);
});

test("S11 ids: get refuses the id of another object", () => {
  const message = "ID is not for this Durable Object class.";
  const wrong = [
    namespaceOf("OTHER").idFromName("test"),
    namespaceOf("OTHER").newUniqueId(),
    new DurableObjectId("TEST", "0".repeat(64)),
    new DurableObjectId("OTHER", TEST_ID_HEX),
    { toString: () => TEST_ID_HEX },
    TEST_ID_HEX,
  ];
  for (const id of wrong) {
    assert.throws(() => namespaceOf("TEST").get(id), { name: "TypeError", message });
  }
});

test("S11 ids: an argument of the wrong type is a TypeError that names the method and the type", () => {
  const namespace = namespaceOf("TEST");
  const received = (method, type, what) => ({
    name: "TypeError",
    message: `Failed to execute '${method}' on 'DurableObjectNamespace': parameter 1 is not of type '${type}'. (received ${what})`,
  });
  assert.throws(() => namespace.idFromName(5), received("idFromName", "string", "number"));
  assert.throws(() => namespace.idFromName(), received("idFromName", "string", "undefined"));
  assert.throws(() => namespace.idFromName(null), received("idFromName", "string", "null"));
  assert.throws(
    () => namespace.idFromName(["a"]),
    received("idFromName", "string", "an instance of Array"),
  );
  assert.throws(
    () => namespace.idFromName(Symbol("a")),
    received("idFromName", "string", "symbol"),
  );
  assert.throws(
    () => namespace.idFromName(Object.create(null)),
    received("idFromName", "string", "object"),
  );
  assert.throws(
    () => namespace.idFromString(namespace.idFromName("test")),
    received("idFromString", "string", "an instance of DurableObjectId"),
  );
  assert.throws(() => namespace.get(), received("get", "DurableObjectId", "undefined"));
  assert.throws(() => namespace.get(null), received("get", "DurableObjectId", "null"));
});

test("S12 ids: jurisdictions are accepted or refused by name", () => {
  const namespace = namespaceOf("TEST");
  for (const jurisdiction of ["eu", "fedramp", undefined]) {
    assert.equal(namespace.jurisdiction(jurisdiction), namespace);
    assert.equal(namespace.newUniqueId({ jurisdiction }).toString().length, 64);
  }
  assert.throws(() => namespace.jurisdiction("x"), {
    name: "TypeError",
    message: 'jurisdiction called with an unsupported jurisdiction: "x"',
  });
  assert.throws(() => namespace.newUniqueId({ jurisdiction: "x" }), {
    name: "TypeError",
    message: 'newUniqueId called with an unsupported jurisdiction: "x"',
  });
});

test("S12 ids: equals compares the digits, and only ids are equal", () => {
  const id = new DurableObjectId("TEST", TEST_ID_HEX, "instance");
  assert.ok(id.equals(new DurableObjectId("Test", TEST_ID_HEX)));
  assert.ok(!id.equals(new DurableObjectId("TEST", "0".repeat(64))));
  assert.ok(!id.equals(TEST_ID_HEX));
  assert.ok(!id.equals(undefined));
});

test("S12 ids: ids and namespaces show workers nothing but their methods and the name", () => {
  const id = new DurableObjectId("TEST", TEST_ID_HEX, "instance");
  assert.equal(id.name, "instance");
  assert.equal(`${id}`, TEST_ID_HEX);
  assert.deepEqual(visibleNames(id), ["equals", "name", "toString"]);
  assert.deepEqual(visibleNames(namespaceOf("TEST")), [
    "get",
    "getByName",
    "idFromName",
    "idFromString",
    "jurisdiction",
    "newUniqueId",
  ]);
  assert.deepEqual(visibleNames(namespaceOf("TEST").get(id)), ["fetch", "id", "name"]);
});
