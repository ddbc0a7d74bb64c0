// Eviction of modern objects: what hibernates stays open, and the next event constructs the object again.
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
import { failure } from "../support/modern.mjs";
import { deferred, idle } from "../support/plugin.mjs";
import { openEnd } from "../support/rooms.mjs";

const require = createRequire(import.meta.url);
const {
  kAbortObjects,
  kEnterSavepoint,
  kEvict,
  kForgetObjects,
} = require("../../dist/shared/symbols.js");

const LOST = [{ code: 1006, reason: "WebSocket disconnected without sending Close frame." }];
const ECHO = { message: (_room, socket, text) => socket.send(text) };

/** Waits until `list` has `length` entries. */
async function until(list, length) {
  while (list.length < length) await new Promise(setImmediate);
  return list;
}

onEachBackend("eviction", (place) => {
  test("eviction: sockets stay open, and the next instance has new ones with tags, attachment and answers", async (t) => {
    const names = [];
    const message = ({ ctx }, socket, text) => {
      names.push(ctx.id.name);
      socket.send(text);
    };
    const served = await serveHibernating(t, { message }, await place(t));
    const { open, inside, room, plugin, built, globals } = served;
    const first = await open("a", ["x", "first"]);
    const second = await open("a", ["x", "second"]);
    const old = await inside("a", async ({ ctx }) => {
      const Pair = globals.WebSocketRequestResponsePair;
      ctx.setWebSocketAutoResponse(new Pair("ping", "pong"));
      ctx.setHibernatableWebSocketEventTimeout(5000);
      await ctx.storage.put("stored", 1);
      const sockets = ctx.getWebSockets("x");
      for (const socket of sockets) {
        socket.expando = 1;
        socket.serializeAttachment({ tags: ctx.getTags(socket) });
      }
      return sockets;
    });
    first.socket.send("ping");
    await first.heard(1);
    const stamp = await inside("a", (_room, ctx) => ctx.getWebSocketAutoResponseTimestamp(old[0]));
    await plugin[kEvict](room("a").id);

    second.socket.send("ping");
    assert.deepEqual(await second.heard(1), ["pong"]);
    assert.equal(built.length, 1, "an automatic answer wakes no object");
    assert.deepEqual(
      old.map(({ readyState }) => readyState),
      [3, 3],
      "the old ones are closed",
    );
    first.socket.send("hello");
    assert.deepEqual(await first.heard(2), ["pong", "hello"]);
    assert.deepEqual([built.length, names], [2, ["a"]]);
    await inside("a", async ({ ctx }) => {
      const sockets = ctx.getWebSockets("x");
      assert.equal(sockets.length, 2);
      for (const [i, socket] of sockets.entries()) {
        const tags = ["x", ["first", "second"][i]];
        assert.notEqual(socket, old[i]);
        assert.equal(socket.expando, undefined);
        assert.equal(socket.readyState, WebSocket.READY_STATE_OPEN);
        assert.deepEqual(ctx.getTags(socket), tags);
        assert.deepEqual(socket.deserializeAttachment(), { tags });
        assert.throws(() => socket.accept(), TypeError);
      }
      assert.equal(ctx.getWebSocketAutoResponse().request, "ping");
      assert.equal(ctx.getHibernatableWebSocketEventTimeout(), 5000);
      assert.deepEqual(ctx.getWebSocketAutoResponseTimestamp(sockets[0]), stamp);
      assert.equal(await ctx.storage.get("stored"), 1);
    });
  });

  test("eviction: what happens meanwhile is delivered in order, and a request comes behind it", async (t) => {
    const { open, room, plugin, heard, built } = await serveHibernating(t, {}, await place(t));
    const ends = [await open("a"), await open("a")];
    await plugin[kEvict](room("a").id);
    ends[0].socket.send("1");
    ends[1].socket.send("2");
    ends[0].socket.close(1000, "3");
    await until(heard, 3);
    assert.deepEqual(heard, [
      ["message", "1"],
      ["message", "2"],
      ["close", 1000, "3", true],
    ]);
    assert.equal(built.length, 2);
    await plugin[kEvict](room("a").id);
    ends[1].socket.send("4");
    await until(heard, 4);
    assert.equal(built.length, 3, "a second time");
  });

  test("eviction: with close the peers see 1006, and nothing is kept", async (t) => {
    const { open, inside, room, plugin, globals } = await serveHibernating(t, {}, await place(t));
    const end = await open("a");
    await inside("a", (_room, ctx) =>
      ctx.setWebSocketAutoResponse(new globals.WebSocketRequestResponsePair("ping", "pong")),
    );
    await plugin[kEvict](room("a").id, "close");
    assert.deepEqual(await end.heard(1), LOST);
    await inside("a", (_room, ctx) => {
      assert.deepEqual([ctx.getWebSockets(), ctx.getWebSocketAutoResponse()], [[], null]);
    });
  });
});

