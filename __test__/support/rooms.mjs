// Objects whose code is the test's own, in an unmodified MiniflareCore with WebSockets, `fetch()` and timers.
import http from "node:http";
import { QueuesPlugin } from "@miniflare/queues";
import { WebSocketPair, WebSocketPlugin } from "@miniflare/web-sockets";
import { WebSocketServer } from "ws";
import { coreMiniflare } from "./plugin.mjs";

/**
 * Serves objects of a class `Room`: `handlers` are called with the instance, which has `state`, `storage` and `accept()`.
 * `room(name)` gives a stub, `open(name)` the test's end of a socket that `handlers.fetch` has answered with.
 */
export async function serveRooms(t, handlers, persist = false, options = {}) {
  class Room {
    constructor(state, env) {
      this.state = state;
      this.env = env;
      this.storage = state.storage;
      handlers.construct?.(this);
    }

    fetch(request) {
      return handlers.fetch(this, request, new URL(request.url).pathname.slice(1));
    }

    alarm() {
      return handlers.alarm?.(this);
    }

    /** Accepts one end of a pair; gives it, and a response with the other. */
    accept(listeners = {}) {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      for (const [type, listener] of Object.entries(listeners)) {
        server.addEventListener(type, (event) => listener(server, event));
      }
      return { server, response: new core.Response(null, { status: 101, webSocket: client }) };
    }
  }
  const mf = coreMiniflare(
    { exports: { Room, default: { queue: handlers.queue } } },
    { durableObjects: { ROOM: "Room" }, durableObjectsPersist: persist, ...options },
    { plugins: { WebSocketPlugin, QueuesPlugin } },
  );
  t.after(() => mf.dispose());
  const globals = await mf.getGlobalScope();
  const core = globals;
  const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
  const factory = mf.getPluginStorage("DurableObjectsPlugin");
  const namespace = plugin.getNamespace(factory, "ROOM");
  const room = (name) => namespace.get(namespace.idFromName(name));
  const storage = (name) => plugin.getStorage(factory, namespace.idFromName(name));
  const open = async (name, path = "socket") => {
    const { webSocket } = await room(name).fetch(`http://room/${path}`);
    return openEnd(webSocket);
  };
  const ask = async (name, path) => (await room(name).fetch(`http://room/${path}`)).text();
  return { mf, plugin, factory, globals, namespace, room, open, ask, storage };
}

/** The test's end of a socket: what has come is in `messages` and `closes`; `next()` waits for one more. */
export function openEnd(socket) {
  const end = { socket, messages: [], closes: [], events: [] };
  let wake = () => {};
  const note = (list, value) => {
    list.push(value);
    end.events.push(value);
    wake();
  };
  socket.addEventListener("message", ({ data }) => note(end.messages, data));
  socket.addEventListener("close", ({ code, reason }) => note(end.closes, { code, reason }));
  socket.accept();
  /** Waits until `count` messages and closes have come. */
  end.heard = async (count) => {
    while (end.events.length < count) {
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
    return end.events;
  };
  return end;
}

/** Adds one to a number of the object's, with a wait between reading and writing. */
export async function bump(storage, key = "count") {
  const count = ((await storage.get(key)) ?? 0) + 1;
  await storage.put(key, count);
  return count;
}

/** An HTTP server on loopback that notes what reaches it; `sockets` are the ends of its WebSockets. */
export async function listen(t, answer = (_request, response) => response.end("ok")) {
  const requests = [];
  const server = http.createServer((request, response) => {
    requests.push(request.url);
    answer(request, response);
  });
  const sockets = new WebSocketServer({ server });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests, sockets };
}
