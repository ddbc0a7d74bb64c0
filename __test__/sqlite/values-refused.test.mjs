// What cannot be stored: objects of the platform, functions, symbols and what else has no content that V8 writes.
import { example } from "./examples/example.mjs";

/** What a put of each value tells, by kv and by the asynchronous call. */
const told = async ({ kv, storage }, values) => {
  const results = {};
  for (const [name, value] of Object.entries(values)) {
    const texts = [];
    for (const put of [
      () => kv.put("key", value),
      () => storage.put("key", value),
      () => storage.put({ key: value }),
    ]) {
      try {
        await put();
        texts.push("stored");
      } catch (error) {
        texts.push(`${error.constructor.name} ${error.name}: ${error.message}`);
      }
    }
    results[name] = new Set(texts).size === 1 ? texts[0] : texts;
  }
  return results;
};

/** An example of values, made by a function of the worker, and what a put tells of each. */
function values(name, make, expected, theirs) {
  const run = `async (tools) => {
    const told = ${told};
    return told(tools, (${make})(tools));
  }`;
  example(name, run, expected, theirs && { workerd: { ...expected, ...theirs } });
}

const REFUSED = "DOMException DataCloneError: ";
const of = (type) =>
  `${REFUSED}Could not serialize object of type "${type}". This type does not support serialization.`;

values(
  "objects of the platform are refused by the name of their class",
  ({ ctx, storage, kv, sql }) => ({
    url: new URL("http://localhost/"),
    parameters: new URLSearchParams("a=1"),
    form: new FormData(),
    blob: new Blob(["a"]),
    file: new File(["a"], "name"),
    event: new Event("name"),
    target: new EventTarget(),
    controller: new AbortController(),
    encoder: new TextEncoder(),
    decoder: new TextDecoder(),
    transform: new TransformStream(),
    reader: new ReadableStream().getReader(),
    pair: new WebSocketPair(),
    socket: new WebSocketPair()[0],
    state: ctx,
    id: ctx.id,
    storage,
    sql,
    kv,
    cursor: sql.exec("SELECT 1"),
    list: kv.list(),
  }),
  {
    url: of("URL"),
    parameters: of("URLSearchParams"),
    form: of("FormData"),
    blob: of("Blob"),
    file: of("File"),
    event: of("Event"),
    target: of("EventTarget"),
    controller: of("AbortController"),
    encoder: of("TextEncoder"),
    decoder: of("TextDecoder"),
    transform: of("TransformStream"),
    reader: of("ReadableStreamDefaultReader"),
    pair: of("WebSocketPair"),
    socket: of("WebSocket"),
    state: of("DurableObjectState"),
    id: of("DurableObjectId"),
    storage: of("DurableObjectStorage"),
    sql: of("SqlStorage"),
    kv: of("SyncKvStorage"),
    cursor: of("Cursor"),
    list: of("ListIterator"),
  },
);

values(
  "some have a text of their own",
  () => ({
    stream: new ReadableStream(),
    sink: new WritableStream(),
    signal: new AbortController().signal,
    response: new Response("body"),
    request: new Request("http://localhost/", { method: "POST", body: "body" }),
  }),
  {
    stream: `${REFUSED}ReadableStream can only be serialized for RPC.`,
    sink: `${REFUSED}WritableStream can only be serialized for RPC.`,
    signal: `${REFUSED}AbortSignal serialization is not enabled.`,
    response: `${REFUSED}ReadableStream can only be serialized for RPC.`,
    request: `${REFUSED}ReadableStream can only be serialized for RPC.`,
  },
);

values(
  "they are found wherever they are, and what comes first counts",
  () => {
    class Target extends EventTarget {
      own = 1;
    }
    const url = new URL("http://localhost/");
    const error = new Error("text");
    error.extra = url;
    const cycle = {};
    cycle.self = cycle;
    return {
      subclass: new Target(),
      property: { a: { b: url } },
      element: [1, [url]],
      beside: Object.assign([1], { url }),
      key: new Map([[url, 1]]),
      value: new Map([[1, { url }]]),
      member: new Set([url]),
      cause: new Error("text", { cause: url }),
      extra: error,
      first: { url, run: () => 1 },
      second: { run: () => 1, url },
      cycle: [cycle, url],
      large: { bytes: new Uint8Array(1000), url },
    };
  },
  {
    subclass: of("Target"),
    ...Object.fromEntries(
      "property element beside key value member cause extra first"
        .split(" ")
        .map((at) => [at, of("URL")]),
    ),
    second: `${REFUSED}() => 1 could not be cloned.`,
    cycle: of("URL"),
    large: of("URL"),
  },
);

values(
  "what the language has and V8 does not write is refused in its words",
  () => ({
    arrow: () => 1,
    symbol: Symbol("s"),
    boxed: Object(Symbol("s")),
    map: new WeakMap(),
    set: new WeakSet(),
    reference: new WeakRef({}),
    promise: Promise.resolve(1),
    generator: (function* () {})(),
    proxy: new Proxy({ a: 1 }, {}),
    inside: { run: () => 1 },
  }),
  {
    arrow: `${REFUSED}() => 1 could not be cloned.`,
    symbol: `${REFUSED}Symbol(s) could not be cloned.`,
    boxed: `${REFUSED}[object Symbol] could not be cloned.`,
    map: `${REFUSED}#<WeakMap> could not be cloned.`,
    set: `${REFUSED}#<WeakSet> could not be cloned.`,
    reference: `${REFUSED}#<WeakRef> could not be cloned.`,
    promise: `${REFUSED}#<Promise> could not be cloned.`,
    generator: `${REFUSED}[object Generator] could not be cloned.`,
    proxy: `${REFUSED}#<Object> could not be cloned.`,
    inside: `${REFUSED}() => 1 could not be cloned.`,
  },
);

values(
  "objects of a program's own classes are stored as plain ones",
  () => {
    class Plain {
      #hidden = 1;
      shown = this.#hidden;
      method() {}
    }
    class Pairs extends Map {}
    return {
      plain: new Plain(),
      pairs: new Pairs([[1, 2]]),
      bare: Object.assign(Object.create(null), { a: 1 }),
      math: Math,
      expression: /a/g,
    };
  },
  { plain: "stored", pairs: "stored", bare: "stored", math: "stored", expression: "stored" },
);

values(
  "headers, and messages without a body, are refused too",
  () => ({
    headers: new Headers({ a: "1" }),
    request: new Request("http://localhost/"),
    response: new Response(null),
  }),
  { headers: of("Headers"), request: of("Request"), response: of("Response") },
  { headers: "stored", request: "stored", response: "stored" },
);
