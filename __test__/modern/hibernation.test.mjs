// Hibernating WebSockets of modern objects: handlers, tags, automatic answers, attachments, and every error.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { NoOpLog, waitUntilOnOutputGate } from "@miniflare/shared";
import { WebSocket, WebSocketPair } from "@miniflare/web-sockets";
import { Miniflare } from "ferroflare";
import StandardWebSocket from "ws";
import { onEachBackend } from "../support/backends.mjs";
import { notingLog, serveHibernating } from "../support/hibernation.mjs";
import { serve } from "../support/modern.mjs";
import { deferred, idle } from "../support/plugin.mjs";
import { openEnd } from "../support/rooms.mjs";

const { kEvict } = createRequire(import.meta.url)("../../dist/shared/symbols.js");

const LOST = "WebSocket disconnected without sending Close frame.";
const newPair = () => Object.values(new WebSocketPair());
const numbers = (n) => Array.from({ length: n }, (_, i) => `${i}`);

/** Waits until `list` has `length` entries. */
async function until(list, length) {
  while (list.length < length) await new Promise(setImmediate);
  return list;
}

describe("hibernation: handlers", () => {
  test("hibernation: messages reach the handler in order of arrival, texts and bytes", async (t) => {
    const { open, heard } = await serveHibernating(t);
    const { socket } = await open("a");
    for (const text of numbers(50)) socket.send(text);
    const bytes = new Uint8Array([0, 1, 2, 3]);
    socket.send(bytes.subarray(1, 3));
    socket.send(bytes.buffer);
    await until(heard, 52);
    assert.deepEqual(
      heard.slice(0, 50),
      numbers(50).map((text) => ["message", text]),
    );
    const [[, view], [, buffer]] = heard.slice(50);
    assert.ok(view instanceof ArrayBuffer && buffer instanceof ArrayBuffer);
    assert.deepEqual([...new Uint8Array(view)], [1, 2]);
    bytes.fill(9);
    assert.deepEqual(
      [...new Uint8Array(buffer)],
      [0, 1, 2, 3],
      "the receiver has bytes of its own",
    );
  });

  test("hibernation: a handler does not wait for the previous one, unless that closes the gate", async (t) => {
    const going = deferred();
    const order = [];
    const message = async ({ ctx }, _socket, text) => {
      if (text === "slow") await going.promise;
      if (text === "block") await ctx.blockConcurrencyWhile(() => going.promise);
      order.push(text);
    };
    const { open } = await serveHibernating(t, { message });
    const { socket } = await open("a");
    for (const text of ["slow", "1", "block", "2"]) socket.send(text);
    await until(order, 1);
    await idle();
    assert.deepEqual(order, ["1"]);
    going.resolve();
    await until(order, 4);
    assert.deepEqual(order, ["1", "slow", "block", "2"]);
  });

  test("hibernation: what a handler sends waits until what it has written is durable", async (t) => {
    const durable = deferred();
    const message = (_room, socket) => {
      waitUntilOnOutputGate(durable.promise);
      socket.send("written");
    };
    const { open, heard } = await serveHibernating(t, { message });
    const end = await open("a");
    end.socket.send("write");
    await until(heard, 1);
    await idle();
    assert.deepEqual(end.messages, []);
    durable.resolve();
    assert.deepEqual(await end.heard(1), ["written"]);
  });

  test("hibernation: listeners are never called", async (t) => {
    const called = [];
    const fetch = ({ ctx }) => {
      const [client, server] = newPair();
      for (const type of ["message", "close", "error"]) {
        server.addEventListener(type, () => called.push(type));
      }
      ctx.acceptWebSocket(server);
      server.addEventListener("message", () => called.push("late"));
      return new served.globals.Response(null, { status: 101, webSocket: client });
    };
    const served = await serveHibernating(t, { fetch });
    const { socket } = await served.open("a");
    socket.send("x");
    socket.close(1000, "y");
    await until(served.heard, 2);
    await idle();
    assert.deepEqual(called, []);
  });

  test("hibernation: what a handler throws is logged, and the socket and the object stay", async (t) => {
    const message = (_room, socket, text) => {
      if (text === "throw") throw new Error("thrown");
      if (text === "reject") return Promise.reject(new Error("rejected"));
      return socket.send(text);
    };
    const { log, errors } = notingLog(NoOpLog);
    const { open, built } = await serveHibernating(t, { message }, false, {}, { log });
    const end = await open("a");
    for (const text of ["throw", "reject", "stays"]) end.socket.send(text);
    assert.deepEqual(await end.heard(1), ["stays"]);
    await until(errors, 2);
    assert.deepEqual([errors, built.length], [["thrown", "rejected"], 1]);
  });

  test("hibernation: without a handler events are dropped", async (t) => {
    const script = `import { DurableObject } from "cloudflare:workers";
      export class Room extends DurableObject {
        fetch() { const pair = new WebSocketPair(); this.ctx.acceptWebSocket(pair[1]); return new Response(null, { status: 101, webSocket: pair[0] }); }
        count() { return this.ctx.getWebSockets().length; }
      }
      export default {};`;
    const mf = serve(t, script, ["Room"]);
    const room = (await mf.getDurableObjectNamespace("Room")).getByName("a");
    const { webSocket } = await room.fetch("http://room/");
    webSocket.accept();
    webSocket.send("x");
    assert.equal(await room.count(), 1);
    webSocket.close(1000);
    await idle();
    assert.equal(await room.count(), 0);
  });

  test("hibernation: messages that were sent before the socket was accepted come first", async (t) => {
    const [client, server] = newPair();
    client.accept();
    client.send("early");
    const { inside, heard } = await serveHibernating(t);
    await assert.rejects(
      inside("a", (_room, ctx) => ctx.acceptWebSocket(server)),
      { message: /pair has already been accepted/ },
    );
    const [other, own] = newPair();
    await inside("a", (_room, ctx) => ctx.acceptWebSocket(own, ["t"]));
    const end = openEnd(other);
    end.socket.send("first");
    await until(heard, 1);
    assert.deepEqual(heard, [["message", "first"]]);
  });

  test("hibernation: a handler that takes longer than the timeout does not keep the object", async (t) => {
    const forever = new Promise(() => {});
    const { open, inside, heard, plugin, room } = await serveHibernating(t, {
      message: () => forever,
    });
    const { socket } = await open("a");
    await inside("a", (_room, ctx) => ctx.setHibernatableWebSocketEventTimeout(1));
    socket.send("x");
    await until(heard, 1);
    let isEvicted = false;
    const evicting = plugin[kEvict](room("a").id).then(() => {
      isEvicted = true;
    });
    // Neither timer keeps the process alive.
    while (!isEvicted) await new Promise(setImmediate);
    await evicting;
  });
});

