// Module programs whose results must not depend on how the modules are linked. `worker` names their files; each shows
// itself by `log(...)`, by `attempt(f)`, which logs what `f` returns or throws and where, and by its exports.

const wasm = { base64: "AGFzbQEAAAABBQFgAAF/AwIBAAcKAQZhbnN3ZXIAAAoGAQQAQSoL" };

export const programs = {
  "default and named exports": {
    "main.mjs": `
      import fallback, { a, b as c, default as again } from "./a.mjs";
      import * as all from "./a.mjs";
      log(fallback, a, c, again, all, Object.keys(all));
      export { a as "a name", c as default };
      export const { x, y: [z, ...rest], ...others } = { x: 1, y: [2, 3, 4], q: 5 };
      export let unset;
      export var late = 1, later;
      export class Class {}
      export async function* generate() {}`,
    "a.mjs": `const b = 2; export const a = 1; export { b }; export default { b };`,
  },
  "names of default exports": {
    "main.mjs": `
      import f1 from "./1.mjs"; import f2 from "./2.mjs"; import f3 from "./3.mjs"; import f4 from "./4.mjs";
      import f5 from "./5.mjs"; import f6 from "./6.mjs"; import f7 from "./7.mjs"; import f8 from "./8.mjs";
      import f9 from "./9.mjs"; import f10 from "./10.mjs";
      for (const f of [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10]) log(f.name, typeof f);
      log(f1(), f2().next().value, new f3().a, f6.own, f10);`,
    "1.mjs": "export default function () { return 1 }",
    "2.mjs": "export default function * /* ( */ ( ) { yield 2 }",
    "3.mjs": "export default class { a = 3 }",
    "4.mjs": "export default () => 4",
    "5.mjs": "export default (function () {})\n;",
    "6.mjs": "export default class { static own = this.name };",
    "7.mjs": "export\ndefault\nasync function\n() {}",
    "8.mjs": "export default/* async */async()=>8 // end",
    "9.mjs": "export default function named() {}",
    "10.mjs": "export default class Named { static name = 'mine' }",
  },
  "live bindings": {
    "main.mjs": `
      import { count, add, reset, swap, counts } from "./count.mjs";
      import * as all from "./count.mjs";
      log(count, all.count); add(); log(count, all.count); reset(); log(count); swap(); log(count, counts);
      attempt(() => { count = 5 }); attempt(() => { count++ });
      export { count };`,
    "count.mjs": `
      export let count = 0, counts = [];
      export function add() { count++; counts.push(count) }
      export const reset = () => { [count] = [100] };
      export function swap() { for (count of [7, 8]) counts.push(count); ({ count } = { count: count * 2 }) }`,
  },
  "assignment to constant imports": {
    "main.mjs": `
      import { a } from "./a.mjs"; import * as all from "./a.mjs";
      attempt(() => { a = 2 }); attempt(() => { all = 2 }); attempt(() => [a] = [3]); log(a);`,
    "a.mjs": "export const a = 1",
  },
  "a cycle: functions before, variables in their dead zone": {
    "main.mjs": `import { b } from "./b.mjs"; log("main", b()); export default 1`,
    "b.mjs": `
      import value, { c, K, late, hoisted as h } from "./c.mjs"; import * as all from "./c.mjs";
      export function b() { return [c(), K.x, value, late, all.late].join() }
      export const own = "own"; log("b", b());`,
    "c.mjs": `
      import { b, own } from "./b.mjs"; import * as all from "./b.mjs";
      log(typeof b); attempt(() => Object.keys(all)); log(Reflect.ownKeys(all));
      attempt(() => own); attempt(() => all.own); attempt(() => b()); attempt(() => typeof own);
      attempt(() => K);
      attempt(() => { own = 1 });
      export function c() { return "c" }
      export class K { static x = 3 }
      export default "default"; export var late = "late"; export { c as hoisted };`,
  },
  "a cycle through the dependencies of a dependency": {
    "main.mjs": `import "./a.mjs"; log("main")`,
    "a.mjs": `import { b } from "./b.mjs"; import { d, early } from "./d.mjs";
      export function a() { return [typeof d, d(), [early].length].join() } log("a", a());`,
    "b.mjs": `import { a } from "./a.mjs"; export const b = 1; log("b"); attempt(() => a());`,
    "d.mjs": `import { e, value } from "./e.mjs"; export function d() { return e() } export const early = () => value; log("d")`,
    "e.mjs": `export function e() { return "e" } export const value = "value"; log("e")`,
  },
  "a module that imports itself": {
    "main.mjs": `import "./self.mjs"`,
    "self.mjs": `
      import * as self from "./self.mjs"; import { f as g, v as w } from "./self.mjs";
      log(g(), Reflect.ownKeys(self)); attempt(() => w); attempt(() => self.v);
      export const v = 1; export function f() { return "f" } log(w, self.v, self.f === f);
      export { self as me }; log(self.me.me === self)`,
  },
  "the file of the main script is another instance": {
    "main.mjs": `import "./other.mjs"; log("main"); export const mine = 1;`,
    "other.mjs": `import { mine } from "./main.mjs"; log("other"); attempt(() => mine)`,
  },
  "order of evaluation": {
    "main.mjs": `log("main 1"); import "./b.mjs"; export * from "./c.mjs"; import "./a.mjs"; export {} from "./d.mjs"; log("main 2")`,
    "a.mjs": `import "./d.mjs"; log("a")`,
    "b.mjs": `import "./c.mjs"; import "./e.mjs"; log("b")`,
    "c.mjs": `log("c")`,
    "d.mjs": `log("d")`,
    "e.mjs": `import "./a.mjs"; log("e")`,
  },
  "this, import.meta, arguments, strictness": {
    "main.mjs": `
      log(this, Object.getPrototypeOf(import.meta), Object.keys(import . meta), typeof arguments);
      import.meta.own = 1; log(import.meta.own, import/* a */.meta === import.meta);
      attempt(() => { undeclared = 1 }); attempt(() => { Object.freeze([]).push(1) });
      attempt(() => (function () { return [this, arguments.length] })(1, 2));
      attempt(() => (() => typeof arguments)());
      attempt(() => new (class { a = typeof import.meta; static { log(this.name) } })().a);
      import { meta } from "./a.mjs"; log(meta === import.meta)`,
    "a.mjs": "export const { meta } = { meta: import.meta }",
  },
  "this, import.meta of two modules": {
    "main.mjs": `import { meta, self, call } from "./a.mjs"; log(meta === import.meta, self); log(call()); (0, call)(); log((call)\`x\`)`,
    "a.mjs":
      "export const meta = import.meta; export const self = this; export let call = function () { return this }; call = call;",
  },
  "calls of live imports have no this": {
    "main.mjs": `import { f } from "./a.mjs"; log(f(1), f\`t\`, f?.(), (f)(), [f(f())], new f().own); const o = { f }; log(o.f() === o)
f()
f()
var x = 1
f(); if (x) f(); else f()
log(x)`,
    "a.mjs": `export let f = function (...given) { this && (this.own = 1); return this === undefined ? "none " + given.length : this }; f = f`,
  },
  "shadowed imports": {
    "main.mjs": `
      import { a, b } from "./a.mjs";
      function one(a) { return a } const two = ({ b }) => b; { let a = "inner"; log(a) }
      log(one("parameter"), two({ b: "pattern" }), a, b, { a, b }, ((b) => { b = 3; return b })(1));
      for (const a of ["loop"]) log(a); try { throw "caught" } catch (b) { log(b) } class C { a = a; static b() { return b } }
      log(new C().a, C.b(), \`\${a}\${b}\`);`,
    "a.mjs": "export const a = 'a'; export let b = 'b'; b += '!'",
  },
  "names that the linker might use": {
    "main.mjs": `
      import { $live, $export, $ } from "./a.mjs"; const $imprt = 1, $importMeta = 2, $v = 3, _ = 4, $argument = 5;
      log($live, $export, $, $imprt, $importMeta, $v, _, $argument, typeof import.meta, await import("./a.mjs"));
      export default class { static x = $ }`,
    "a.mjs": "export let $live = 1, $export = 2, $ = 3; $live++; export default () => $",
  },
  "export * : shadowing, conflicts, cycles, no default": {
    "main.mjs": `
      import * as all from "./star.mjs"; log(all, "conflict" in all, "default" in all, all.same());
      export * from "./star.mjs"; export const own = "main";`,
    "star.mjs": `export * from "./a.mjs"; export * from "./b.mjs"; export * from "./star.mjs"; export const own = "star"; export * as nested from "./a.mjs"`,
    "a.mjs": `export * from "./star.mjs"; export const a = 1, conflict = "a", own = "a"; export default "a"; export { same } from "./same.mjs"`,
    "b.mjs": `export const b = 2, conflict = "b"; export * from "./same.mjs"`,
    "same.mjs": `export function same() { return "same" }`,
  },
  "re-exports": {
    "main.mjs": `
      export { default } from "./a.mjs"; export { default as a, x as "x y" } from "./a.mjs"; export * as ns from "./a.mjs";
      import { "x y" as z } from "./b.mjs"; import t, { n } from "./b.mjs"; export { z, t as t2, n }; log(z, t, n)`,
    "a.mjs": "export default 'default'; export let x = 1; x++",
    "b.mjs": `import * as n from "./a.mjs"; import { x } from "./a.mjs"; import t from "./t.txt"; export { n, x as "x y", t as default }`,
    "t.txt": "text",
  },
  "an import that is missing": {
    "main.mjs": `log("never"); import { nope } from "./a.mjs"`,
    "a.mjs": `log("never"); export const a = 1`,
  },
  "a default that is missing": {
    "main.mjs": `import x from "./a.mjs"`,
    "a.mjs": `export * from "./b.mjs"`,
    "b.mjs": "export default 1",
  },
  "a re-export that is missing": {
    "main.mjs": `import { x } from "./a.mjs"`,
    "a.mjs": `export { x } from "./b.mjs"`,
    "b.mjs": "",
  },
  "an export of a text that is missing": { "main.mjs": `import { x } from "./a.txt"`, "a.txt": "" },
  "an import that is ambiguous": {
    "main.mjs": `import { x } from "./star.mjs"`,
    "star.mjs": `export * from "./a.mjs"; export * from "./b.mjs"`,
    "a.mjs": "export const x = 1",
    "b.mjs": "export const x = 1",
  },
  "a circular re-export": {
    "main.mjs": `import { x } from "./a.mjs"`,
    "a.mjs": `export { x } from "./b.mjs"`,
    "b.mjs": `export { x } from "./a.mjs"`,
  },
  "a file that is missing": { "main.mjs": `import "./nope.mjs"` },
  "a package": { "main.mjs": `import { thing } from "some-package"` },
  "a built-in module": { "main.mjs": `import fs from "fs"` },
  "a rule of an unknown type": { "main.mjs": `import "./x.other"`, "x.other": "" },
  "syntax errors": {
    "main.mjs": `
      const tryImport = (name) => import(name).then(log, (error) => log(error, error.constructor === SyntaxError));
      for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) await tryImport("./" + n + ".mjs"); await tryImport("./1.mjs");`,
    "1.mjs": "log(1);\nlet 1",
    "2.mjs": "let a = 1; let a = 2",
    "3.mjs": "export { nope }",
    "4.mjs": "export const a = 1; export { a }",
    "5.mjs": "with (a) {}",
    "6.mjs": "return 1",
    "7.mjs": "yield 1",
    "8.mjs": "class A { constructor() { this.#b } }",
    "9.mjs": "var f = 1; function f() {}",
    "10.mjs": "const r = /(/",
  },
  "a syntax error in the main script": { "main.mjs": "log(1);\n  const = 1;" },
  "a syntax error in an import": {
    "main.mjs": `log(1); import "./a.mjs"`,
    "a.mjs": "\n\nfunction (",
  },
  "top-level await": {
    "main.mjs": `
      import { a } from "./a.mjs"; log("main", a); export const b = await Promise.resolve(2);
      for await (const x of [Promise.resolve(1), 2]) log(x);
      export default await (async () => "done")();`,
    "a.mjs": `log("a 1"); export const a = await Promise.resolve("a"); log("a 2");`,
  },
  "top-level await in branches beside one another": {
    "main.mjs": `import "./a.mjs"; import "./b.mjs"; import "./c.mjs"; log("main")`,
    "a.mjs": `import "./slow.mjs"; log("a 1"); await null; log("a 2")`,
    "b.mjs": `import "./d.mjs"; log("b")`,
    "c.mjs": `log("c 1"); await null; log("c 2"); await null; log("c 3")`,
    "d.mjs": `log("d 1"); await null; log("d 2")`,
    "slow.mjs": `log("slow 1"); for (let n = 0; n < 5; n++) await null; log("slow 2")`,
  },
  "top-level await in a cycle": {
    "main.mjs": `import { a } from "./a.mjs"; log("main", a)`,
    "a.mjs": `import { b, f } from "./b.mjs"; log("a 1"); export const a = await f(); log("a 2", b)`,
    "b.mjs": `import { a } from "./a.mjs"; export const b = "b"; export const f = async () => "f"; log("b 1"); await null; log("b 2"); attempt(() => a)`,
  },
  "top-level await that rejects": {
    "main.mjs": `import "./a.mjs"; import "./b.mjs"; log("never")`,
    "a.mjs": `log("a"); await null;\n throw new Error("from a")`,
    "b.mjs": `log("b 1"); await null; await null; log("b 2")`,
  },
  "top-level await that never ends": {
    "main.mjs": `log("begins"); await new Promise(() => {}); log("never")`,
  },
  "an error while evaluating": {
    "main.mjs": `import { f } from "./a.mjs"; log("never")`,
    "a.mjs": `function inner() {\n  throw new TypeError("broken");\n}\nexport function f() {\n  inner();\n}\n  f();`,
  },
  "a thrown value that is no error": {
    "main.mjs": `import "./a.mjs"`,
    "a.mjs": `throw { thrown: true }`,
  },
  "an errored module stays errored": {
    "main.mjs": `
      for (const name of ["./a.mjs", "./a.mjs", "./uses.mjs", "./uses.mjs", "./later.mjs", "./later.mjs"]) {
        await import(name).then(log, (error) => { log(error); globalThis.first ??= error; log(error === first) });
      }`,
    "a.mjs": `log("a"); throw new Error("once")`,
    "uses.mjs": `import "./b.mjs"; import "./c.mjs"; log("never")`,
    "b.mjs": `log("b")`,
    "c.mjs": `log("c"); throw first`,
    "later.mjs": `log("later"); await null; throw first`,
  },
  "dynamic imports": {
    "main.mjs": `
      const name = "b"; const b = await import("./" + name + ".mjs"); log(b, b === (await import("./b.mjs")));
      log((await import("./t.txt")).default, (await import("ADDED")).named);
      log(await import({ toString: () => "./b.mjs" }) === b);
      const [x, y] = await Promise.all([import("./c.mjs"), import("./c.mjs")]); log(x === y);
      for (const bad of ["./nope.mjs", "nope", Symbol("s"), { toString() { throw new RangeError("no string") } }, "./missing.mjs"]) {
        await import(bad).catch((error) => log(error, error.code, error.constructor === Error, error instanceof Error));
      }
      export const load = () => import("./b.mjs"); log(await load() === b)`,
    "b.mjs": `export let value = 1; export default import.meta; setImmediate(() => value++); log("b")`,
    "c.mjs": `log("c 1"); await null; log("c 2"); export {}`,
    "missing.mjs": `import { q } from "./b.mjs"`,
    "t.txt": "text",
  },
  "dynamic import of what is being evaluated": {
    "main.mjs": `import "./a.mjs"; log("main")`,
    "a.mjs": `
      export let x = 1; import("./a.mjs").then((self) => { log(self.x); attempt(() => self.y) });
      x = 2; for (let n = 0; n < 30; n++) await null; export let y = 1; log("end")`,
  },
  "dynamic import of itself, awaited": {
    "main.mjs": `log("main 1"); const { x } = await import("./a.mjs"); log(x)`,
    "a.mjs": `import { b } from "./b.mjs"; export const x = 1; const self = await import("./a.mjs"); log(self.x)`,
    "b.mjs": "export const b = 1",
  },
  "dynamic import from a folder": {
    "main.mjs": `log((await import("./folder/a.mjs")).default)`,
    "folder/a.mjs": `import up from "../up.mjs"; const { default: side } = await import("./side.mjs"); export default [up, side]`,
    "folder/side.mjs": "export default 'side'",
    "up.mjs": "export default 'up'",
  },
  "a namespace with a then": {
    "main.mjs": `log(await import("./a.mjs"))`,
    "a.mjs": "export function then(resolve) { resolve('thenable') }",
  },
  "namespace objects": {
    "main.mjs": `
      import * as ns from "./a.mjs";
      log(Object.getPrototypeOf(ns), Object.prototype.toString.call(ns), Reflect.ownKeys(ns), Object.isFrozen(ns), Object.isSealed(ns), Object.isExtensible(ns));
      log(Object.getOwnPropertyDescriptor(ns, "b"), Object.getOwnPropertyDescriptor(ns, Symbol.toStringTag), Object.getOwnPropertyDescriptor(ns, "nope"));
      log("a" in ns, "nope" in ns, ns.nope, ns[Symbol.iterator], ns[Symbol.toStringTag]);
      log(Reflect.set(ns, "a", 2), Reflect.set(ns, "nope", 2), Reflect.deleteProperty(ns, "a"), Reflect.deleteProperty(ns, "nope"), Reflect.deleteProperty(ns, Symbol.toStringTag));
      log(Reflect.defineProperty(ns, "a", { value: 1 }), Reflect.defineProperty(ns, "a", { value: 2 }), Reflect.defineProperty(ns, "a", { enumerable: false }), Reflect.defineProperty(ns, "nope", { value: 1 }), Reflect.defineProperty(ns, "a", { get() {} }), Reflect.defineProperty(ns, "a", { writable: true, enumerable: true, configurable: false }));
      log(Reflect.setPrototypeOf(ns, null), Reflect.setPrototypeOf(ns, {}), Reflect.preventExtensions(ns));
      log({ ...ns }, JSON.stringify(ns), Object.entries(ns)); const keys = []; for (const key in ns) keys.push(key); log(keys);
      attempt(() => { delete ns.nope; return "deleted" });`,
    "a.mjs":
      "export const b = 2, a = 1; export { a as '10', b as '9', a as 'ä', b as Z, a as default }",
  },
  "rules: text, data, wasm, added modules": {
    "main.mjs": `
      import text from "./t.txt"; import data from "./d.bin"; import wasm from "./w.wasm"; import added, { named } from "ADDED";
      log(text, data.byteLength, new Uint8Array(data)[1], added, named, Object.prototype.toString.call(wasm));
      log(Object.keys(await import("./w.wasm")), text instanceof String, data instanceof Object);`,
    "t.txt": "Grüße\n",
    "d.bin": { base64: "AQID" },
    "w.wasm": wasm,
  },
  CommonJS: {
    "main.mjs": `
      import c, { default as d } from "./c.cjs"; import * as all from "./c.cjs"; import a from "./a.cjs"; import other from "./other.cjs";
      log(c, c === d, Object.keys(all), a, c.a === a, other, c instanceof Object);`,
    "c.cjs": `const t = require("./t.txt"); exports.a = require("./a.cjs"); exports.t = t; exports.d = require("./d.bin").byteLength; exports.again = require("./c.cjs") === module.exports; log(typeof __filename, typeof require, this === undefined)`,
    "a.cjs": `exports.before = 1; const c = require("./c.cjs"); exports.cycle = Object.keys(c); exports.added = typeof require("ADDED")`,
    "other.cjs": `module.exports = class Other {}`,
    "t.txt": "text",
    "d.bin": "abc",
  },
  "CommonJS that requires an ES module": {
    "main.mjs": `import c from "./c.cjs"`,
    "c.cjs": `\nrequire("./e.mjs")`,
    "e.mjs": "",
  },
  "CommonJS that requires what no rule allows": {
    "main.mjs": `import c from "./c.cjs"`,
    "c.cjs": `require("zlib")`,
  },
  "CommonJS that throws": {
    "main.mjs": `import c from "./c.cjs"`,
    "c.cjs": `function f() {\n  throw new Error("from c");\n}\n  f()`,
  },
  "CommonJS that is broken": { "main.mjs": `import c from "./c.cjs"`, "c.cjs": `\nlet 1` },
  "stack traces": {
    "main.mjs": `import { thrower } from "./a.mjs"; import { live } from "./live.mjs"; export default function main() { thrower() }
    try { main() } catch (error) { places(error) }
export const arrow = () => { throw new Error("arrow") }; export class K { m() { throw new Error("method") } }
  try { arrow() } catch (error) { places(error) } try { new K().m() } catch (error) { places(error) }
  import { x } from "./a.mjs"; try { x.y.z() } catch (error) { places(error) }
/* a
   comment */ try { null.x } catch (error) { places(error) }
const meta = import.meta; try { import.meta.x.y } catch (error) { places(error) }
await import("./a.mjs"); try { null.x } catch (error) { places(error) }
try { live.x() } catch (error) { places(error) }
const later = async () => { await null; throw new Error("later") }; try { await later() } catch (error) { places(error) }`,
    "a.mjs": `\n\n   export function thrower() { throw new Error("thrown") } export const x = {}`,
    "live.mjs": `export let live = () => { throw new Error("live") }; live = live`,
  },
  "what looks like a comment of old": {
    "main.mjs": `let a = 1, b = 2; log(a< !--b, b); log(b --> a, "<!--", \`-->\`, /<!--/); /* x */ let c = 3; while (c --> 1) log(c)
/*
*/ log(c) // <!-- -->`,
  },
  "a comment of old": {
    "main.mjs": `await import("./a.mjs").catch(log)`,
    "a.mjs": "<!-- comment\nlog(1)",
  },
  "a hashbang": { "main.mjs": `#!/usr/bin/env node\nlog("after"); attempt(() => null.x)` },
  "line ends and no semicolons": {
    "main.mjs": `import a from "./a.mjs"\r\nconst f = (x) => x\r\nexport { f }\r\n(0, log)(a)\nlet g = f\nimport * as ns from "./a.mjs"\n;[1].forEach((x) => log(x))\nexport const h = g\nexport default h\nlog(/x/.test("x"))`,
    "a.mjs": "export default 'a'\nlog('next')",
  },
  "declarations that look alike": {
    "main.mjs": `
      export let async = 1, of = 2, get = 3, from = 4, as = 5; import { default as as2 } from "./a.mjs";
      export default /* export default */ async; export { async as let, of as await, get as yield, from as if };
      log(as2, typeof f); export async function f() {} label: for (;;) { break label }`,
    "a.mjs": "export default [function () {}].length",
  },
  "globals and instanceof": {
    "main.mjs": `
      import { make } from "./a.mjs"; import data from "./d.bin"; const made = make();
      log(made.list instanceof Array, made.list.constructor === Array, made.error.constructor === Error, made.fn instanceof Function, made.promise.constructor === Promise);
      globalThis.shared = 1; log(typeof process, typeof require, typeof module, typeof globalThis.log, (await import("./b.mjs")).shared);
      attempt(() => eval("1")); attempt(() => new Function("return 1")());`,
    "a.mjs":
      "export const make = () => ({ list: [], error: new Error(), fn() {}, promise: (async () => {})() })",
    "b.mjs": "const value = shared; export { value as shared }",
    "d.bin": "abc",
  },
  "import attributes": {
    "main.mjs": `import t from "./t.txt" with { type: "text" }; import u from "./t.txt"; log(t, u, (await import("./t.txt", { with: { type: "text" } })).default)`,
    "t.txt": "text",
  },
};

