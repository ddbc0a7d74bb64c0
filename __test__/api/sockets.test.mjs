// The sockets of an object end with it: their peers see 1006, and the next instance has sockets of its own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { waitUntilOnOutputGate } from "@miniflare/shared";
import { WebSocket, WebSocketPair } from "@miniflare/web-sockets";
import { Miniflare } from "ferroflare";
import StandardWebSocket from "ws";
import { onEachBackend } from "../support/backends.mjs";
import { temporaryDirectory } from "../support/cli.mjs";
import { deferred, idle } from "../support/plugin.mjs";
import { listen, serveRooms } from "../support/rooms.mjs";

const { kEvict, kForgetObjects } = createRequire(import.meta.url)("../../dist/shared/symbols.js");

const GONE = [{ code: 1006, reason: "" }];
const ECHO = { message: (socket, { data }) => socket.send(data) };

/** What ends an object, by name. The request that it ends with fails, or there is none. */
const ENDS = {
  "blockConcurrencyWhile() that threw": ({ ask }) => assert.rejects(ask("a", "block")),
  "a flush that failed": ({ ask }) => assert.rejects(ask("a", "flush"), { message: "disk full" }),
  eviction: ({ plugin, room }) => plugin[kEvict](room("a").id),
  "a test environment that forgets its objects": ({ plugin }) => plugin[kForgetObjects](),
  "reload()": ({ mf }) => mf.reload(),
};

async function serve(t, persist, handlers = {}) {
  const seen = [];
  const fetch = (room, request, path) => {
    if (path === "socket") {
      const close = (_socket, { code }) => seen.push(code);
      return room.accept({ ...ECHO, close }).response;
    }
    if (path === "block") {
      return room.state.blockConcurrencyWhile(async () => {
        throw new Error("cannot be set up");
      });
    }
    if (path === "flush") waitUntilOnOutputGate(Promise.reject(new Error("disk full")));
    return handlers.fetch?.(room, request, path) ?? new served.globals.Response(path);
  };
  const served = await serveRooms(t, { ...handlers, fetch }, persist);
  return { ...served, seen };
}

onEachBackend("sockets end with their object", (place) => {
  for (const [name, end] of Object.entries(ENDS)) {
    test(`${name} closes them, and the next instance has its own`, async (t) => {
      const served = await serve(t, await place(t));
      const { open, seen } = served;
      const old = [await open("a"), await open("a")];
      const other = await open("b");
      old[0].socket.send("before");
      await old[0].heard(1);
      await end(served);
      for (const { heard, closes } of old) {
        while (closes.length === 0) await heard(1).then(idle);
        assert.deepEqual(closes, GONE);
      }
      assert.equal(old[0].socket.readyState, WebSocket.READY_STATE_CLOSING);
      old[0].socket.close(1000);
      await idle();
      const stays = !["reload()", "a test environment that forgets its objects"].includes(name);
      assert.deepEqual(other.closes, stays ? [] : GONE);
      const next = await open("a");
      next.socket.send("after");
      assert.deepEqual(await next.heard(1), ["after"]);
      if (stays) assert.deepEqual(seen, [], "the old instance hears nothing");
    });
  }
});