describe("hibernation: close", () => {
  test("hibernation: the socket is listed until the close handler has run, and closing there ends the handshake", async (t) => {
    const going = deferred();
    const states = [];
    const close = async ({ ctx }, socket, code, reason) => {
      states.push(socket.readyState, ctx.getWebSockets().length);
      await going.promise;
      socket.close(code, reason);
      states.push(socket.readyState);
      socket.close(code, reason);
    };
    const { open, inside, heard } = await serveHibernating(t, { close });
    const count = () => inside("a", (_room, ctx) => ctx.getWebSockets("t").length);
    const end = await open("a", ["t"]);
    end.socket.close(3000, "bye");
    await until(heard, 1);
    assert.deepEqual(heard, [["close", 3000, "bye", true]]);
    assert.equal(await count(), 1);
    going.resolve();
    assert.deepEqual(await end.heard(1), [{ code: 3000, reason: "bye" }]);
    await idle();
    assert.equal(await count(), 0);
    assert.deepEqual(states, [2, 1, 3]);
  });

  test("hibernation: a close without code has 1005", async (t) => {
    const { open, heard } = await serveHibernating(t);
    const { socket } = await open("a");
    socket.close();
    await until(heard, 1);
    assert.deepEqual(heard, [["close", 1005, "", true]]);
  });

  test("hibernation: an object that closes first is told when the other end has closed", async (t) => {
    const message = (_room, socket) => socket.close(3001, "over");
    const close = (_room, socket, code, reason) => socket.close(code, reason);
    const { log, errors } = notingLog(NoOpLog);
    const served = await serveHibernating(t, { message, close }, false, {}, { log });
    const end = await served.open("a");
    end.socket.send("x");
    assert.deepEqual(await end.heard(1), [{ code: 3001, reason: "over" }]);
    const states = () =>
      served.inside("a", (_room, ctx) => ctx.getWebSockets().map((socket) => socket.readyState));
    assert.deepEqual(await states(), [WebSocket.READY_STATE_CLOSING]);
    end.socket.send("still heard");
    end.socket.close(1000, "yes");
    await until(served.heard, 3);
    assert.deepEqual(served.heard.slice(1), [
      ["message", "still heard"],
      ["close", 1000, "yes", true],
    ]);
    await idle();
    assert.deepEqual([await states(), errors], [[], []]);
  });

  test("hibernation: a reset closes the sockets with 1006, and their object hears nothing", async (t) => {
    const { open, inside, heard } = await serveHibernating(t);
    const end = await open("a");
    const reset = inside("a", (_room, ctx) =>
      ctx.blockConcurrencyWhile(async () => {
        throw new Error("broken");
      }),
    );
    await assert.rejects(reset, { message: "broken" });
    assert.deepEqual(await end.heard(1), [{ code: 1006, reason: LOST }]);
    end.socket.close(1000);
    await idle();
    assert.deepEqual(heard, []);
    assert.equal(await inside("a", (_room, ctx) => ctx.getWebSockets().length), 0);
  });
});

