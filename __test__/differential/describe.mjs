/**
 * Writes any JavaScript value as canonical text: type, prototype, realm, order of properties and entries, identity of
 * repeated references, bytes of views. Two values with the same text are the same to a program that reads them.
 * What two runs cannot share (the stack of a caught error, unique ids) is left out or reduced to its pattern.
 *
 * Runs in Node and inside workers: imports nothing.
 */

const LONG = 200;

function hash(text) {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  }
  return (state >>> 0).toString(16);
}

export function quote(text) {
  if (text.length <= LONG) return JSON.stringify(text);
  return `string(${text.length}, ${hash(text)}, ${JSON.stringify(text.slice(0, 16))})`;
}

/** `Name@own` when the prototype is this realm's own of that name, `Name@foreign` otherwise. */
function prototypeOf(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null) return "null";
  const name = prototype.constructor?.name ?? "?";
  return `${name}@${globalThis[name]?.prototype === prototype ? "own" : "foreign"}`;
}

function primitive(value) {
  if (typeof value === "string") return quote(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "symbol") return `Symbol(${value.description})`;
  return String(value);
}

const internals = [
  [Date.prototype.getTime, (_value, time) => String(time)],
  [
    Map.prototype.entries,
    (_value, entries, inner) => list(entries, ([k, v]) => `${inner(k)} => ${inner(v)}`),
  ],
  [Set.prototype.values, (_value, entries, inner) => list(entries, inner)],
  [
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "length").get,
    (value, length) => `${length}: ${[...value].map(primitive).join(" ")}`,
  ],
  [
    Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get,
    (value) => `bytes ${[...new Uint8Array(value)].join(" ")}`,
  ],
  [
    Object.getOwnPropertyDescriptor(DataView.prototype, "byteLength").get,
    (value, length) =>
      `view ${[...new Uint8Array(value.buffer, value.byteOffset, length)].join(" ")}`,
  ],
  [
    Object.getOwnPropertyDescriptor(RegExp.prototype, "source").get,
    (value, source) => (isRegExp(value) ? `${quote(source)} ${value.flags}` : undefined),
  ],
  [Number.prototype.valueOf, (_value, number) => primitive(number)],
  [String.prototype.valueOf, (_value, text) => quote(text)],
  [Boolean.prototype.valueOf, (_value, flag) => String(flag)],
  [BigInt.prototype.valueOf, (_value, number) => primitive(number)],
];

const isRegExp = (value) => Object.prototype.toString.call(value) === "[object RegExp]";
const list = (entries, each) => `{${[...entries].map(each).join(", ")}}`;

/** The content that no property shows (a date's time, a map's entries), found by asking each internal slot. */
function internalOf(value, inner) {
  for (const [read, show] of internals) {
    let content;
    try {
      content = read.call(value);
    } catch {
      continue;
    }
    const text = show(value, content, inner);
    if (text !== undefined) return ` ${text.length > 50 * LONG ? quote(text) : text}`;
  }
  return "";
}

function flagsOf({ writable, enumerable, configurable }) {
  return `${writable ? "" : "!w"}${enumerable ? "" : "!e"}${configurable ? "" : "!c"}`;
}

/** Indexes of views and boxed strings and the length of arrays are already part of the text. */
function isImplied(value, key) {
  if (key === "length") return Array.isArray(value);
  const indexed =
    ArrayBuffer.isView(value) || Object.prototype.toString.call(value) === "[object String]";
  return indexed && typeof key === "string" && /^\d+$/.test(key);
}

function propertiesOf(value, inner) {
  const parts = [];
  for (const key of Reflect.ownKeys(value)) {
    if (isImplied(value, key)) continue;
    const property = Object.getOwnPropertyDescriptor(value, key);
    const shown = "value" in property ? inner(property.value) : "accessor";
    const name = typeof key === "symbol" ? `[${primitive(key)}]` : quote(key);
    parts.push(`${name}${flagsOf({ writable: true, ...property })}: ${shown}`);
  }
  return parts.length > 0 ? ` {${parts.join(", ")}}` : "";
}

function isId(value) {
  return Object.getPrototypeOf(value)?.constructor?.name === "DurableObjectId";
}

/** A unique id is reduced to its pattern: zero byte, a time within a day of now, the object's own tail. */
function idText(hex) {
  const unique = /^00([0-9a-f]{16})[0-9a-f]{30}([0-9a-f]{16})$/.exec(hex);
  if (unique === null) return hex;
  const near = Math.abs(Number.parseInt(unique[1], 16) - Date.now()) < 86_400_000;
  return `unique(${near ? "now" : unique[1]}, ${unique[2]})`;
}

function describeId(id) {
  const keys = Object.keys(id).join();
  return `DurableObjectId ${idText(String(id))} name=${primitive(id.name)} keys=${keys}`;
}

export function describe(value) {
  const seen = new Map();
  const inner = (item) => {
    if (item === null || (typeof item !== "object" && typeof item !== "function")) {
      return primitive(item);
    }
    if (seen.has(item)) return `#${seen.get(item)}`;
    seen.set(item, seen.size);
    if (typeof item === "function") return `function ${item.name}`;
    if (isId(item)) return describeId(item);
    if (item instanceof Promise) return "Promise";
    const kind = Object.prototype.toString.call(item).slice(8, -1);
    const length = Array.isArray(item) ? ` length ${item.length}` : "";
    return `${kind}<${prototypeOf(item)}>${length}${internalOf(item, inner)}${propertiesOf(item, inner)}`;
  };
  return inner(value);
}

/** An error that an operation reported: class, realm, message, code, cause; anything else thrown is described as a value. */
export function describeThrown(error) {
  if (Object.prototype.toString.call(error) !== "[object Error]") return describe(error);
  const parts = [
    `${prototypeOf(error)} ${quote(String(error.name))}: ${quote(String(error.message))}`,
  ];
  if ("code" in error) parts.push(`code ${primitive(error.code)}`);
  if (error.cause !== undefined) parts.push(`cause ${describeThrown(error.cause)}`);
  return parts.join(", ");
}

/** The same text without realms, to compare a run inside a worker with one outside. */
export function withoutRealms(text) {
  return text.replaceAll(/@(?:own|foreign)/g, "");
}
