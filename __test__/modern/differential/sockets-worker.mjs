// The worker of the comparison of hibernating WebSockets, as text. Its object notes what its handlers hear. Its
// interpreter of programs opens sockets to the object. The same text runs here and in workerd.

export const script = `
import { DurableObject } from "cloudflare:workers";

const LISTED = 6;

function text(value) {
  if (value === undefined) return "undefined";
  if (value instanceof Date) return "Date " + (value.getTime() > 1e12);
  if (value instanceof ArrayBuffer) return "bytes " + [...new Uint8Array(value)];
  return JSON.stringify(value);
}

function outcome(run) {
  try {
    return text(run());
  } catch (error) {
    return "throws " + error.constructor.name + " " + error.name + ": " + error.message;
  }
}

const end = () => new WebSocketPair()[1];
const Pair = (...given) => new WebSocketRequestResponsePair(...given);
const VALUES = {
  list: () => [1, "a", null, [true]],
  map: () => new Map([["k", new Set([1])]]),
  object: () => ({ a: { b: [1] }, c: undefined }),
  nothing: () => undefined,
  nil: () => null,
  error: () => new RangeError("kept"),
  date: () => new Date(5),
  fits: () => "x".repeat(16379),
  large: () => "x".repeat(16380),
  fn: () => () => 1,
  symbol: () => Symbol("s"),
};

/** Calls that are refused, or nearly so. */
const CHECKS = {
  noSocket: (ctx) => ctx.acceptWebSocket(),
  number: (ctx) => ctx.acceptWebSocket(5),
  pair: (ctx) => ctx.acceptWebSocket(new WebSocketPair()),
  tagsText: (ctx) => ctx.acceptWebSocket(end(), "tag"),
  tagsNull: (ctx) => ctx.acceptWebSocket(end(), null),
  tagsSet: (ctx) => ctx.acceptWebSocket(end(), new Set(["a"])),
  tagSymbol: (ctx) => ctx.acceptWebSocket(end(), [Symbol("x")]),
  tags11: (ctx) => ctx.acceptWebSocket(end(), [..."abcdefghijk"]),
  tags10AndOne: (ctx) => ctx.acceptWebSocket(end(), [..."abcdefghijj"]),
  tag257: (ctx) => ctx.acceptWebSocket(end(), ["x".repeat(257)]),
  tag129: (ctx) => ctx.acceptWebSocket(end(), ["é".repeat(129)]),
  accepted: (ctx) => { const ws = end(); ws.accept(); ctx.acceptWebSocket(ws); },
  peerAccepted: (ctx) => { const { 0: a, 1: b } = new WebSocketPair(); a.accept(); ctx.acceptWebSocket(b); },
  tagsOfNothing: (ctx) => ctx.getTags(),
  tagsOfNew: (ctx) => ctx.getTags(end()),
  tagsOfAccepted: (ctx) => { const ws = end(); ws.accept(); return ctx.getTags(ws); },
  byNumber: (ctx) => ctx.getWebSockets(5).length,
  byNull: (ctx) => ctx.getWebSockets(null).length,
  bySymbol: (ctx) => ctx.getWebSockets(Symbol("x")),
  pairNone: () => Pair(),
  pairOne: () => Pair("a"),
  pairSymbol: () => Pair(Symbol("x"), "a"),
  pairCalled: () => WebSocketRequestResponsePair("a", "b"),
  pairParts: () => { const pair = Pair(5, null); return [pair.request, pair.response, Object.keys(pair)]; },
  autoNumber: (ctx) => ctx.setWebSocketAutoResponse(5),
  autoNull: (ctx) => ctx.setWebSocketAutoResponse(null),
  autoPlain: (ctx) => ctx.setWebSocketAutoResponse({ request: "a", response: "b" }),
  autoLongRequest: (ctx) => ctx.setWebSocketAutoResponse(Pair("x".repeat(2049), "a")),
  autoLongResponse: (ctx) => ctx.setWebSocketAutoResponse(Pair("a", "é".repeat(1025))),
  stampOfNothing: (ctx) => ctx.getWebSocketAutoResponseTimestamp(),
  stampOfNew: (ctx) => ctx.getWebSocketAutoResponseTimestamp(end()),
  serializeNothing: () => end().serializeAttachment(),
  serializeOther: () => WebSocket.prototype.serializeAttachment.call({}, 1),
  deserializeNew: () => end().deserializeAttachment(),
};

const TIMEOUTS = {
  none: undefined, nil: null, zero: 0, one: 1, fraction: 1.9, text: "5", word: "x", nan: NaN, below: -1,
  infinite: Infinity, week: 604800000, over: 604800001, wide: 4294967296, yes: true, big: 5n, object: {},
};

export class Room extends DurableObject {
  log = [];
  answers = true;

  fetch(request) {
    const [label, tags] = JSON.parse(new URL(request.url).searchParams.get("how"));
    const { 0: client, 1: server } = new WebSocketPair();
    server.label = label;
    server.addEventListener("message", () => this.log.push("a listener"));
    this.ctx.acceptWebSocket(server, tags ?? undefined);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(ws, message) {
    this.log.push(["message", ws.label, typeof message === "string" ? message : text(message), ws.readyState]);
    const [verb, ...args] = typeof message === "string" ? message.split(":") : ["bytes"];
    if (verb === "echo") this.note(() => ws.send(args[0]));
    if (verb === "bytes") this.note(() => ws.send(message));
    if (verb === "close") this.note(() => ws.close(...(args[0] ? [Number(args[0]), args[1]] : [])));
    if (verb === "all") for (const other of this.ctx.getWebSockets(args[1])) this.note(() => other.send(args[0]));
    if (verb === "twice") { this.note(() => ws.send("first")); this.note(() => ws.close(3009, "in between")); this.note(() => ws.send("second")); }
    if (verb === "throw") throw new Error("thrown");
    if (verb === "reject") { await null; throw new Error("rejected"); }
    if (verb === "put") { await this.ctx.storage.put("key", args[0]); this.note(() => ws.send("written " + args[0])); }
    if (verb === "get") { const value = await this.ctx.storage.get("key"); this.note(() => ws.send("read " + value)); }
  }

  async webSocketClose(ws, code, reason, wasClean) {
    this.log.push(["close", ws.label, code, reason, wasClean, ws.readyState, this.labels()]);
    if (this.answers) this.note(() => ws.close(code === 1005 ? 1000 : code, reason));
    this.log.push(["after", ws.label, ws.readyState]);
  }

  webSocketError(ws) { this.log.push(["error", ws.label]); }

  note(run) {
    const result = outcome(run);
    if (result !== "undefined") this.log.push(result);
  }

  labels(tag) { return this.ctx.getWebSockets(tag).map((ws) => ws.label).slice(0, LISTED); }
  states() { return this.ctx.getWebSockets().map((ws) => [ws.label, ws.readyState]).slice(0, LISTED); }
  of(label) { return this.ctx.getWebSockets().find((ws) => ws.label === label); }
  drain() { return this.log.splice(0); }
  setAnswers(answers) { this.answers = answers; }
  check(name) { return outcome(() => CHECKS[name](this.ctx)); }
  timeout(name) { return outcome(() => { this.ctx.setHibernatableWebSocketEventTimeout(7); try { this.ctx.setHibernatableWebSocketEventTimeout(TIMEOUTS[name]); } finally { this.log.push(["timeout", this.ctx.getHibernatableWebSocketEventTimeout()]); this.ctx.setHibernatableWebSocketEventTimeout(); } }); }
  auto(request, response) { return outcome(() => request === null ? this.ctx.setWebSocketAutoResponse() : this.ctx.setWebSocketAutoResponse(Pair(request, response))); }
  getAuto() { return outcome(() => { const pair = this.ctx.getWebSocketAutoResponse(); return pair && [pair.request, pair.response, pair instanceof WebSocketRequestResponsePair]; }); }
  with(label, run) { const ws = this.of(label); return ws === undefined ? "not open" : outcome(() => run(ws)); }
  tags(label) { return this.with(label, (ws) => this.ctx.getTags(ws)); }
  stamp(label) { return this.with(label, (ws) => this.ctx.getWebSocketAutoResponseTimestamp(ws)); }
  attach(label, name) { return this.with(label, (ws) => { ws.serializeAttachment(VALUES[name]()); }); }
  attached(label) {
    return this.with(label, (ws) => {
      const value = ws.deserializeAttachment();
      const kind = Object.prototype.toString.call(value);
      const shown = value instanceof Map ? [...value.keys()] : value instanceof Error ? [value.name, value.message] : value;
      return [kind, typeof shown === "string" ? shown.length : shown, Object(value) === value && value === ws.deserializeAttachment()];
    });
  }
  send(label, message) { return this.with(label, (ws) => ws.send(message)); }
  close(label, how) { return this.with(label, (ws) => ws.close(...how)); }
  accept(label) { return this.with(label, (ws) => ws.accept()); }
}

class Client {
  events = [];
  constructor(socket, answers) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.accept();
    socket.addEventListener("message", ({ data }) => this.events.push(typeof data === "string" ? data : text(data)));
    socket.addEventListener("close", ({ code, reason }) => {
      this.events.push(["close", code, reason]);
      if (answers && socket.readyState === 2 && !this.left) try { code === 1005 ? socket.close() : socket.close(code, reason); } catch {}
      this.left = true;
    });
  }
  /** Miniflare 2's class throws where this end closes twice. */
  leave(how) { if (this.left) return "left"; const result = this.try((ws) => ws.close(...how)); this.left = true; return result; }
  try(run) { try { run(this.socket); return "done"; } catch { return "throws"; } }
}

const STEPS = {
  open: async (at, label, tags) => {
    const query = encodeURIComponent(JSON.stringify([label, tags]));
    const { webSocket } = await at.stub.fetch("http://room/?how=" + query, { headers: { Upgrade: "websocket" } });
    at.clients[label] = new Client(webSocket, true);
  },
  say: (at, label, message) => at.clients[label]?.try((ws) => ws.send(message)) ?? "no client",
  burst: (at, label, messages) => at.clients[label]?.try((ws) => { for (const message of messages) ws.send(message); }) ?? "no client",
  bytes: (at, label, bytes) => at.clients[label]?.try((ws) => ws.send(new Uint8Array([9, ...bytes]).subarray(1))) ?? "no client",
  leave: (at, label, how) => at.clients[label]?.leave(how) ?? "no client",
  ask: (at, method, ...args) => at.stub[method](...args),
};

export default {
  async fetch(request, env) {
    const { name, steps } = await request.json();
    const at = { stub: env.ROOM.getByName(name), clients: {} };
    const results = [];
    for (const [kind, ...args] of steps) {
      let result;
      try {
        result = text(await STEPS[kind](at, ...args));
      } catch (error) {
        result = "throws " + error.name + ": " + error.message;
      }
      // A few calls and their answers: by then everything has arrived.
      for (let turn = 0; turn < 8; turn++) await at.stub.labels();
      const heard = Object.entries(at.clients).map(([label, { events }]) => [label, events.splice(0)]);
      results.push(JSON.stringify([result, await at.stub.drain(), heard.filter(([, events]) => events.length > 0)]));
    }
    return Response.json(results);
  },
};
`;