describe("hibernation: tags", () => {
  test("hibernation: all sockets come newest first, those of a tag oldest first", async (t) => {
    const { inside } = await serveHibernating(t);
    await inside("a", (_room, ctx) => {
      const [a, b, c] = [0, 1, 2].map(() => newPair()[1]);
      ctx.acceptWebSocket(a, ["x", "5"]);
      ctx.acceptWebSocket(b, ["y"]);
      ctx.acceptWebSocket(c, ["x", ""]);
      const named = (...given) =>
        ctx.getWebSockets(...given).map((socket) => "abc"[[a, b, c].indexOf(socket)]);
      assert.deepEqual(named(), ["c", "b", "a"]);
      assert.deepEqual(named(undefined), ["c", "b", "a"]);
      assert.deepEqual(named("x"), ["a", "c"]);
      assert.deepEqual(named(5), ["a"]);
      assert.deepEqual(named(""), ["c"]);
      assert.deepEqual(named("z"), []);
    });
  });

  test("hibernation: tags are texts, each once, in their order", async (t) => {
    const { inside } = await serveHibernating(t);
    await inside("a", (_room, ctx) => {
      const tagsOf = (tags) => {
        const [, socket] = newPair();
        ctx.acceptWebSocket(socket, tags);
        return ctx.getTags(socket);
      };
      assert.deepEqual(tagsOf(undefined), []);
      assert.deepEqual(tagsOf(["b", "a", "b", "", "a"]), ["b", "a", ""]);
      assert.deepEqual(tagsOf([5, null, undefined]), ["5", "null", "undefined"]);
      assert.deepEqual(tagsOf([..."jihgfedcba"]), [..."jihgfedcba"]);
      assert.deepEqual(tagsOf(["é".repeat(128)]), ["é".repeat(128)]);
      const [, socket] = newPair();
      ctx.acceptWebSocket(socket, ["t"]);
      ctx.getTags(socket).push("own copy");
      assert.deepEqual(ctx.getTags(socket), ["t"]);
    });
  });
});