/** Programs that need something else than files. */
export const others = [
  {
    name: "a script without a file",
    files: {},
    code: "log(1); export default { a: 1 }; export class K {}",
  },
  {
    name: "a script without a file that imports",
    files: {},
    code: 'log("never"); import "./a.mjs"',
  },
  {
    name: "a script without a file that imports dynamically",
    files: {},
    code: 'await import("./a.mjs").catch(log)',
  },
  { name: "a script without a file that is broken", files: {}, code: "export default {" },
  {
    name: "CommonJS before export_commonjs_default",
    compat: false,
    files: {
      "main.mjs": `import c from "./c.cjs"; log(c)`,
      "c.cjs": `exports.x = require("./d.cjs"); exports.same = require("./d.cjs") === exports.x`,
      "d.cjs": "module.exports = 5",
    },
  },
];

/** Programs that show something else when Node.js links the modules, and what they show here. */
export const differences = [
  {
    name: "assignment to a namespace",
    files: {
      "main.mjs": `import * as ns from "./a.mjs"; attempt(() => { ns.a = 2 }); attempt(() => { ns.b = 2 }); log(ns.a)`,
      "a.mjs": "export const a = 1",
    },
    lines: [
      "TypeError: 'set' on proxy: trap returned falsish for property 'a' | string at worker/main.mjs:1:53 | string at worker/main.mjs:1:32",
      "TypeError: 'set' on proxy: trap returned falsish for property 'b' | string at worker/main.mjs:1:82 | string at worker/main.mjs:1:61",
      "number 1",
    ],
  },
  {
    name: "columns after the call of an import that changes",
    files: {
      "main.mjs": `import { f } from "./a.mjs";\n  f(0); f(1); null.x;\n`,
      "a.mjs": "export let f = (n) => { if (n) log(n) }; f = f",
    },
    lines: ["number 1"],
    // Ten characters further to the right: each call has four more.
    failed: ["at worker/main.mjs:2:28"],
  },
  {
    name: "an import of a module that has failed before",
    files: {
      "main.mjs": `await import("./a.mjs").catch(log); await import("./b.mjs").catch(log)`,
      "a.mjs": `throw new Error("once")`,
      "b.mjs": `import "./c.mjs"; import "./a.mjs"`,
      "c.mjs": `log("c")`,
    },
    lines: ["Error: once", "string c", "Error: once"],
  },
  {
    name: "syntax that acorn does not know",
    files: {
      "main.mjs": `await import("./a.mjs").catch(log)`,
      "a.mjs": `import t from "./t.txt" assert { type: "text" }; log(t)`,
      "t.txt": "text",
    },
    lines: [
      "SyntaxError: ROOT/worker/a.mjs:1:25: Unexpected token. Node.js itself may read this: start it with --experimental-vm-modules to have it link the modules.",
    ],
    // Node.js does not know it any more.
    fixedInNode: 22,
  },
  {
    name: "nesting that is too deep for acorn",
    files: {
      "main.mjs": `await import("./a.mjs").catch((error) => log(error.message.replace(/\\d+:\\d+/, "L:C")))`,
      "a.mjs": `export default ${"[".repeat(1500)}${"]".repeat(1500)}`,
    },
    lines: [
      "string ROOT/worker/a.mjs:L:C: Not enough stack space to parse input. Node.js itself may read this: start it with --experimental-vm-modules to have it link the modules.",
    ],
  },
  {
    name: "several imports that are awaited together",
    files: {
      "main.mjs": `
        const imports = [import("./b.mjs").then(() => log("b")), import("./a.mjs").then(() => log("a"))];
        await Promise.all(imports);`,
      "a.mjs": "export const a = 1",
      "b.mjs": `import "./a.mjs"; export const b = 1`,
    },
    lines: ["string b", "string a"],
  },
  {
    name: "a name that nested stars make ambiguous",
    files: {
      "main.mjs": `import * as all from "./all.mjs"; log(Object.keys(all).join())`,
      "all.mjs": `export * from "./both.mjs"; export * from "./again.mjs"`,
      "both.mjs": `export * from "./x.mjs"; export * from "./y.mjs"`,
      "again.mjs": `export * from "./x.mjs"`,
      "x.mjs": "export const a = 1, x = 1",
      "y.mjs": "export const a = 2, y = 1",
    },
    lines: ["string x,y"],
  },
  {
    name: "wasm that is broken",
    files: { "main.mjs": `import w from "./w.wasm"; log("never")`, "w.wasm": "no wasm" },
    lines: [],
    failed: [],
    // Beside the error, Node.js reported an unhandled rejection.
    fixedInNode: 22,
  },
];

export function allPrograms() {
  return [...Object.entries(programs).map(([name, files]) => ({ name, files })), ...others];
}