describe("sockets that end with their object", () => {
  test("what still waits to be sent is dropped by a reset, and the peer sees 1006 in its place", async (t) => {
    const durable = deferred();
    const send = (room) => {
      waitUntilOnOutputGate(durable.promise);
      room.end.send("not durable");
      room.end.close(1000, "not durable either");
      return new served.globals.Response();
    };
    const handlers = {
      construct: (room) => {
        const { accept } = room;
        room.accept = (listeners) => {
          const accepted = accept.call(room, listeners);
          room.end = accepted.server;
          return accepted;
        };
      },
      fetch: send,
    };
    const served = await serve(t, false, handlers);
    const end = await served.open("a");
    const asked = served.ask("a", "send");
    await idle();
    durable.reject(new Error("disk full"));
    await assert.rejects(asked, { message: "disk full" });
    await end.heard(1);
    await idle();
    assert.deepEqual(end.events, GONE);
  });

  test("events that wait for a gate when the object is reset are dropped without a word", async (t) => {
    const blocking = deferred();
    const fetch = ({ state }, _request, path) => {
      if (path !== "hold") return undefined;
      state.blockConcurrencyWhile(() => blocking.promise);
      return undefined;
    };
    const warnings = [];
    const note = ({ message }) => warnings.push(message);
    process.on("warning", note);
    t.after(() => process.off("warning", note));
    const { ask, open, seen } = await serve(t, false, { fetch });
    const end = await open("a");
    await ask("a", "hold");
    end.socket.send("dropped");
    const waiting = ask("a", "x");
    await idle();
    blocking.reject(new Error("cannot be set up"));
    await assert.rejects(waiting, { message: "cannot be set up" });
    await idle();
    assert.deepEqual(end.events, GONE);
    assert.deepEqual([seen, warnings], [[], []]);
  });

  test("sockets that the object has opened are closed too: the server sees 1006", async (t) => {
    for (const way of ["fetch", "new WebSocket"]) {
      const server = await listen(t);
      const connected = once(server.sockets, "connection");
      const fetch = async (_room, _request, path) => {
        if (path !== "connect") return undefined;
        if (way === "fetch") {
          const headers = { upgrade: "websocket" };
          (await served.globals.fetch(server.url, { headers })).webSocket.accept();
        } else {
          const socket = new served.globals.WebSocket(server.url.replace("http", "ws"));
          await new Promise((resolve) => socket.addEventListener("open", resolve));
        }
        return new served.globals.Response("connected");
      };
      const served = await serve(t, false, { fetch });
      assert.equal(await served.ask("a", "connect"), "connected");
      const [socket] = await connected;
      const closed = once(socket, "close");
      await served.plugin[kEvict](served.room("a").id);
      assert.equal((await closed)[0], 1006, way);
    }
  });

  test("a socket that the object only passes on is not its own", async (t) => {
    const fetch = (_room, _request, path) =>
      path === "pass"
        ? served.room("b").fetch("http://room/socket")
        : new served.globals.Response();
    const served = await serve(t, false, { fetch });
    const end = await served.open("a", "pass");
    await served.plugin[kEvict](served.room("a").id);
    end.socket.send("still");
    assert.deepEqual(await end.heard(1), ["still"]);
  });

  test("a message whose handler is overtaken by dispose() is no unhandled rejection", async (t) => {
    const root = await temporaryDirectory(t);
    const begun = deferred();
    const over = deferred();
    const message = async (room) => {
      begun.resolve();
      await over.promise;
      await room.storage.put("key", 1);
    };
    const fetch = (room, _request, path) =>
      path === "write" ? room.accept({ message: () => message(room) }).response : undefined;
    const served = await serve(t, root, { fetch });
    const end = await served.open("a", "write");
    end.socket.send("x");
    await begun.promise;
    await served.mf.dispose();
    over.resolve();
    await idle();
    assert.deepEqual(end.closes, GONE);
  });

  test("a socket that was closed in order is not closed again", async (t) => {
    const served = await serve(t, false);
    const end = await served.open("a");
    end.socket.close(1000, "done");
    await idle();
    assert.deepEqual(served.seen, [1000]);
    await served.plugin[kEvict](served.room("a").id);
    await idle();
    assert.deepEqual(end.closes, GONE);
  });

  test("workers see Miniflare's own class", async () => {
    const { 0: client } = new WebSocketPair();
    assert.ok(client instanceof WebSocket);
    assert.equal(WebSocket.prototype.accept.name, "accept");
    assert.equal(WebSocket.prototype.addEventListener.length, 3);
    assert.deepEqual(Object.keys(WebSocket.prototype), []);
  });
});

describe("sockets over HTTP", () => {
  const script = `
  export class Room {
    constructor(state) {
      this.state = state;
    }
    fetch(request) {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      server.addEventListener("message", ({ data }) => {
        if (data === "fail") this.state.blockConcurrencyWhile(() => { throw new Error("failed"); });
        server.send(data);
      });
      return new Response(null, { status: 101, webSocket: client });
    }
  }
  export default { fetch: (request, { ROOM }) => ROOM.get(ROOM.idFromName("a")).fetch(request) };`;

  async function connect(t) {
    const options = { modules: true, script, durableObjects: { ROOM: "Room" }, port: 0 };
    const mf = new Miniflare(options);
    t.after(() => mf.dispose());
    const server = await mf.createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const socket = new StandardWebSocket(`ws://127.0.0.1:${server.address().port}/`);
    await once(socket, "open");
    socket.send("hello");
    const [data] = await once(socket, "message");
    assert.equal(String(data), "hello");
    return { mf, socket };
  }

  test("reload() closes them with 1012, as in Miniflare", async (t) => {
    const { mf, socket } = await connect(t);
    const closed = once(socket, "close");
    await mf.reload();
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [1012, "Service Restart"]);
  });

  test("an evicted object's peers see 1006", async (t) => {
    const { mf, socket } = await connect(t);
    const closed = once(socket, "close");
    const { DurableObjectsPlugin } = await mf.getPlugins();
    await DurableObjectsPlugin[kEvict]();
    assert.equal((await closed)[0], 1006);
  });
});