describe("hibernation: automatic answers", () => {
  test("hibernation: an equal text is answered without the object, and the time is noted", async (t) => {
    const { open, inside, heard, globals } = await serveHibernating(t);
    const Pair = globals.WebSocketRequestResponsePair;
    const end = await open("a");
    const stamp = () =>
      inside("a", (_room, ctx) => ctx.getWebSocketAutoResponseTimestamp(ctx.getWebSockets()[0]));
    assert.equal(await stamp(), null);
    await inside("a", (_room, ctx) => ctx.setWebSocketAutoResponse(new Pair("ping", "pong")));
    const before = Date.now();
    for (const data of ["ping", new TextEncoder().encode("ping"), "pings", "ping"]) {
      end.socket.send(data);
    }
    assert.deepEqual(await end.heard(2), ["pong", "pong"]);
    await until(heard, 2);
    assert.equal(heard[1][1], "pings");
    const at = await stamp();
    assert.ok(at instanceof Date && at.getTime() >= before);
    await inside("a", (_room, ctx) => {
      ctx.setWebSocketAutoResponse(new Pair("other", "answer"));
      const found = ctx.getWebSocketAutoResponse();
      assert.ok(found instanceof Pair);
      assert.deepEqual([found.request, found.response], ["other", "answer"]);
      ctx.setWebSocketAutoResponse();
      assert.equal(ctx.getWebSocketAutoResponse(), null);
    });
    end.socket.send("other");
    await until(heard, 3);
    assert.deepEqual(end.messages, ["pong", "pong"]);
    assert.deepEqual(await stamp(), at);
  });

  test("hibernation: neither a closed gate nor writes hold an answer back, but sent messages come first", async (t) => {
    const going = deferred();
    const durable = deferred();
    const { open, inside, globals } = await serveHibernating(t);
    const end = await open("a");
    const blocked = inside("a", (_room, ctx) => {
      ctx.setWebSocketAutoResponse(new globals.WebSocketRequestResponsePair("ping", "pong"));
      return ctx.blockConcurrencyWhile(() => going.promise);
    });
    await idle();
    end.socket.send("ping");
    assert.deepEqual(await end.heard(1), ["pong"]);
    going.resolve();
    await blocked;
    const writing = inside("a", (_room, ctx) => {
      waitUntilOnOutputGate(durable.promise);
      ctx.getWebSockets()[0].send("written");
    });
    await idle();
    end.socket.send("ping");
    await idle();
    assert.deepEqual(end.messages, ["pong"]);
    durable.resolve();
    await writing;
    assert.deepEqual(await end.heard(3), ["pong", "written", "pong"]);
  });

  test("hibernation: after a close of the object nothing is answered, and the object hears nothing of it", async (t) => {
    const { open, inside, heard, globals } = await serveHibernating(t);
    const end = await open("a");
    await inside("a", (_room, ctx) => {
      ctx.setWebSocketAutoResponse(new globals.WebSocketRequestResponsePair("ping", "pong"));
      ctx.getWebSockets()[0].close(1000, "over");
    });
    end.socket.send("ping");
    end.socket.send("x");
    await until(heard, 1);
    assert.deepEqual([heard, end.messages], [[["message", "x"]], []]);
  });

  test("hibernation: a pair has texts, and no more", async (t) => {
    const { globals } = await serveHibernating(t);
    const { WebSocketRequestResponsePair: Pair } = globals;
    const pair = new Pair(5, null);
    assert.deepEqual([pair.request, pair.response, Object.keys(pair)], ["5", "null", []]);
    assert.equal(String(pair), "[object WebSocketRequestResponsePair]");
    assert.equal(pair.constructor, Pair);
    assert.equal(new Pair("x".repeat(3000), "").request.length, 3000);
    assert.throws(() => {
      pair.request = "other";
    }, TypeError);
  });
});

describe("hibernation: attachments", () => {
  test("hibernation: any WebSocket keeps a copy of a value, and each read is another one", async (t) => {
    await serveHibernating(t);
    const [socket, other] = newPair();
    assert.equal(socket.deserializeAttachment(), null);
    const value = { list: [1, new Map([["a", new Date(5)]])] };
    socket.serializeAttachment(value);
    value.list.push("later");
    const first = socket.deserializeAttachment();
    assert.deepEqual(first, { list: [1, new Map([["a", new Date(5)]])] });
    assert.notEqual(socket.deserializeAttachment(), first);
    assert.equal(other.deserializeAttachment(), null);
    socket.serializeAttachment(undefined);
    assert.equal(socket.deserializeAttachment(), undefined);
    socket.serializeAttachment("x".repeat(16_379));
    assert.equal(socket.deserializeAttachment().length, 16_379);
    assert.throws(() => socket.serializeAttachment("x".repeat(16_380)));
    assert.equal(socket.deserializeAttachment().length, 16_379, "the old one stays");
  });

  test("hibernation: in a worker an attachment is of the worker's realm", async (t) => {
    const script = `import { DurableObject } from "cloudflare:workers";
      export class Room extends DurableObject {
        read() {
          const { 0: socket } = new WebSocketPair();
          socket.serializeAttachment({ list: [1], error: new RangeError("r") });
          const { constructor, list, error } = socket.deserializeAttachment();
          return [constructor === Object, list.constructor === Array, error.constructor === RangeError];
        }
      }
      export default {};`;
    const mf = serve(t, script, ["Room"]);
    const room = (await mf.getDurableObjectNamespace("Room")).getByName("a");
    assert.deepEqual(await room.read(), [true, true, true]);
  });
});