describe("eviction: when", () => {
  test("eviction: it waits for requests, handlers and waitUntil(), and for what was sent", async (t) => {
    for (const kind of ["request", "message", "waitUntil", "sent"]) {
      const going = deferred();
      const begun = deferred();
      const run = ({ ctx }, socket) => {
        begun.resolve();
        if (kind === "waitUntil") return ctx.waitUntil(going.promise);
        if (kind !== "sent") return going.promise;
        waitUntilOnOutputGate(going.promise);
        return socket.send("sent");
      };
      const { open, inside, room, plugin } = await serveHibernating(t, { message: run });
      const end = await open("a");
      if (kind === "request") void inside("a", run);
      else end.socket.send("x");
      await begun.promise;
      let isOver = false;
      const evicting = plugin[kEvict](room("a").id).then(() => {
        isOver = true;
      });
      await idle();
      assert.equal(isOver, false, kind);
      going.resolve();
      await evicting;
      assert.deepEqual(end.messages, kind === "sent" ? ["sent"] : []);
    }
  });

  test("eviction: a socket that was accepted by accept() keeps the object until it closes", async (t) => {
    const fetch = (_room, url) => {
      if (url.searchParams.getAll("tag").length > 0) return undefined;
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      return new served.globals.Response(null, { status: 101, webSocket: client });
    };
    const served = await serveHibernating(t, { fetch });
    const plain = await served.open("a");
    const hibernating = await served.open("a", ["t"]);
    let isOver = false;
    const evicting = served.plugin[kEvict](served.room("a").id).then(() => {
      isOver = true;
    });
    await idle();
    assert.equal(isOver, false);
    plain.socket.close(1000);
    await evicting;
    assert.deepEqual(hibernating.closes, []);
  });

  test("eviction: an object that does not run cannot be evicted; all means those that run", async (t) => {
    const { open, room, plugin, built } = await serveHibernating(t, ECHO);
    const message = "Cannot evict Durable Object: it is not currently running.";
    await assert.rejects(plugin[kEvict](room("a").id), { name: "Error", message });
    await plugin[kEvict]();
    const ends = [await open("a"), await open("b")];
    await plugin[kEvict]();
    await assert.rejects(plugin[kEvict](room("a").id), { name: "Error", message });
    for (const [i, end] of ends.entries()) {
      end.socket.send(`${i}`);
      assert.deepEqual(await end.heard(1), [`${i}`]);
    }
    assert.equal(built.length, 4);
  });

  test("eviction: an object that is busy for 30 seconds stays", async (t) => {
    const { clock, evict, withDeadlineOf } = await withClock(t);
    const going = deferred();
    const state = {
      running: true,
      [withDeadlineOf.kIdle]: () => going.promise,
      [withDeadlineOf.kEnd]() {
        this.running = false;
        return true;
      },
    };
    const evicting = failure(evict(state, "hibernate"));
    await clock.advance(30_000);
    const error = await evicting;
    assert.equal(
      error.message,
      "Timed out waiting to evict Durable Object: it still has active references.",
    );
    assert.equal(error.constructor, Error);
    going.resolve();
    await idle();
    assert.equal(state.running, true, "it is not evicted later");
  });
});

