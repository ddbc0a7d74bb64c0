// Modern objects that hibernate, whose code is the test's own: what their handlers hear is noted.
import { createRequire } from "node:module";
import { WebSocketPair, WebSocketPlugin } from "@miniflare/web-sockets";
import { coreMiniflare } from "./plugin.mjs";
import { openEnd } from "./rooms.mjs";

const require = createRequire(import.meta.url);
const { DurableObject } = require("../../dist/durable-objects/base.js");
const { _kRunWithGates, kInstance } = require("../../dist/shared/symbols.js");

/**
 * Serves objects of a modern class `Room`. `heard` has what handlers were called with, `built` the instances; `handlers`
 * are called with the instance. `open(name, tags)` gives the test's end of a socket that the object has accepted;
 * `inside(name, closure)` runs code as a request to the object.
 */
export async function serveHibernating(
  t,
  handlers = {},
  persist = false,
  options = {},
  parts = {},
) {
  const heard = [];
  const built = [];
  class Room extends DurableObject {
    constructor(ctx, env) {
      super(ctx, env);
      built.push(this);
      handlers.construct?.(this);
    }

    fetch(request) {
      const url = new URL(request.url);
      const tags = url.searchParams.getAll("tag");
      return handlers.fetch?.(this, url) ?? this.accept(tags.length > 0 ? tags : undefined);
    }

    accept(tags) {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server, tags);
      return new globals.Response(null, { status: 101, webSocket: client });
    }

    webSocketMessage(socket, message) {
      heard.push(["message", message]);
      return handlers.message?.(this, socket, message);
    }

    webSocketClose(socket, ...how) {
      heard.push(["close", ...how]);
      return handlers.close?.(this, socket, ...how);
    }

    webSocketError(socket, error) {
      heard.push(["error", error]);
      return handlers.error?.(this, socket, error);
    }
  }
  const mf = coreMiniflare(
    { exports: { Room, ...handlers.exports, default: {} } },
    {
      durableObjects: { ROOM: "Room", ...handlers.bindings },
      durableObjectsPersist: persist,
      ...options,
    },
    { plugins: { WebSocketPlugin }, ...parts },
  );
  t.after(() => mf.dispose());
  const globals = await mf.getGlobalScope();
  const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
  const factory = mf.getPluginStorage("DurableObjectsPlugin");
  const namespace = plugin.getNamespace(factory, "ROOM");
  const room = (name) => namespace.getByName(name);
  const open = async (name, tags = []) => {
    const query = new URLSearchParams(tags.map((tag) => ["tag", tag]));
    const { webSocket } = await room(name).fetch(`http://room/?${query}`);
    return openEnd(webSocket);
  };
  const inside = async (name, closure) => {
    const state = await plugin.getObject(factory, namespace.idFromName(name));
    return state[_kRunWithGates](() => closure(state[kInstance], state));
  };
  return { mf, plugin, factory, globals, namespace, room, open, inside, heard, built, Room };
}

/** Keeps what a log is told. */
export function notingLog(NoOpLog) {
  const errors = [];
  const log = new (class extends NoOpLog {
    error(error) {
      errors.push(error.message);
    }
  })();
  return { log, errors };
}