/** Calls that are refused: what they are called with, the class, and the text. */
const ON_STATE = "on 'DurableObjectState': parameter";
const REFUSED = {
  "acceptWebSocket() without a socket": [
    (ctx) => ctx.acceptWebSocket(),
    TypeError,
    `Failed to execute 'acceptWebSocket' ${ON_STATE} 1 is not of type 'WebSocket'.`,
  ],
  "acceptWebSocket() of a pair": [
    (ctx) => ctx.acceptWebSocket(new WebSocketPair()),
    TypeError,
    `Failed to execute 'acceptWebSocket' ${ON_STATE} 1 is not of type 'WebSocket'.`,
  ],
  "tags that are a text": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], "tag"),
    TypeError,
    `Failed to execute 'acceptWebSocket' ${ON_STATE} 2 is not of type 'Array'.`,
  ],
  "tags that are null": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], null),
    TypeError,
    `Failed to execute 'acceptWebSocket' ${ON_STATE} 2 is not of type 'Array'.`,
  ],
  "a tag that is a symbol": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], [Symbol("x")]),
    TypeError,
    "Cannot convert a Symbol value to a string",
  ],
  "11 tags": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], [..."abcdefghijk"]),
    Error,
    "a Hibernatable WebSocket cannot have more than 10 tags",
  ],
  "a tag after 10, though it is known": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], [..."abcdefghijj"]),
    Error,
    "a Hibernatable WebSocket cannot have more than 10 tags",
  ],
  "a tag of 257 bytes": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], ["x".repeat(257)]),
    Error,
    `"${"x".repeat(257)}" is longer than the max tag length (256 characters).`,
  ],
  "a tag of 258 bytes in 129 characters": [
    (ctx) => ctx.acceptWebSocket(newPair()[1], ["é".repeat(129)]),
    Error,
    `"${"é".repeat(129)}" is longer than the max tag length (256 characters).`,
  ],
  "a socket that was accepted": [
    (ctx) => {
      const [, socket] = newPair();
      socket.accept();
      ctx.acceptWebSocket(socket);
    },
    Error,
    "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`",
  ],
  "a socket twice": [
    (ctx) => {
      const [, socket] = newPair();
      ctx.acceptWebSocket(socket);
      ctx.acceptWebSocket(socket);
    },
    Error,
    "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`",
  ],
  "a socket whose other end was accepted": [
    (ctx) => {
      const [client, socket] = newPair();
      client.accept();
      ctx.acceptWebSocket(socket);
    },
    Error,
    "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.",
  ],
  "accept() of a hibernating socket": [
    (ctx) => {
      const [, socket] = newPair();
      ctx.acceptWebSocket(socket);
      socket.accept();
    },
    TypeError,
    "Can't accept() WebSocket after enabling hibernation.",
  ],
  "getWebSockets() of a symbol": [
    (ctx) => ctx.getWebSockets(Symbol("x")),
    TypeError,
    "Cannot convert a Symbol value to a string",
  ],
  "getTags() of no socket": [
    (ctx) => ctx.getTags({}),
    TypeError,
    `Failed to execute 'getTags' ${ON_STATE} 1 is not of type 'WebSocket'.`,
  ],
  "getTags() of a socket that was not accepted": [
    (ctx) => ctx.getTags(newPair()[0]),
    Error,
    "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.",
  ],
  "getTags() of a socket that does not hibernate": [
    (ctx) => {
      const [socket] = newPair();
      socket.accept();
      ctx.getTags(socket);
    },
    Error,
    "only hibernatable websockets can have tags.",
  ],
  "an automatic answer that is no pair": [
    (ctx) => ctx.setWebSocketAutoResponse({ request: "a", response: "b" }),
    TypeError,
    `Failed to execute 'setWebSocketAutoResponse' ${ON_STATE} 1 is not of type 'WebSocketRequestResponsePair'.`,
  ],
  "an automatic answer that is null": [
    (ctx) => ctx.setWebSocketAutoResponse(null),
    TypeError,
    `Failed to execute 'setWebSocketAutoResponse' ${ON_STATE} 1 is not of type 'WebSocketRequestResponsePair'.`,
  ],
  "a request of 2049 bytes": [
    (ctx, { WebSocketRequestResponsePair: Pair }) =>
      ctx.setWebSocketAutoResponse(new Pair("x".repeat(2049), "")),
    RangeError,
    "Request cannot be larger than 2048 bytes. A request of size 2049 was provided.",
  ],
  "a response of 2050 bytes in 1025 characters": [
    (ctx, { WebSocketRequestResponsePair: Pair }) =>
      ctx.setWebSocketAutoResponse(new Pair("x".repeat(2048), "é".repeat(1025))),
    RangeError,
    "Response cannot be larger than 2048 bytes. A response of size 2050 was provided.",
  ],
  "the time of no socket": [
    (ctx) => ctx.getWebSocketAutoResponseTimestamp(),
    TypeError,
    `Failed to execute 'getWebSocketAutoResponseTimestamp' ${ON_STATE} 1 is not of type 'WebSocket'.`,
  ],
  "a pair without a request": [
    (_ctx, { WebSocketRequestResponsePair: Pair }) => new Pair(),
    TypeError,
    "Failed to construct 'WebSocketRequestResponsePair': constructor parameter 1 is not of type 'string'.",
  ],
  "a pair without a response": [
    (_ctx, { WebSocketRequestResponsePair: Pair }) => new Pair("a"),
    TypeError,
    "Failed to construct 'WebSocketRequestResponsePair': constructor parameter 2 is not of type 'string'.",
  ],
  "a pair of a symbol": [
    (_ctx, { WebSocketRequestResponsePair: Pair }) => new Pair(Symbol("x"), "a"),
    TypeError,
    "Cannot convert a Symbol value to a string",
  ],
  "a pair without new": [
    (_ctx, { WebSocketRequestResponsePair: Pair }) => Pair("a", "b"),
    TypeError,
    "Failed to construct 'WebSocketRequestResponsePair': Please use the 'new' operator, this object constructor cannot be called as a function.",
  ],
  "a timeout of more than a week": [
    (ctx) => ctx.setHibernatableWebSocketEventTimeout(604_800_001),
    Error,
    "Event timeout should not exceed 604800000 ms.",
  ],
  "a timeout that is no number": [
    (ctx) => ctx.setHibernatableWebSocketEventTimeout("x"),
    TypeError,
    "The value cannot be converted because it is not an integer.",
  ],
  "a timeout below 0": [
    (ctx) => ctx.setHibernatableWebSocketEventTimeout(-1),
    TypeError,
    "The value cannot be converted because it is negative and this API expects a positive number.",
  ],
  "a timeout of more than 32 bits": [
    (ctx) => ctx.setHibernatableWebSocketEventTimeout(2 ** 32),
    TypeError,
    "Value out of range. Must be less than or equal to 4294967295.",
  ],
  "a timeout that is a bigint": [
    (ctx) => ctx.setHibernatableWebSocketEventTimeout(5n),
    TypeError,
    "Cannot convert a BigInt value to a number",
  ],
  "an attachment that is missing": [
    () => newPair()[0].serializeAttachment(),
    TypeError,
    "Failed to execute 'serializeAttachment' on 'WebSocket': parameter 1 is not of type 'JsValue'.",
  ],
  "an attachment that cannot be copied": [
    () => newPair()[0].serializeAttachment(() => 1),
    DOMException,
    "() => 1 could not be cloned.",
  ],
  "an attachment of 16385 bytes": [
    () => newPair()[0].serializeAttachment("x".repeat(16_380)),
    Error,
    "A WebSocket 'attachment' cannot be larger than 16384 bytes.'attachment' was 16385 bytes.",
  ],
  "an attachment of another object": [
    () => WebSocket.prototype.serializeAttachment.call({}, 1),
    TypeError,
    "Illegal invocation: function called with incorrect `this` reference. See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.",
  ],
  "a close with a reserved code": [
    (ctx) => accepted(ctx).close(1005),
    DOMException,
    "Invalid WebSocket close code: 1005.",
  ],
  "a close with a code that is none": [
    (ctx) => accepted(ctx).close(999),
    DOMException,
    "Invalid WebSocket close code: 999.",
  ],
  "a close with a reason alone": [
    (ctx) => accepted(ctx).close(undefined, "x"),
    DOMException,
    "If you specify a WebSocket close reason, you must also specify a code.",
  ],
  "a close with a reason of 124 bytes": [
    (ctx) => accepted(ctx).close(1000, "é".repeat(62)),
    DOMException,
    "WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.",
  ],
  "a message after close()": [
    (ctx) => {
      const socket = accepted(ctx);
      socket.close(1000);
      socket.send("x");
    },
    TypeError,
    "Can't call WebSocket send() after close().",
  ],
};

