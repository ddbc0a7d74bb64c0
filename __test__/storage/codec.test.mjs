/**
 * The codec against node:v8, by random values and by hand.
 *
 * `FERROFLARE_FUZZ` multiplies the number of random values, `FERROFLARE_SEED` repeats a run, `FERROFLARE_DIST` points at
 * another build.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import v8 from "node:v8";
import vm from "node:vm";
import fc from "fast-check";
import { seed } from "../support/seed.mjs";

const require = createRequire(import.meta.url);
const dist = resolve(
  process.env.FERROFLARE_DIST ?? fileURLToPath(new URL("../../dist", import.meta.url)),
);
const { ByteWriter, decode, decodesNatively, encode, encodesNatively } = require(
  `${dist}/codec/index.js`,
);

const times = Number(process.env.FERROFLARE_FUZZ ?? 1);
console.log(`codec: seed ${seed} (repeat with FERROFLARE_SEED=${seed})`);

const foreign = vm.createContext({});
/** What builds a value in a realm; two of them are other VM contexts. */
const REALM_SOURCE = `({
  global: globalThis,
  object: () => ({}),
  dictionary: () => { const o = { first: 0, second: 0 }; delete o.first; delete o.second; return o; },
  array: () => [],
  exotic: {
    date: () => new Date(1e12), invalidDate: () => new Date(NaN),
    dateWithProperty: () => Object.assign(new Date(5), { a: 1 }),
    regexp: () => /a(b)\\u0100/giu, error: () => new RangeError("\\u0100 no"), plainError: () => Error("e"),
    map: () => new Map([[{ a: 1 }, [1]], ["k", new Set([1, "x"])]]), set: () => new Set([-0, {}]),
    bytes: () => new Uint8Array([1, 2, 3]), doubles: () => new Float64Array([1.5, -0]),
    view: () => new DataView(new ArrayBuffer(9), 1, 4), buffer: () => new ArrayBuffer(5),
    bigints: () => new BigInt64Array([1n, -1n]), bigint: () => -(2n ** 90n), smallBigint: () => 7n,
    boxedNumber: () => new Number(3), boxedString: () => new String("abc"),
    boxedBoolean: () => new Boolean(false), boxedBigint: () => Object(5n), boxedSymbol: () => Object(Symbol()),
    instance: () => new (class Point { x = 1; get y() { return 2; } })(),
    withToJson: () => new (class { a = 1; toJSON() { throw new Error("called"); } })(),
    ownToJson: () => ({ a: 1, toJSON: 5 }),
    nullPrototype: () => Object.assign(Object.create(null), { a: 1, b: [2] }),
    derived: () => Object.assign(Object.create({ inherited: 1 }), { own: 2 }),
    derivedArray: () => (class extends Array {}).from([1, 2]),
    arrayWithProperty: () => Object.assign([1, 2], { extra: 3 }),
    arrayWithPropertyAndHole: () => Object.assign([1, , ], { x: 3 }),
    holes: () => [1, , 3], sparse: () => { const a = [1]; a[5000] = 2; return a; }, longHole: () => new Array(7),
    filled: () => new Array(3).fill(1), mixed: () => [1, 2.5], mixedText: () => [1, "a", 2.5, -0],
    arrayGetter: () => Object.defineProperty([1, 2], 0, { get: () => 5, enumerable: true }),
    arraySetter: () => Object.defineProperty([1, 2], 0, { set() {}, enumerable: true }),
    arrayHidden: () => Object.defineProperty([1, 2], 0, { value: 5, enumerable: false }),
    frozenArray: () => Object.freeze([1, 2]), sealedArray: () => Object.seal(["a"]),
    fixedArray: () => Object.preventExtensions([true]), frozen: () => Object.freeze({ a: 1 }),
    getter: () => ({ a: 1, get b() { return [this.a]; } }), setter: () => ({ a: 1, set b(x) {} }),
    throwing: () => ({ a: 1, get b() { throw new TypeError("from getter"); } }),
    hidden: () => Object.defineProperty({ a: 1 }, "b", { value: 2, enumerable: false }),
    symbolKey: () => ({ [Symbol("s")]: 1, b: 2 }), tagged: () => ({ [Symbol.toStringTag]: "Tag", a: 1 }),
    numericKeys: () => ({ b: 1, 2: 1, 1: 2, 4294967295: 3, 4294967294: 4, "01": 5, "-1": 6 }),
    protoKey: () => JSON.parse('{"a":1,"__proto__":{"b":2}}'), deepProto: () => JSON.parse('{"__proto__":1}'),
    arguments: () => (function () { return arguments; })(1, "a"), noArguments: () => (function () { return arguments; })(),
    namedArguments: () => (function () { arguments.a = 1; return arguments; })(),
    func: () => function named() {}, arrow: () => (a) => a, klass: () => class A {}, symbol: () => Symbol("s"),
    weakMap: () => new WeakMap(), weakRef: () => new WeakRef({}), promise: () => Promise.resolve(1),
    generator: () => (function* () {})(), iterator: () => [][Symbol.iterator](), format: () => new Intl.NumberFormat("en"),
    shared: () => new SharedArrayBuffer(4), proxy: () => new Proxy({ a: 1 }, {}), arrayProxy: () => new Proxy([1], {}),
    global: () => globalThis, math: () => Math, objectPrototype: () => Object.prototype,
    arrayPrototype: () => Array.prototype, mapPrototype: () => Map.prototype,
    maskedMap: () => Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype),
    maskedSet: () => Object.assign(Object.setPrototypeOf(new Set([1]), Object.prototype), { a: 1 }),
    maskedDate: () => Object.assign(Object.setPrototypeOf(new Date(1), Object.prototype), { a: 1 }),
    maskedError: () => Object.assign(Object.setPrototypeOf(new Error("m"), Object.prototype), { a: 1 }),
    maskedBuffer: () => Object.assign(Object.setPrototypeOf(new ArrayBuffer(2), Object.prototype), { a: 1 }),
    maskedBytes: () => Object.setPrototypeOf(new Uint8Array([7]), Object.prototype),
    maskedBoxed: () => Object.assign(Object.setPrototypeOf(Object(true), Object.prototype), { a: 1 }),
    maskedWeakRef: () => Object.setPrototypeOf(new WeakRef({}), Object.prototype),
    maskedMapWithProperty: () => Object.assign(Object.setPrototypeOf(new Map([[1, 2]]), Object.prototype), { a: 1 }),
    maskedView: () => Object.assign(Object.setPrototypeOf(new DataView(new ArrayBuffer(1)), Object.prototype), { a: 1 }),
    falsePrototype: () => {
      const prototype = Object.create(null, { constructor: { value: Object } });
      return Object.assign(Object.setPrototypeOf(new WeakRef({}), prototype), { a: 1 });
    },
    falseConstructor: () => {
      const maker = { Object: function Object() {} }.Object;
      maker.prototype = globalThis.Object.create(null, { constructor: { value: maker } });
      globalThis.Object.freeze(maker);
      return globalThis.Object.assign(globalThis.Object.setPrototypeOf(new WeakRef({}), maker.prototype), { a: 1 });
    },
    maskedArray: () => Object.setPrototypeOf([1, 2], Object.prototype),
    posingArray: () => Object.setPrototypeOf({ length: 1, a: 1 }, Array.prototype),
    posingPrototype: () => Object.assign(Object.create({ constructor: Object }), { a: 1 }),
    proxyPrototype: () => Object.assign(Object.create(new Proxy({}, {})), { a: 1 }),
  },
})`;
const home = vm.runInThisContext(REALM_SOURCE);
const realms = [home, vm.runInContext(REALM_SOURCE, foreign), vm.runInNewContext(REALM_SOURCE)];
Object.assign(home.exotic, {
  slice: () => Buffer.from("hello").subarray(1, 3),
  env: () => process.env,
  url: () => new URL("http://a/"),
});
const exoticKinds = Object.keys(home.exotic);

