// Every event of an object enters through its input gate, in order of arrival.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { getRequestContext, RequestContext } from "@miniflare/shared";
import { _kRunWithGates } from "../../index.mjs";
import { onEachBackend } from "../support/backends.mjs";
import { deferred, idle } from "../support/plugin.mjs";
import { bump, listen, serveRooms } from "../support/rooms.mjs";

const { kEvict } = createRequire(import.meta.url)("../../dist/shared/symbols.js");

const COUNT = 40;
/** A time that no test lives to see. */
const FAR_MS = 4_000_000_000_000;
const EACH = Array.from({ length: COUNT }, (_, i) => i + 1);
const texts = EACH.map(String);

/** Runs `closure` for each of the events at once. */
const atOnce = (closure) => Promise.all(EACH.map(closure));

onEachBackend("events enter through the input gate", (place) => {
  test("messages sent at once that each read, add one and write are all counted", async (t) => {
    const message = async ({ socket, storage }) => socket.send(String(await bump(storage)));
    const fetch = (room) =>
      room.accept({ message: (socket) => message({ socket, storage: room.storage }) }).response;
    const { open, storage } = await serveRooms(t, { fetch }, await place(t));
    const end = await open("a");
    for (const text of texts) end.socket.send(text);
    assert.deepEqual(await end.heard(COUNT), texts);
    assert.equal(await storage("a").get("count"), COUNT);
  });

  test("messages of several sockets count too, and closes with them", async (t) => {
    const done = deferred();
    const handlers = {
      fetch: (room) =>
        room.accept({
          message: () => bump(room.storage),
          close: async () => (await bump(room.storage)) === 4 * 6 && done.resolve(),
        }).response,
    };
    const { open, storage } = await serveRooms(t, handlers, await place(t));
    const ends = await Promise.all(["1", "2", "3", "4"].map(() => open("a")));
    for (let i = 0; i < 5; i++) for (const { socket } of ends) socket.send("x");
    for (const { socket } of ends) socket.close(1000, "done");
    await done.promise;
    assert.equal(await storage("a").get("count"), 24);
  });

  test("messages of a socket that the object has opened", async (t) => {
    const server = await listen(t);
    server.sockets.on("connection", (socket) => {
      for (const text of texts) socket.send(text);
    });
    const counted = deferred();
    const fetch = async (room) => {
      const answer = await globals.fetch(server.url, { headers: { upgrade: "websocket" } });
      answer.webSocket.addEventListener("message", async () => {
        if ((await bump(room.storage)) === COUNT) counted.resolve();
      });
      answer.webSocket.accept();
      await counted.promise;
      return new globals.Response("counted");
    };
    const { globals, ask, storage } = await serveRooms(t, { fetch }, await place(t));
    assert.equal(await ask("a", "open"), "counted");
    assert.equal(await storage("a").get("count"), COUNT);
  });

  test("timers, intervals and waits", async (t) => {
    const kinds = {
      timers: (storage, { setTimeout }) =>
        atOnce(() => new Promise((resolve) => setTimeout(() => resolve(bump(storage)), 1))),
      intervals: (storage, { setInterval, clearInterval }) =>
        atOnce(
          () =>
            new Promise((resolve) => {
              const timer = setInterval(() => {
                clearInterval(timer);
                resolve(bump(storage));
              }, 1);
            }),
        ),
      waits: (storage, { scheduler }) =>
        atOnce(async () => {
          await scheduler.wait(1);
          await bump(storage);
        }),
    };
    const fetch = async (room, _request, kind) => {
      await kinds[kind](room.storage, globals);
      return new globals.Response(String(await room.storage.get("count")));
    };
    const served = await serveRooms(t, { fetch }, await place(t), { globalTimers: true });
    const { globals, ask } = served;
    for (const kind of Object.keys(kinds)) {
      assert.equal(await ask(kind, kind), String(COUNT), kind);
    }
  });

  test("continuations of fetch(), of calls of another object, and of reading their bodies", async (t) => {
    const server = await listen(t);
    const calls = {
      fetch: () => globals.fetch(server.url),
      stub: () => room("other").fetch("http://room/plain"),
      body: async () => (await room("other").fetch("http://room/plain")).text(),
    };
    const fetch = async ({ storage }, _request, path) => {
      if (path === "plain") return new globals.Response("plain");
      await atOnce(async () => {
        await calls[path]();
        await bump(storage);
      });
      return new globals.Response(String(await storage.get("count")));
    };
    const { globals, room, ask } = await serveRooms(t, { fetch }, await place(t));
    for (const call of Object.keys(calls)) {
      assert.equal(await ask(call, call), String(COUNT), call);
    }
  });

  test("two objects that call one another", async (t) => {
    const fetch = async ({ storage }, request, path) => {
      const other = new URL(request.url).searchParams.get("other");
      const call = async () => {
        await room(other).fetch("http://room/back");
        await bump(storage);
      };
      if (path === "call") await Promise.all(EACH.slice(0, 10).map(call));
      if (path === "back") await bump(storage);
      return new globals.Response(String(await storage.get("count")));
    };
    const { globals, room, ask } = await serveRooms(t, { fetch }, await place(t));
    await Promise.all([ask("a", "call?other=b"), ask("b", "call?other=a")]);
    assert.equal(await ask("a", "count"), "20");
    assert.equal(await ask("b", "count"), "20");
  });

  test("alarms among messages", async (t) => {
    const rings = deferred();
    const handlers = {
      fetch: async (room, _request, path) => {
        if (path === "last") return new globals.Response("last");
        await room.storage.setAlarm(Date.now());
        return room.accept({ message: () => bump(room.storage) }).response;
      },
      alarm: async ({ storage }) => {
        await bump(storage);
        if ((await bump(storage, "rings")) === 5) rings.resolve();
        else await storage.setAlarm(Date.now());
      },
    };
    const { globals, open, storage, ask } = await serveRooms(t, handlers, await place(t));
    const end = await open("a");
    for (const text of texts) end.socket.send(text);
    await rings.promise;
    // A request enters after the messages, which came before.
    await ask("a", "last");
    assert.equal(await storage("a").get("count"), COUNT + 5);
  });
});