function accepted(ctx) {
  const [, socket] = newPair();
  ctx.acceptWebSocket(socket);
  return socket;
}

describe("hibernation: bad input", () => {
  for (const [name, [call, Class, message]] of Object.entries(REFUSED)) {
    test(`hibernation: ${name} is refused`, async (t) => {
      const { inside, globals } = await serveHibernating(t);
      await inside("a", (_room, ctx) => {
        assert.throws(
          () => call(ctx, globals),
          (error) => {
            assert.equal(error.message, message);
            assert.equal(Object.getPrototypeOf(error), Class.prototype);
            return true;
          },
        );
      });
    });
  }

  test("hibernation: a socket that was refused is as before", async (t) => {
    const { inside } = await serveHibernating(t);
    await inside("a", (_room, ctx) => {
      const [, socket] = newPair();
      assert.throws(() => ctx.acceptWebSocket(socket, ["x".repeat(257)]));
      assert.deepEqual(ctx.getWebSockets(), []);
      socket.accept();
    });
  });

  test("hibernation: a socket whose other end was returned in a response is refused", async (t) => {
    const fetch = (room) => {
      const [client, server] = newPair();
      room.server = server;
      return new served.globals.Response(null, { status: 101, webSocket: client });
    };
    const served = await serveHibernating(t, { fetch });
    await served.room("a").fetch("http://room/");
    await assert.rejects(
      served.inside("a", (room, ctx) => ctx.acceptWebSocket(room.server)),
      { message: /^Cannot call `acceptWebSocket\(\)` on this WebSocket because its pair/ },
    );
  });

  test("hibernation: an object has at most 32,768 sockets", async (t) => {
    const { inside } = await serveHibernating(t);
    await inside("a", (_room, ctx) => {
      for (let count = 0; count < 32_768; count++) accepted(ctx);
      assert.throws(() => accepted(ctx), {
        message: "only 32768 websockets can be accepted on a single Durable Object instance",
      });
      assert.equal(ctx.getWebSockets().length, 32_768);
    });
  });

  test("hibernation: a timeout is an integer, and 0 or nothing is none", async (t) => {
    const { inside } = await serveHibernating(t);
    await inside("a", (_room, ctx) => {
      const set = (...given) => {
        ctx.setHibernatableWebSocketEventTimeout(7);
        ctx.setHibernatableWebSocketEventTimeout(...given);
        return ctx.getHibernatableWebSocketEventTimeout();
      };
      assert.equal(ctx.getHibernatableWebSocketEventTimeout(), null);
      const found = [[1], [1.9], ["5"], [true], [604_800_000], [0], [], [undefined], [null]].map(
        (given) => set(...given),
      );
      assert.deepEqual(found, [1, 1, 5, 1, 604_800_000, null, null, null, null]);
    });
  });
});

