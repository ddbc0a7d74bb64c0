/** Refuses objects of the platform, such as a `URL`, which V8 would store as objects without content. */

import { types } from "node:util";
import * as core from "@miniflare/core";
import { WebSocket, WebSocketPair } from "@miniflare/web-sockets";
import { File, FormData, Headers } from "undici";

type Class = { prototype: object };

const ofMiniflare: Record<string, unknown> = {
  ...core,
  File,
  FormData,
  Headers,
  WebSocket,
  WebSocketPair,
};

/** Classes of the platform that workers get, from Node.js or from Miniflare. */
const NAMES =
  `AbortController AbortSignal Blob BroadcastChannel ByteLengthQueuingStrategy CompressionStream
  CountQueuingStrategy Crypto CryptoKey DecompressionStream Event EventTarget File FormData Headers MessageChannel
  MessagePort Navigator Performance ReadableByteStreamController ReadableStream ReadableStreamBYOBReader
  ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto
  TextDecoder TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL
  URLPattern URLSearchParams WebSocket WebSocketPair WritableStream WritableStreamDefaultController
  WritableStreamDefaultWriter`.split(/\s+/);

/** The name of each class by its prototype. */
const platform = new Map<object, string>();

/** Objects of `Class` are not stored either; errors call them `name`. */
export function refuseObjectsOf(Class: Class, name: string): void {
  platform.set(Class.prototype, name);
}

for (const name of NAMES) {
  for (const found of [ofMiniflare[name], Reflect.get(globalThis, name)]) {
    if (typeof found === "function") refuseObjectsOf(found, name);
  }
}

/** What production says of the objects of some classes. */
const TEXTS: Record<string, string> = {
  AbortSignal: "AbortSignal serialization is not enabled.",
  ReadableStream: "ReadableStream can only be serialized for RPC.",
  WritableStream: "WritableStream can only be serialized for RPC.",
};

/** The class of the platform that an object is of. */
function platformName(object: object): string | undefined {
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const name = platform.get(at);
    if (name !== undefined) return name;
  }
  return undefined;
}

function refusal(object: object, name: string): DOMException {
  const isMessage = name === "Request" || name === "Response";
  const hasBody = isMessage && Object(Reflect.get(object, "body")) === Reflect.get(object, "body");
  const isItself = platform.has(Object.getPrototypeOf(object));
  const shown = isItself ? name : String(object.constructor.name);
  const text =
    TEXTS[hasBody ? "ReadableStream" : name] ??
    `Could not serialize object of type "${shown}". This type does not support serialization.`;
  return new DOMException(text, "DataCloneError");
}

/** Whether V8 writes no properties of it. */
function isLeaf(object: object): boolean {
  return types.isDate(object) || types.isAnyArrayBuffer(object) || ArrayBuffer.isView(object);
}

/** What is in an object, as far as no code of the program runs. */
function partsOf(object: object): unknown[] {
  if (types.isMap(object)) return [...Map.prototype.entries.call(object)].flat();
  if (types.isSet(object)) return [...Set.prototype.values.call(object)];
  const keys = types.isNativeError(object)
    ? Object.getOwnPropertyNames(object)
    : Object.keys(object);
  return keys.map((key) => Object.getOwnPropertyDescriptor(object, key)?.value);
}

/**
 * Looks at what V8 would look at, in its order, until it comes to what V8 refuses itself.
 *
 * # Errors
 * Production's `DataCloneError` for an object of the platform.
 */
export function checkStorable(value: unknown): void {
  const seen = new Set<object>();
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next === "function" || typeof next === "symbol") return;
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    if (types.isProxy(next)) return;
    seen.add(next);
    const name = platformName(next);
    if (name !== undefined) throw refusal(next, name);
    if (!isLeaf(next)) waiting.push(...partsOf(next).reverse());
  }
}