const INTS = [
  0,
  1,
  63,
  64,
  8191,
  8192,
  2 ** 30 - 1,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53,
];
const numbers = [...INTS, ...INTS.map((n) => -n), ...INTS.map((n) => -n - 1)].concat([
  0.5,
  NaN,
  1 / 0,
  -1 / 0,
  5e-324,
  1.7976931348623157e308,
  Number.MAX_SAFE_INTEGER,
]);
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 30 }),
  fc.string({
    unit: fc.constantFrom("a", "\xe9", "\xff", "\u0100", "\ud83d", "\ude00"),
    maxLength: 40,
  }),
  fc.string({ unit: fc.constantFrom("a", "\0", "\xff"), maxLength: 30 }),
);
const name = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom("a", "b", "name", "\xe9", "\u0100x", "value of a longer name here"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "length", "", "\ud800"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("0", "12", "01", "-1", "1e3", "4294967295", "2024-01-01"),
  },
  { weight: 1, arbitrary: text },
);
const realm = fc.nat(realms.length - 1);
const leaf = fc
  .oneof(
    { weight: 4, arbitrary: fc.oneof(fc.constantFrom(...numbers), fc.integer(), fc.double()) },
    { weight: 4, arbitrary: text },
    { weight: 2, arbitrary: fc.constantFrom(undefined, null, true, false) },
  )
  .map((value) => ({ kind: "leaf", value }));