test("hibernation: classic objects have none of it, and their sockets are as before", async (t) => {
  const seen = [];
  class Classic {
    constructor(state) {
      this.state = state;
    }

    webSocketMessage() {
      seen.push("handler");
    }

    fetch() {
      seen.push("acceptWebSocket" in this.state, "getWebSockets" in this.state);
      const [client, server] = newPair();
      server.accept();
      server.addEventListener("message", ({ data }) => server.send(data));
      return new served.globals.Response(null, { status: 101, webSocket: client });
    }
  }
  const parts = { exports: { Classic }, bindings: { CLASSIC: "Classic" } };
  const served = await serveHibernating(t, parts);
  const namespace = served.plugin.getNamespace(served.factory, "CLASSIC");
  const { webSocket } = await namespace.getByName("a").fetch("http://room/");
  const end = openEnd(webSocket);
  end.socket.send("x");
  assert.deepEqual(await end.heard(1), ["x"]);
  assert.deepEqual(seen, [false, false]);
});

const NETWORK = `import { DurableObject } from "cloudflare:workers";
  export class Room extends DurableObject {
    heard = [];
    fetch() {
      const pair = new WebSocketPair();
      this.ctx.acceptWebSocket(pair[1], ["network"]);
      this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
      return new Response(null, { status: 101, webSocket: pair[0] });
    }
    async webSocketMessage(socket, message) {
      await this.ctx.storage.put("last", message);
      if (message === "close") socket.close(3001, "by the object");
      else socket.send(message);
    }
    webSocketClose(socket, ...how) { this.heard.push(["close", ...how]); }
    webSocketError(socket, error) { this.heard.push(["error", error instanceof Error, error.message]); }
    seen() { return [this.heard, this.ctx.getWebSockets("network").length]; }
  }
  export default { fetch(request, env) { return env.Room.getByName("a").fetch(request); } };`;