/** The module with timers that a clock moves: they are taken when the package is loaded. */
async function withClock(t) {
  const { Clock } = await import("../support/clock.mjs");
  const clock = new Clock().install();
  t.after(() => clock.uninstall());
  const names = ["shared/real-timers", "shared/deadline", "durable-objects/eviction"];
  const files = names.map((name) => require.resolve(`../../dist/${name}.js`));
  const kept = files.map((file) => require.cache[file]);
  for (const file of files) delete require.cache[file];
  const { evict } = require("../../dist/durable-objects/eviction.js");
  for (const [i, file] of files.entries()) require.cache[file] = kept[i];
  return { clock, evict, withDeadlineOf: require("../../dist/shared/symbols.js") };
}

describe("eviction: ends", () => {
  test("eviction: a constructor that fails when it is woken closes the sockets, and is logged", async (t) => {
    let fails = false;
    const construct = ({ ctx }) => {
      if (fails) throw new Error(`cannot start with ${ctx.getWebSockets().length}`);
    };
    const { log, errors } = notingLog(NoOpLog);
    const served = await serveHibernating(t, { construct }, false, {}, { log });
    const { open, room, plugin, heard, inside } = served;
    const end = await open("a");
    await plugin[kEvict](room("a").id);
    fails = true;
    end.socket.send("dropped");
    assert.deepEqual(await end.heard(1), LOST);
    await until(errors, 1);
    assert.deepEqual([errors, heard], [["cannot start with 1"], []]);
    fails = false;
    assert.equal(await inside("a", (_room, ctx) => ctx.getWebSockets().length), 0);
  });

  test("eviction: a woken object that blocks gets its events afterwards", async (t) => {
    const going = deferred();
    const construct = ({ ctx }) => ctx.blockConcurrencyWhile(() => going.promise);
    const served = await serveHibernating(t, { ...ECHO, construct });
    const opening = served.open("a");
    going.resolve();
    const end = await opening;
    await served.plugin[kEvict](served.room("a").id);
    end.socket.send("x");
    assert.deepEqual(await end.heard(1), ["x"]);
  });

  test("eviction: abort of all objects rejects what runs, closes all sockets, and keeps what is stored", async (t) => {
    const { log } = notingLog(NoOpLog);
    const served = await serveHibernating(t, {}, false, {}, { log });
    const { open, inside, room, plugin, namespace, factory } = served;
    const ends = [await open("a"), await open("asleep")];
    await plugin[kEvict](room("asleep").id);
    await inside("a", (_room, ctx) => ctx.storage.put("key", "stays"));
    const running = inside("a", () => new Promise(() => {}));
    await idle();
    const reason = new Error("Application called abortAllDurableObjects().");
    plugin[kAbortObjects](reason);
    assert.equal(await failure(running), reason);
    for (const end of ends) assert.deepEqual(await end.heard(1), LOST);
    const storage = plugin.getStorage(factory, namespace.idFromName("a"));
    assert.equal(await storage.get("key"), "stays");
    assert.equal(await inside("a", (_room, ctx) => ctx.getWebSockets().length), 0);
  });

  test("eviction: reload and dispose close sockets that sleep", async (t) => {
    const served = await serveHibernating(t);
    const { open, room, plugin, mf, built } = served;
    const end = await open("a");
    await plugin[kEvict](room("a").id);
    await mf.reload();
    assert.deepEqual(await end.heard(1), LOST);
    end.socket.close(1000);
    await idle();
    assert.equal(built.length, 1);
    const next = await open("a");
    await plugin[kEvict](room("a").id);
    await mf.dispose();
    assert.deepEqual(await next.heard(1), LOST);
  });

  test("eviction: sockets of an inner savepoint close at its end, those of an outer one go on", async (t) => {
    const { open, plugin, heard, built } = await serveHibernating(t, ECHO);
    const enter = (savepoint) => {
      plugin[kEnterSavepoint](savepoint);
      plugin[kForgetObjects](savepoint);
    };
    enter(1);
    const outer = await open("a");
    enter(2);
    const inner = await open("a");
    outer.socket.send("1");
    inner.socket.send("2");
    assert.deepEqual([await outer.heard(1), await inner.heard(1)], [["1"], ["2"]]);
    assert.equal(built.length, 2);
    enter(1);
    assert.deepEqual((await inner.heard(2))[1], LOST[0]);
    outer.socket.send("3");
    assert.deepEqual(await outer.heard(2), ["1", "3"]);
    assert.deepEqual(
      heard.map(([, text]) => text),
      ["1", "2", "3"],
    );
    assert.equal(built.length, 3);
    enter(0);
    assert.deepEqual((await outer.heard(3))[2], LOST[0]);
  });

  test("eviction: sockets of an inner savepoint close at its end also where the instance stays", async (t) => {
    const { open, plugin, built, inside } = await serveHibernating(t, ECHO);
    plugin[kEnterSavepoint](1);
    const outer = await open("a");
    plugin[kEnterSavepoint](2);
    const inner = await open("a");
    plugin[kEnterSavepoint](1);
    assert.deepEqual(await inner.heard(1), LOST);
    outer.socket.send("goes on");
    assert.deepEqual(await outer.heard(1), ["goes on"]);
    assert.equal(await inside("a", (_room, ctx) => ctx.getWebSockets().length), 1);
    assert.equal(built.length, 1);
  });

  test("eviction: the code of an instance that was discarded reaches no socket of the next one", async (t) => {
    const { open, inside, plugin } = await serveHibernating(t, ECHO);
    plugin[kEnterSavepoint](1);
    const end = await open("a");
    const old = await inside("a", (_room, ctx) => ({ ctx, sockets: ctx.getWebSockets() }));
    plugin[kForgetObjects](1);
    assert.deepEqual(old.ctx.getWebSockets(), []);
    assert.throws(() => old.sockets[0].send("x"), TypeError);
    const { 0: client, 1: server } = new WebSocketPair();
    old.ctx.acceptWebSocket(server);
    const late = openEnd(client);
    assert.deepEqual(await late.heard(1), LOST);
    end.socket.send("goes on");
    assert.deepEqual(await end.heard(1), ["goes on"]);
    assert.equal(await inside("a", (_room, ctx) => ctx.getWebSockets().length), 1);
  });

  test("eviction: a connection of the HTTP server sleeps, and is closed with 1012 by a reload", async (t) => {
    const script = `import { DurableObject } from "cloudflare:workers";
      export class Room extends DurableObject {
        count = 0;
        fetch() { const pair = new WebSocketPair(); this.ctx.acceptWebSocket(pair[1]); return new Response(null, { status: 101, webSocket: pair[0] }); }
        webSocketMessage(socket, text) { socket.send(text + ++this.count); }
      }
      export default { fetch(request, env) { return env.ROOM.getByName("a").fetch(request); } };`;
    const mf = new Miniflare({ modules: true, script, durableObjects: { ROOM: "Room" }, port: 0 });
    const server = await mf.startServer();
    t.after(async () => {
      server.close();
      await mf.dispose();
    });
    const socket = new StandardWebSocket(`ws://127.0.0.1:${server.address().port}`);
    await once(socket, "open");
    const { DurableObjectsPlugin: plugin } = await mf.getPlugins();
    const answers = [];
    socket.on("message", (data) => answers.push(`${data}`));
    for (const expected of [["a1"], ["a1", "a1"]]) {
      socket.send("a");
      await until(answers, expected.length);
      assert.deepEqual(answers, expected);
      await plugin[kEvict]();
    }
    const closed = once(socket, "close");
    await mf.reload();
    const [code, reason] = await closed;
    assert.deepEqual([code, `${reason}`], [1012, "Service Restart"]);
  });
});