const exotic = fc.record({ kind: fc.constantFrom(...exoticKinds), realm });
/** A plan of a value, so that it can be built in any realm, with shared references and cycles. */
const { plan } = fc.letrec((tie) => ({
  plan: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    { weight: 60, arbitrary: leaf },
    {
      weight: 15,
      arbitrary: fc.record({
        kind: fc.constant("object"),
        realm,
        entries: fc.array(fc.tuple(name, tie("plan")), { maxLength: 6 }),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("array"),
        realm,
        items: fc.array(tie("plan"), { maxLength: 6 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("numbers"),
        realm,
        items: fc.array(fc.oneof(fc.integer(), fc.double()), { maxLength: 12 }),
      }),
    },
    { weight: 2, arbitrary: exotic },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("again"), which: fc.nat(20) }) },
  ),
}));
const container = fc.oneof(
  { weight: 1, arbitrary: plan },
  { weight: 1, arbitrary: exotic },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("object"),
      realm,
      entries: fc.array(fc.tuple(name, plan), { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("array"),
      realm,
      items: fc.array(plan, { minLength: 1, maxLength: 8 }),
    }),
  },
);

/**
 * Makes the value of a plan. In `plain` form V8 keeps numbers as JavaScript shows them: objects are in dictionary mode, and
 * small integers are stored as such.
 */