describe("events keep their order of arrival", () => {
  /** An object that notes its events, and is blocked until `unblock()`. */
  async function blocked(t) {
    const entered = [];
    const blocking = deferred();
    const handlers = {
      fetch: (room, _request, path) => {
        if (path === "block") {
          room.state.blockConcurrencyWhile(() => blocking.promise);
          return new served.globals.Response("blocked");
        }
        entered.push(`fetch ${path}`);
        const message = (_socket, { data }) => entered.push(`message ${data}`);
        const close = (_socket, { code }) => entered.push(`close ${code}`);
        return room.accept({ message, close }).response;
      },
      alarm: () => entered.push("alarm"),
    };
    const served = await serveRooms(t, handlers);
    const ends = [await served.open("a", "1"), await served.open("a", "2")];
    entered.length = 0;
    await served.ask("a", "block");
    return { ...served, ends, entered, unblock: blocking.resolve };
  }

  test("messages, closes, requests and alarms wait together and enter one after the other", async (t) => {
    const { ends, entered, unblock, room, storage, plugin, factory } = await blocked(t);
    const asked = [];
    const arrive = async (event) => {
      event();
      await idle();
    };
    await arrive(() => ends[0].socket.send("a"));
    await arrive(() => asked.push(room("a").fetch("http://room/x")));
    await arrive(() => ends[1].socket.send("b"));
    await storage("a").setAlarm(FAR_MS);
    await arrive(() => asked.push(plugin.flushAlarms(factory)));
    await arrive(() => ends[0].socket.close(4000, "enough"));
    await arrive(() => asked.push(room("a").fetch("http://room/y")));
    await arrive(() => ends[1].socket.send("c"));
    assert.deepEqual(entered, []);
    unblock();
    await Promise.all(asked);
    await idle();
    const expected = [
      "message a",
      "fetch x",
      "message b",
      "alarm",
      "close 4000",
      "fetch y",
      "message c",
    ];
    assert.deepEqual(entered, expected);
  });

  test("an event that comes while others wait for their turn does not overtake them", async (t) => {
    const entered = [];
    const first = deferred();
    const handlers = {
      fetch: async (room, _request, path) => {
        if (path === "first") await room.state.blockConcurrencyWhile(() => first.promise);
        // Each request closes the gate again, so that those behind it wait on.
        else await room.state.blockConcurrencyWhile(async () => entered.push(path));
        return new served.globals.Response();
      },
    };
    const served = await serveRooms(t, handlers);
    const asked = [served.ask("a", "first")];
    await idle();
    for (const path of ["1", "2", "3"]) asked.push(served.ask("a", path));
    await idle();
    first.resolve();
    for (let turn = 0; turn < 4; turn++) {
      await new Promise(setImmediate);
      asked.push(served.ask("a", `late ${turn}`));
    }
    await Promise.all(asked);
    const late = [0, 1, 2, 3].map((turn) => encodeURI(`late ${turn}`));
    assert.deepEqual(entered, ["1", "2", "3", ...late]);
  });

  test("a timer that is cleared while its event waits does not fire, and an interval does not pile up", async (t) => {
    const fires = [];
    const set = (callback) => {
      fires.push(callback);
      return {};
    };
    const clear = () => {};
    const given = { setTimeout: set, setInterval: set, clearTimeout: clear, clearInterval: clear };
    const fired = [];
    const blocking = deferred();
    const cleared = [];
    const fetch = ({ state }, _request, path) => {
      const { setTimeout, setInterval, Response } = served.globals;
      if (path === "block") state.blockConcurrencyWhile(() => blocking.promise);
      else {
        cleared.push(setTimeout(() => fired.push("timeout"), 1));
        cleared.push(setInterval(() => fired.push("cleared"), 1));
        setInterval((word) => fired.push(word), 1, "interval");
      }
      return new Response();
    };
    const served = await serveRooms(t, { fetch }, false, { globals: given });
    await served.ask("a", "set");
    await served.ask("a", "block");
    for (const fire of [...fires, ...fires, ...fires]) fire("interval");
    await idle();
    served.globals.clearTimeout(cleared[0]);
    served.globals.clearInterval(cleared[1]);
    assert.deepEqual(fired, []);
    blocking.resolve();
    await idle();
    assert.deepEqual(fired, ["interval"]);
    fires[2]("interval");
    await idle();
    assert.deepEqual(fired, ["interval", "interval"]);
  });

  test("all listeners of a message run in one event, and none of them after it was removed", async (t) => {
    const seen = [];
    const fetch = (room) => {
      const { server, response } = room.accept();
      const removed = () => seen.push("removed");
      const object = { handleEvent: ({ data }) => seen.push(`object ${data}`) };
      server.addEventListener("message", ({ data }) => seen.push(`first ${data}`));
      server.addEventListener("message", removed);
      server.addEventListener("message", object);
      server.addEventListener("message", () => seen.push("once"), { once: true });
      server.removeEventListener("message", removed);
      return response;
    };
    const { open } = await serveRooms(t, { fetch });
    const { socket } = await open("a");
    socket.send("x");
    socket.send("y");
    await idle();
    assert.deepEqual(seen, ["first x", "object x", "once", "first y", "object y"]);
  });
});