onEachBackend("hibernation: sockets of the HTTP server", (place) => {
  async function listen(t) {
    const mf = new Miniflare({
      modules: true,
      script: NETWORK,
      durableObjects: { Room: "Room" },
      durableObjectsPersist: await place(t),
      port: 0,
    });
    const server = await mf.startServer();
    t.after(async () => {
      server.close();
      await mf.dispose();
    });
    const room = (await mf.getDurableObjectNamespace("Room")).getByName("a");
    const open = async () => {
      const socket = new StandardWebSocket(`ws://127.0.0.1:${server.address().port}`);
      await once(socket, "open");
      return socket;
    };
    const seen = async (count) => {
      for (;;) {
        const [heard, open] = await room.seen();
        if (heard.length >= count && open === 0) return heard;
        await new Promise(setImmediate);
      }
    };
    return { open, seen };
  }

  test("hibernation: messages, bytes, and automatic answers over the network", async (t) => {
    const { open } = await listen(t);
    const socket = await open();
    t.after(() => socket.terminate());
    const received = [];
    socket.on("message", (data, isBinary) => received.push(isBinary ? [...data] : `${data}`));
    for (const data of ["text", new Uint8Array([1, 2]), "ping"]) socket.send(data);
    while (received.length < 3) await once(socket, "message");
    assert.deepEqual(
      received.filter((data) => data !== "pong"),
      ["text", [1, 2]],
    );
    assert.ok(received.includes("pong"));
  });

  test("hibernation: closes by either side, lost connections, and broken frames", async (t) => {
    const { open, seen } = await listen(t);
    const first = await open();
    first.send("close");
    const [code, reason] = await once(first, "close");
    assert.deepEqual([code, `${reason}`], [3001, "by the object"]);
    const second = await open();
    second.close(1000, "by the peer");
    await once(second, "close");
    const third = await open();
    third.terminate();
    const fourth = await open();
    // A text frame that says it is compressed by an extension that no end has asked for.
    fourth._socket.write(Buffer.from([0xc3, 0x80, 0, 0, 0, 0]));
    const heard = await seen(4);
    assert.deepEqual(
      heard.sort(([a, x], [b, y]) => (`${a}${x}` < `${b}${y}` ? -1 : 1)),
      [
        ["close", 1000, "by the peer", true],
        ["close", 1006, LOST, false],
        ["close", 3001, "by the object", true],
        ["error", true, heard.find(([kind]) => kind === "error")[2]],
      ],
    );
  });
});