function build(node, plain = false, made = []) {
  const put = (target, key, value) =>
    Object.defineProperty(target, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  switch (node.kind) {
    case "leaf":
      return plain && typeof node.value === "number" ? canonical(node.value) : node.value;
    case "again":
      return made.length > 0 ? made[node.which % made.length] : null;
    case "object": {
      const object = plain ? realms[node.realm].dictionary() : realms[node.realm].object();
      made.push(object);
      for (const [key, child] of node.entries) put(object, key, build(child, plain, made));
      return object;
    }
    case "array":
    case "numbers": {
      const array = realms[node.realm].array();
      made.push(array);
      for (const item of node.items)
        array.push(node.kind === "array" ? build(item, plain, made) : canonical(item));
      return array;
    }
    default:
      made.hasExotic = true;
      return (realms[node.realm].exotic[node.kind] ?? home.exotic[node.kind])();
  }
}

function attempt(run) {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

function assertSameError(actual, expected) {
  assert.ok(actual.error, "must throw as node:v8 does");
  assert.equal(actual.error.constructor, expected.error.constructor);
  assert.equal(actual.error.name, expected.error.name);
  assert.equal(actual.error.message, expected.error.message);
}

const out = new ByteWriter();
function encoded(value, offset = 0) {
  out.reset();
  for (let i = 0; i < offset; i++) out.writeByte(0xaa);
  const bytes = encode(value, out);
  assert.equal(out.length, offset + bytes, "returns the number of bytes appended");
  return Buffer.from(out.bytes.subarray(offset, out.length));
}

/**
 * An equal value in the form that V8 itself would choose: small integers as such, packed arrays, Latin-1 text in bytes.
 * V8's bytes show the form and JavaScript cannot; objects are in dictionary mode, where numbers keep theirs.
 */
function canonical(value) {
  if (typeof value === "number")
    return (value | 0) === value && !Object.is(value, -0) ? value | 0 : value;
  if (typeof value === "string") {
    const latin1 = Buffer.from(value, "latin1").toString("latin1");
    return latin1 === value ? latin1 : value;
  }
  if (typeof value !== "object" || value === null || types.isDate(value)) return value;
  if (Array.isArray(value)) {
    // V8 makes an array for doubles where those of this line have held some before; one with another value in it is for anything.
    const packed = [undefined];
    for (let i = 0; i < value.length; i++) packed.push(canonical(value[i]));
    packed.shift();
    return packed;
  }
  const object = home.dictionary();
  for (const key of Object.keys(value)) {
    Object.defineProperty(object, canonical(key), {
      value: canonical(value[key]),
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return object;
}

/** Throws unless both are the same in everything that JavaScript shows, the graph of references included. */
function assertSame(a, b, met = new Map()) {
  if (typeof b !== "object" || b === null) return assert.ok(Object.is(a, b), "same primitive");
  assert.ok(typeof a === "object" && a !== null, "an object too");
  if (met.has(b)) return assert.equal(met.get(b), a, "same shared reference");
  met.set(b, a);
  assert.equal(Object.getPrototypeOf(a), Object.getPrototypeOf(b), "same prototype");
  assert.equal(Array.isArray(a), Array.isArray(b));
  assert.equal(Object.isExtensible(a), Object.isExtensible(b));
  const bytesOf = (x) =>
    types.isAnyArrayBuffer(x) ? Buffer.from(x) : Buffer.from(x.buffer, x.byteOffset, x.byteLength);
  if (types.isAnyArrayBuffer(b)) assert.ok(types.isAnyArrayBuffer(a));
  if (types.isAnyArrayBuffer(b) || ArrayBuffer.isView(b))
    return assert.ok(bytesOf(a).equals(bytesOf(b)));
  if (types.isDate(b))
    assert.ok(Object.is(Date.prototype.getTime.call(a), Date.prototype.getTime.call(b)));
  if (types.isRegExp(b)) assert.equal(`${a}${a.lastIndex}`, `${b}${b.lastIndex}`);
  if (types.isBoxedPrimitive(b)) assertSame(a.valueOf(), b.valueOf(), met);
  if (types.isMap(b)) assertSame([...Map.prototype.entries.call(a)], [...b], met);
  if (types.isSet(b)) assertSame([...Set.prototype.values.call(a)], [...b], met);
  assert.deepEqual(Reflect.ownKeys(a), Reflect.ownKeys(b), "same property order");
  for (const key of Reflect.ownKeys(b)) {
    const { value, ...attributes } = Object.getOwnPropertyDescriptor(b, key);
    const { value: ours, ...ourAttributes } = Object.getOwnPropertyDescriptor(a, key);
    assert.deepEqual(ourAttributes, attributes);
    assertSame(ours, value, met);
  }
}

function assertDecodes(bytes, offset = 0) {
  const framed = Buffer.concat([Buffer.alloc(offset, 0xff), bytes, Buffer.from([0x22, 3])]);
  const expected = attempt(() => v8.deserialize(Buffer.from(bytes)));
  const actual = attempt(() => decode(framed, offset, offset + bytes.length));
  if (expected.error) return assertSameError(actual, expected);
  assert.ifError(actual.error);
  framed.fill(0x55);
  assertSame(actual.value, expected.value);
}

/** Returns whether the codec wrote the value itself. */
function assertEncodes(value, offset = 0) {
  const expected = attempt(() => v8.serialize(value));
  const actual = attempt(() => encoded(value, offset));
  if (expected.error) {
    assertSameError(actual, expected);
    assert.equal(out.length, offset, "a failure leaves nothing behind");
    return false;
  }
  assert.ifError(actual.error);
  const native = encodesNatively(value);
  // V8 (of Node 26) may keep an array in another form once code has looked at it.
  const unchanged = actual.value.equals(expected.value);
  const now = native ? canonical(value) : value;
  const shown = unchanged && !native ? expected.value : v8.serialize(now);
  assert.equal(actual.value.toString("hex"), shown.toString("hex"));
  assert.ok(actual.value.length <= expected.value.length, "never longer than V8's");
  return native;
}

test("codec: 20,000 random values of three realms encode as v8.serialize and decode as v8.deserialize", () => {
  const tally = { values: 0, cloned: 0, native: 0, nativeForeign: 0, exact: 0, decodedNatively: 0 };
  fc.assert(
    fc.property(container, fc.nat(9), fc.boolean(), (node, offset, plain) => {
      const made = [];
      const value = build(node, plain, made);
      const native = assertEncodes(value, offset);
      tally.values++;
      const theirs = attempt(() => v8.serialize(value));
      if (theirs.error) return;
      tally.cloned++;
      const ours = encoded(value);
      if (native) {
        tally.native++;
        if (node.realm > 0) tally.nativeForeign++;
        if (ours.equals(theirs.value)) tally.exact++;
        else assert.ok(!plain || made.hasExotic, "V8's own bytes, unless it hides another form");
      }
      if (decodesNatively(ours, 0, ours.length)) tally.decodedNatively++;
      assertDecodes(theirs.value, offset);
      if (!ours.equals(theirs.value)) assertDecodes(ours, offset);
      assertSame(decode(ours, 0, ours.length), v8.deserialize(theirs.value));
    }),
    { seed, numRuns: 20_000 * times },
  );
  console.log(`codec: ${JSON.stringify(tally)}`);
  assert.ok(tally.native > tally.values / 4, "many are written by the codec");
  assert.ok(tally.nativeForeign > tally.values / 10, "those of other contexts too");
  assert.ok(tally.decodedNatively > tally.values / 4, "many are read by the codec");
  assert.ok(tally.exact > tally.native * 0.6, "most are V8's bytes exactly");
});

test("codec: every exotic kind alone, nested, twice and in every realm behaves as node:v8", () => {
  for (const { exotic } of realms) {
    for (const [kind, make] of Object.entries(exotic)) {
      const wraps = [
        (x) => x,
        (x) => [x],
        (x) => ({ a: 1, x }),
        (x) => ({ x, again: x }),
        (x) => [[x], "\u0100"],
      ];
      for (const wrap of wraps) {
        const value = wrap(make());
        try {
          assertEncodes(value);
          const bytes = attempt(() => v8.serialize(value)).value;
          if (bytes !== undefined) assertDecodes(bytes, 1);
        } catch (cause) {
          throw new Error(`${kind} in ${wrap}`, { cause });
        }
      }
    }
  }
});

test("codec: corrupt, cut and extended bytes give what v8.deserialize gives", () => {
  const bytesOf = (node) =>
    attempt(() => encoded(build(node))).value ?? v8.serialize([1, { a: "x" }]);
  const edit = fc.record({
    at: fc.nat(),
    how: fc.nat(4),
    byte: fc.oneof(
      fc.nat(255),
      fc.constantFrom(...Buffer.from("_0TFINUZ\"cSoA{$aD^;:'\\\0-\x7f\x80\xff", "latin1")),
    ),
  });
  fc.assert(
    fc.property(
      container,
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      fc.nat(3),
      (node, edits, offset) => {
        let bytes = bytesOf(node);
        for (const { at, how, byte } of edits) {
          const i = at % (bytes.length + 1);
          const [head, tail] = [bytes.subarray(0, i), bytes.subarray(i)];
          if (how === 0) bytes = Buffer.from(head);
          else if (how === 1) bytes = Buffer.concat([head, Buffer.from([byte]), tail]);
          else if (how === 2) bytes = Buffer.concat([head, tail.subarray(1)]);
          else bytes = Buffer.concat([head, Buffer.from([byte]), tail.subarray(1)]);
        }
        assertDecodes(bytes, offset);
      },
    ),
    { seed, numRuns: 8_000 * times },
  );
});

test("codec: every cut of one value and every byte at every position give what v8.deserialize gives", () => {
  const bytes = v8.serialize({
    a: [1, -2.5, "\xe9\u0100"],
    "\u0100": null,
    d: new Date(7),
    e: { t: true },
  });
  for (let end = 0; end <= bytes.length; end++) assertDecodes(bytes.subarray(0, end), end % 2);
  for (let i = 0; i < bytes.length; i++) {
    for (let byte = 0; byte < 256; byte += i < 12 ? 1 : 5) {
      const changed = Buffer.from(bytes);
      changed[i] = byte;
      assertDecodes(changed);
    }
  }
});

test("codec: lengths that lie neither read on nor allocate", () => {
  for (const body of [
    '"\xff\xff\xff\xff\x0f',
    '"\x03ab',
    "c\x04\0\0",
    "c\x03\0\0\0",
    "A\xff\xff\xff\x7f0",
    "A\x02I\x02",
    'o"\x01aI',
    "N\0\0\0",
    "I\xff\xff\xff\xff\xff\xff\x01",
    "I\x80",
    '"\xff\xff\xff\xff\xff\x01',
    "A\0$\0\x01",
    "A\0$\x01\0",
    "o{\x01",
    'o"\x01aI\x02"\x01aI\x04{\x02',
  ]) {
    assertDecodes(Buffer.from(`\xff\x0f${body}`, "latin1"), 2);
  }
  for (const time of [-0, 0.5, 8.64e15, 8.64e15 + 2, -8.65e15, 1e300, NaN, Infinity]) {
    const bytes = v8.serialize({ when: new Date(0) });
    bytes.writeDoubleLE(time, bytes.indexOf("D") + 1);
    assertDecodes(bytes);
  }
  const whole = v8.serialize("abcdef");
  assert.throws(() => decode(whole.subarray(0, 6), 0, 6 + 4));
  assert.throws(() => decode(whole, 0, whole.length - 1));
  assert.equal(decode(Buffer.concat([whole, whole]), 0, 2 * whole.length), "abcdef");
});

test("codec: common values are written and read without node:v8, in any realm", () => {
  const source = `[null, undefined, true, false, 0, -0, 42, -1.5, "", "text", "\\xe9", "\\u0100", "\\ud83d\\ude00", "x".repeat(5000),
    [], {}, [1, 2, 3], [0.5, 1.5], ["a", null, undefined, true], { hello: "world", n: 42, list: [1, 2, 3] }, { a: {}, b: [], c: { d: [{ e: "\\u0100" }] } },
    { when: new Date(1e12) }, Object.freeze({ a: "b" }), [[[["deep"]]]], { "": 1, "2024-01-01": 2, "a b": 3 }, { [Symbol("s")]: 1, b: "c" }]`;
  for (const values of [
    vm.runInThisContext(source),
    vm.runInContext(source, foreign),
    vm.runInNewContext(source),
  ]) {
    for (const value of values) {
      assert.ok(encodesNatively(value), `writes ${JSON.stringify(value)}`);
      assert.ok(assertEncodes(value));
      const bytes = encoded(value);
      assert.equal(bytes.toString("hex"), v8.serialize(value).toString("hex"));
      assert.ok(decodesNatively(bytes, 0, bytes.length), `reads ${JSON.stringify(value)}`);
      assertDecodes(bytes, 3);
    }
  }
});

test("codec: what it cannot be sure of is left to node:v8", () => {
  const leftToV8 = exoticKinds.filter(
    (kind) => !encodesNatively(attempt(() => home.exotic[kind]()).value),
  );
  const own = exoticKinds.filter((kind) => !leftToV8.includes(kind)).sort();
  assert.deepEqual(
    own,
    [
      "arraySetter",
      "date",
      "dateWithProperty",
      "deepProto",
      "derivedArray",
      "filled",
      "frozen",
      "hidden",
      "arrayPrototype",
      "maskedArray",
      "maskedDate",
      "ownToJson",
      "protoKey",
      "symbolKey",
    ].sort(),
  );
  const twice = { a: 1 };
  const loop = {};
  loop.self = loop;
  for (const value of [NaN, [twice, twice], { a: twice, b: { c: twice } }, loop]) {
    assert.ok(!encodesNatively(value));
    assertEncodes(value);
  }
});

test("codec: strings at every alignment and around the lengths where their length grows by a byte", () => {
  const units = ["a", "\xff", "\u0100", "\ud800", "a\u0100", "\u0100a", "\ud83d\ude00"];
  const lengths = [
    0, 1, 2, 7, 8, 12, 13, 23, 24, 25, 31, 32, 33, 63, 64, 65, 126, 127, 128, 129, 8191, 8192,
    16383, 16384, 16385,
  ];
  for (const unit of units) {
    for (const length of lengths) {
      const string = unit.repeat(length).slice(0, length);
      for (const value of [
        string,
        [string],
        ["", string],
        { a: string },
        { ab: string, c: string },
        { [string]: string },
      ]) {
        assertEncodes(value, length % 2);
        assertDecodes(encoded(value), 1);
        assertDecodes(encoded(value), 2);
      }
    }
  }
});

test("codec: numbers around every border", () => {
  for (const power of Array.from({ length: 70 }, (_, i) => 2 ** i)) {
    for (const near of [power - 1, power, power + 1, power - 0.5]) {
      for (const number of [near, -near]) {
        for (const value of [number, [number], { number }]) {
          assertEncodes(value);
          assertDecodes(encoded(value));
        }
      }
    }
  }
});

test("codec: nesting from 0 to 5000 and values of any size", () => {
  for (const depth of [0, 1, 15, 16, 31, 47, 48, 63, 64, 65, 66, 500, 2000, 5000]) {
    for (const [wrap, levelsEach] of [
      [(x) => [x], 1],
      [(x) => ({ x }), 1],
      [(x) => ({ a: [x] }), 2],
    ]) {
      let value = "core";
      for (let i = 0; i < depth; i++) value = wrap(value);
      const bytes = attempt(() => v8.serialize(value));
      const ours = attempt(() => encoded(value));
      if (depth * levelsEach > 1000) {
        assert.equal(ours.error?.code, "ERR_VALUE_TOO_DEEP", `${depth * levelsEach} levels`);
      } else {
        assert.ok(ours.value.equals(bytes.value));
        if (depth <= 500) assertDecodes(bytes.value);
      }
    }
  }
  for (const depth of [60, 63, 64, 65, 1000, 3000, 5000, 7000, 9000, 12_000, 50_000]) {
    const bytes = Buffer.from(
      `\xff\x0f${"A\x01".repeat(depth)}0${"$\0\x01".repeat(depth)}`,
      "latin1",
    );
    const theirs = attempt(() => v8.deserialize(bytes));
    const ours = attempt(() => decode(bytes, 0, bytes.length));
    assert.equal(ours.error?.message, theirs.error?.message, `${depth} levels`);
  }
  for (const size of [1, 20, 46, 47, 48, 49, 50, 100, 1000]) {
    assertEncodes(Array.from({ length: size }, (_, i) => i));
    assertEncodes(Object.fromEntries(Array.from({ length: size }, (_, i) => [`key${i}`, { i }])));
    const list = Array.from({ length: size }, (_, i) => ({ id: i, name: `n${i}` }));
    assertEncodes(list);
    assertDecodes(v8.serialize(list));
    list.push(list[0]);
    assertEncodes(list);
    assertDecodes(v8.serialize(list));
  }
});

test("codec: with the stack nearly used up it gives bytes or v8.serialize's RangeError, and works afterwards", () => {
  const value = { a: [{ b: [{ c: ["x"] }] }] };
  const bytes = v8.serialize(value);
  let refused = 0;
  (function dive() {
    try {
      dive();
    } catch {
      const result = attempt(() => encoded(value));
      if (result.error) refused += result.error instanceof RangeError ? 1 : 1e9;
      else if (!result.value.equals(bytes)) throw new Error("wrong bytes");
    }
  })();
  assert.ok(refused < 1e9);
  assert.ok(encoded(value).equals(bytes));
});

test("codec: getters and proxies run as often as under v8.serialize, once", () => {
  for (const { array, object } of realms) {
    const log = [];
    const get = (label) => ({
      get: () => log.push(label) && label,
      enumerable: true,
      configurable: true,
    });
    const values = [
      Object.defineProperty(object(), "a", get("own")),
      { before: "x", nested: Object.defineProperty(object(), "a", get("nested")), after: () => {} },
      [1, Object.defineProperty(array(), 0, get("element"))],
      Object.defineProperty(["a", "b", "c"], 1, get("middle")),
      { list: [Object.defineProperty(object(), "a", get("last")), NaN] },
      Object.defineProperty(object(), Symbol.toStringTag, get("tag")),
      Object.assign(Object.create(Object.defineProperty({}, "constructor", get("constructor"))), {
        a: 1,
      }),
    ];
    for (const value of values) {
      attempt(() => v8.serialize(value));
      const expected = log.splice(0);
      attempt(() => encoded(value));
      assert.deepEqual(log.splice(0), expected);
    }
    const traps = new Proxy(
      {},
      {
        get:
          (_, trap) =>
          (target, ...rest) =>
            log.push(trap) && Reflect[trap](target, ...rest),
      },
    );
    for (const value of [
      new Proxy(object(), traps),
      [new Proxy(array(), traps)],
      Object.assign(Object.create(new Proxy({}, traps)), { a: 1 }),
    ]) {
      log.length = 0;
      attempt(() => v8.serialize(value));
      const expected = log.splice(0);
      attempt(() => encoded(value));
      assert.deepEqual(log.splice(0), expected);
    }
  }
});

test("codec: a getter that encodes into the same writer does not disturb the outer value", () => {
  const value = {
    a: "before",
    get b() {
      out.reset();
      encode({ inner: "x".repeat(100_000) }, out);
      return "got";
    },
  };
  out.reset();
  out.u32(7);
  const bytes = encode(value, out);
  assert.equal(out.bytes.readUInt32LE(0), 7);
  assert.equal(out.length, 4 + bytes);
  assert.deepEqual(decode(out.bytes, 4, out.length), { a: "before", b: "got" });
});

test("codec: decoded buffers never share memory with the bytes", () => {
  for (const value of [
    new Uint8Array([1, 2, 3]),
    Buffer.from("abc"),
    new ArrayBuffer(4),
    { a: new Float64Array([1]) },
    new DataView(new ArrayBuffer(2)),
  ]) {
    const bytes = new Uint8Array(v8.serialize(value));
    const result = decode(bytes, 0, bytes.length);
    const part = result.a ?? result;
    assert.notEqual(part.buffer ?? part, bytes.buffer);
    bytes.fill(0);
    assertSame(result, v8.deserialize(v8.serialize(value)));
  }
});

test("codec: a polluted Object.prototype changes nothing", () => {
  const bytes = v8.serialize({ polluted: 1, quiet: 2 });
  const seen = [];
  Object.defineProperty(Object.prototype, "polluted", {
    set: (x) => seen.push(x),
    get: () => seen.push("get"),
    enumerable: true,
    configurable: true,
  });
  Object.defineProperty(Object.prototype, "quiet", {
    value: 0,
    writable: false,
    configurable: true,
  });
  try {
    assertSame(decode(bytes, 0, bytes.length), v8.deserialize(bytes));
    assert.ok(encoded({ a: 1 }).equals(v8.serialize({ a: 1 })));
  } finally {
    delete Object.prototype.polluted;
    delete Object.prototype.quiet;
  }
  assert.deepEqual(seen, []);
});

test("codec: loaded in a sandbox of its own, values still come back in the realm of node:v8", () => {
  const context = vm.createContext({});
  const modules = new Map();
  const load = (file) => {
    if (modules.has(file)) return modules.get(file).exports;
    const module = { exports: {} };
    modules.set(file, module);
    const wrapper = vm.runInContext(
      `(function (exports, require, module) {${readFileSync(file, "utf8")}\n})`,
      context,
    );
    wrapper(
      module.exports,
      (id) => (id.startsWith(".") ? load(createRequire(file).resolve(id)) : require(id)),
      module,
    );
    return module.exports;
  };
  const sandboxed = load(`${dist}/codec/index.js`);
  const value = { a: [1, { b: "c" }] };
  const bytes = v8.serialize(value);
  assert.ok(!sandboxed.decodesNatively(bytes, 0, bytes.length));
  assertSame(sandboxed.decode(bytes, 0, bytes.length), value);
  assert.ok(sandboxed.encodesNatively(value));
  const writer = new sandboxed.ByteWriter();
  assert.equal(sandboxed.encode(value, writer), bytes.length);
  assert.ok(bytes.equals(writer.bytes.subarray(0, writer.length)));
});

test("codec: the writer frames, grows, keeps what was written, and gives memory back", () => {
  const writer = new ByteWriter();
  const initial = writer.bytes.length;
  assert.equal(initial, 64 * 1024);
  writer.u32(0);
  const texts = [
    "",
    "key",
    "\xe9",
    "\u0100\u{1f600}",
    "a\ud800b",
    "\udc00",
    "x".repeat(31),
    "x".repeat(33),
    `${"x".repeat(40)}\xe9`,
    "\ud83d".repeat(50),
  ];
  let expected = "";
  for (const text of texts) {
    assert.equal(writer.writeUtf8(text), Buffer.byteLength(text));
    expected += Buffer.from(text).toString("hex");
  }
  writer.patchU32(0, 0xfedcba98);
  assert.equal(writer.bytes.readUInt32LE(0), 0xfedcba98);
  assert.equal(writer.bytes.toString("hex", 4, writer.length), expected);
  const written = Buffer.from(writer.bytes.subarray(0, writer.length));
  writer.writeBytes(new Uint8Array(3 * 1024 * 1024));
  assert.ok(writer.bytes.subarray(0, written.length).equals(written));
  assert.ok(writer.bytes.length > 3 * 1024 * 1024);
  writer.length = written.length;
  writer.trim();
  assert.equal(writer.bytes.length, initial);
  assert.ok(writer.bytes.subarray(0, written.length).equals(written));
  writer.reset();
  assert.equal(encode("x".repeat(200_000), writer), v8.serialize("x".repeat(200_000)).length);
});