describe("a handler is code of its object", () => {
  test("it has a request context of its own", async (t) => {
    const contexts = [];
    const fetch = (room) =>
      room.accept({ message: () => contexts.push(getRequestContext()) }).response;
    const { open } = await serveRooms(t, { fetch });
    const { socket } = await open("a");
    await new RequestContext({ requestDepth: 7 }).runWith(async () => {
      socket.send("1");
      socket.send("2");
      await idle();
    });
    assert.deepEqual(
      contexts.map(({ durableObject, requestDepth }) => ({ durableObject, requestDepth })),
      Array.from({ length: 2 }, () => ({ durableObject: true, requestDepth: 1 })),
    );
    assert.notEqual(contexts[0], contexts[1]);
  });

  test("events that a section of blockConcurrencyWhile() has started enter the section", async (t) => {
    const server = await listen(t);
    const handlers = {
      construct: (room) =>
        room.state.blockConcurrencyWhile(async () => {
          await new Promise((resolve) => globals.setTimeout(resolve, 1));
          await globals.scheduler.wait(1);
          room.text = await (await globals.fetch(server.url)).text();
          const { server: end, response } = room.accept();
          const heard = new Promise((resolve) => end.addEventListener("message", resolve));
          response.webSocket.accept();
          response.webSocket.send("inside");
          room.data = (await heard).data;
        }),
      fetch: ({ text, data }) => new globals.Response(`${text} ${data}`),
    };
    const options = { globalTimers: true, globalAsyncIO: true };
    const { globals, ask } = await serveRooms(t, handlers, false, options);
    assert.equal(await ask("a", ""), "ok inside");
  });

  test("the constructor's timers and calls are events of its own object, not of the one that calls", async (t) => {
    const fired = deferred();
    const handlers = {
      construct: (room) => {
        if (room.state.id.toString() === callee.id.toString()) {
          globals.setTimeout(fired.resolve, 1);
        }
      },
      fetch: async (room, _request, path) => {
        if (path === "callee") return new globals.Response("callee");
        const answer = callee.fetch("http://room/callee");
        await room.state.blockConcurrencyWhile(() => fired.promise);
        return answer;
      },
    };
    const { globals, room, ask } = await serveRooms(t, handlers, false, { globalTimers: true });
    const callee = room("callee");
    assert.equal(await ask("a", "call"), "callee");
  });

  test("an object is not evicted while the handler of a message or a timer runs", async (t) => {
    for (const kind of ["message", "timer"]) {
      const running = deferred();
      const over = deferred();
      const handle = async () => {
        running.resolve();
        await over.promise;
      };
      const fetch = (room) => {
        if (kind === "timer") globals.setTimeout(handle, 1);
        return room.accept({ message: handle }).response;
      };
      const served = await serveRooms(t, { fetch }, false, { globalTimers: true });
      const { globals, open, plugin, factory, room } = served;
      const { socket } = await open("a");
      if (kind === "message") socket.send("x");
      await running.promise;
      let evicted = false;
      const evicting = plugin[kEvict](room("a").id).then(() => {
        evicted = true;
      });
      await idle();
      assert.ok(!evicted, kind);
      assert.equal(plugin.getObjects(factory, "ROOM").length, 1);
      over.resolve();
      await evicting;
      assert.equal(plugin.getObjects(factory, "ROOM").length, 0);
    }
  });

  test("what a handler throws is one unhandled rejection", async (t) => {
    const handlers = {
      fetch: (room) =>
        room.accept({
          message: async (_socket, { data }) => {
            if (data === "later") await null;
            throw new Error(`thrown ${data}`);
          },
        }).response,
    };
    const { open, ask } = await serveRooms(t, handlers);
    const { socket } = await open("a");
    const failures = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", ({ message }) => failures.push(message));
    t.after(() => {
      process.removeAllListeners("unhandledRejection");
      for (const listener of listeners) process.on("unhandledRejection", listener);
    });
    socket.send("now");
    socket.send("later");
    await ask("a", "x");
    await idle();
    assert.deepEqual(failures, ["thrown now", "thrown later"]);
  });

  test("a state runs a closure with gates like a message", async (t) => {
    const { plugin, factory, room } = await serveRooms(t, { fetch: () => undefined });
    const state = await plugin.getObject(factory, room("a").id);
    const blocking = deferred();
    const entered = [];
    state.blockConcurrencyWhile(() => blocking.promise);
    const ran = state[_kRunWithGates](() => entered.push("closure"));
    await idle();
    assert.deepEqual(entered, []);
    blocking.resolve();
    await ran;
    assert.deepEqual(entered, ["closure"]);
  });
});
