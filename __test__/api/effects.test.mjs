// Nothing leaves an object before what the object had written by then is durable.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { D1DatabaseAPI } from "@miniflare/d1";
import { waitUntilOnOutputGate } from "@miniflare/shared";
import { Miniflare } from "ferroflare";
import { onEachBackend } from "../support/backends.mjs";
import { Child } from "../support/child.mjs";
import { deferred, idle } from "../support/plugin.mjs";
import { listen, serveRooms } from "../support/rooms.mjs";

const KILLED = fileURLToPath(new URL("../fixtures/effects/killed.mjs", import.meta.url));
/** How often a process is killed, by effect. */
const ROUNDS = { send: 3, close: 1, fetch: 1, timer: 1, waitUntil: 1, stub: 1, chunk: 1 };
const ignored = () => {};
const bytes = (text) => new TextEncoder().encode(text);

/**
 * Effects by name: `leave(room, globals)` lets one leave, in a handler, and `arrived` is told where it arrives. `start`
 * makes the object ready for it.
 */
const EFFECTS = {
  "ws.send()": {
    start: async ({ open }, arrived) => {
      const { socket } = await open("a");
      socket.addEventListener("message", arrived);
    },
    leave: ({ server }) => server.send("sent"),
  },
  "ws.close()": {
    start: async ({ open }, arrived) => {
      const { socket } = await open("a");
      socket.addEventListener("close", arrived);
    },
    leave: ({ server }) => server.close(1000, "closed"),
  },
  "fetch()": {
    leave: (_room, { globals, url }) => globals.fetch(`${url}/fetch`).catch(ignored),
  },
  "fetch() of a WebSocket": {
    leave: (_room, { globals, url }) =>
      globals.fetch(`${url}/upgrade`, { headers: { upgrade: "websocket" } }).catch(ignored),
  },
  "a call of another object": {
    leave: (_room, { room }) => room("other").fetch("http://room/arrive").catch(ignored),
  },
  "a call of a service binding": {
    leave: ({ env }) => env.SERVICE.fetch("http://service/").catch(ignored),
  },
  "a message to a queue": {
    leave: ({ env }) => env.QUEUE.send("sent").catch(ignored),
  },
  "a statement for a D1 database": {
    leave: ({ env }) => {
      const body = JSON.stringify({ sql: "SELECT 1" });
      return env.DATABASE.fetch("/query", { method: "POST", body }).catch(ignored);
    },
  },
  "a chunk of a body that was returned before": {
    start: async ({ room }, arrived) => {
      const { body } = await room("a").fetch("http://room/body");
      body.getReader().read().then(arrived, ignored);
    },
    leave: ({ writer }) => writer.write(bytes("chunk")).catch(ignored),
  },
  "a chunk of a body that is uploaded": {
    leave: (room) => room.upload.write(bytes("chunk")).catch(ignored),
    uploads: true,
  },
};

/** Objects that let an effect leave when they are told to, after `write(room)`. */
async function serveEffects(t, { leave, start = async () => {}, uploads }, write, persist) {
  const arrivals = [];
  const arrived = () => arrivals.push("arrived");
  const server = await listen(t, (request, response) => {
    if (uploads) {
      request.on("data", arrived);
      request.on("end", () => response.end());
      return;
    }
    arrived();
    response.end("ok");
  });
  server.sockets.on("connection", arrived);
  const fetch = (room, _request, path) => {
    if (path === "arrive") arrived();
    if (path === "leave") {
      write(room);
      leave(room, { ...served, url: server.url });
    }
    if (path === "socket") {
      const { server: end, response } = room.accept();
      room.server = end;
      return response;
    }
    const { TransformStream, Response } = served.globals;
    const { readable, writable } = new TransformStream();
    if (path === "body") {
      room.writer = writable.getWriter();
      return new Response(readable);
    }
    if (path === "upload") {
      room.upload = writable.getWriter();
      const uploading = served.globals.fetch(server.url, { method: "POST", body: readable });
      uploading.catch(ignored);
    }
    return new Response(path);
  };
  const service = () => {
    arrived();
    return new served.globals.Response();
  };
  const served = await serveRooms(t, { fetch, queue: arrived }, persist, {
    serviceBindings: { SERVICE: service },
    bindings: { DATABASE: new D1DatabaseAPI({ prepare: arrived }) },
    queueBindings: [{ name: "QUEUE", queueName: "queue" }],
    queueConsumers: [{ queueName: "queue", maxWaitMs: 1 }],
  });
  if (uploads) await served.ask("a", "upload");
  await start(served, arrived);
  /** Lets the effect leave, as part of a request that is not waited for. */
  const go = () => {
    const asked = served.ask("a", "leave");
    asked.catch(() => {});
    return asked;
  };
  return { ...served, go, arrivals, server };
}

const settledTurns = async (count) => {
  for (let turn = 0; turn < count; turn++) await idle();
};

const until = async (condition) => {
  while (!condition()) await new Promise(setImmediate);
};

describe("effects wait for what was written before them", () => {
  for (const [name, effect] of Object.entries(EFFECTS)) {
    test(`${name} leaves when the write is durable, and not before`, async (t) => {
      const durable = deferred();
      const write = () => waitUntilOnOutputGate(durable.promise);
      const { go, arrivals } = await serveEffects(t, effect, write);
      const asked = go();
      await settledTurns(5);
      assert.deepEqual(arrivals, []);
      durable.resolve();
      await asked;
      await until(() => arrivals.length > 0);
    });

    test(`${name} never leaves when the write has failed, and the object is reset`, async (t) => {
      const durable = deferred();
      const failure = new Error("disk full");
      const write = () => waitUntilOnOutputGate(durable.promise);
      const { go, arrivals, plugin, factory, namespace } = await serveEffects(t, effect, write);
      const asked = go();
      await idle();
      durable.reject(failure);
      await assert.rejects(asked, (reason) => reason === failure);
      await settledTurns(5);
      const ids = plugin.getObjects(factory, "ROOM").map(String);
      assert.ok(!ids.includes(String(namespace.idFromName("a"))));
      // Peers are told that the socket is gone, which is no frame of the object's.
      if (name !== "ws.close()") assert.deepEqual(arrivals, []);
    });

    test(`${name} leaves at once when nothing was written`, async (t) => {
      const { go, arrivals } = await serveEffects(t, effect, () => {});
      await go();
      await until(() => arrivals.length > 0);
    });
  }

  test("what one event has written holds back the effects of another", async (t) => {
    const durable = deferred();
    const handlers = {
      fetch: (room, _request, path) => {
        if (path === "write") waitUntilOnOutputGate(durable.promise);
        return room.accept({ message: (socket) => socket.send("answer") }).response;
      },
    };
    const { open, room } = await serveRooms(t, handlers);
    const end = await open("a");
    const writing = room("a").fetch("http://room/write");
    await idle();
    end.socket.send("ask");
    await settledTurns(5);
    assert.deepEqual(end.messages, []);
    durable.resolve();
    await writing;
    assert.deepEqual(await end.heard(1), ["answer"]);
  });

  test("frames keep their order, whichever of them has to wait", async (t) => {
    const writes = [deferred(), deferred()];
    const handlers = {
      fetch: (room, _request, path) => {
        if (path === "socket") {
          const { server, response } = room.accept();
          room.server = server;
          return response;
        }
        room.server.send("1");
        waitUntilOnOutputGate(writes[0].promise);
        room.server.send("2");
        waitUntilOnOutputGate(writes[1].promise);
        room.server.send("3");
        writes[0].promise.then(() => room.server.send("4"));
        writes[1].promise.then(() => {
          room.server.send("5");
          room.server.close(1000, "6");
        });
        return new served.globals.Response();
      },
    };
    const served = await serveRooms(t, handlers);
    const end = await served.open("a");
    const asked = served.ask("a", "go");
    await idle();
    assert.deepEqual(end.messages, ["1"]);
    writes[0].resolve();
    await idle();
    assert.deepEqual(end.messages, ["1", "2"]);
    writes[1].resolve();
    await asked;
    await end.heard(6);
    assert.deepEqual(end.messages, ["1", "2", "3", "4", "5"]);
    assert.deepEqual(end.closes, [{ code: 1000, reason: "6" }]);
  });

  test("a frame of a transaction's closure does not overtake one that waits for the transaction", async (t) => {
    const handlers = {
      fetch: async (room) => {
        const { server, response } = room.accept();
        const going = room.storage.transaction(async (txn) => {
          await idle();
          server.send("inside");
          await txn.put("key", 1);
          // A call from the closure does not wait for the end of its own transaction.
          await served.room("other").fetch("http://room/other");
        });
        server.send("outside");
        await going;
        return response;
      },
    };
    const served = await serveRooms(t, {
      fetch: (room, request, path) =>
        path === "other" ? new served.globals.Response() : handlers.fetch(room, request),
    });
    const end = await served.open("a");
    assert.deepEqual(await end.heard(2), ["outside", "inside"]);
  });

  test("send() and close() check their arguments at once, also when they wait", async (t) => {
    const durable = deferred();
    const errors = [];
    const attempt = (closure) => {
      try {
        closure();
      } catch (error) {
        errors.push(`${error.name}: ${error.message}`);
      }
    };
    const fetch = (room) => {
      const { server, response } = room.accept();
      waitUntilOnOutputGate(durable.promise);
      attempt(() => server.close(1));
      server.close(1000);
      attempt(() => server.send("late"));
      attempt(() => server.close());
      attempt(() => response.webSocket.send("not accepted"));
      durable.resolve();
      return response;
    };
    const { open } = await serveRooms(t, { fetch });
    const end = await open("a");
    await end.heard(1);
    assert.deepEqual(errors, [
      "TypeError: Invalid WebSocket close code.",
      "TypeError: Can't call WebSocket send() after close().",
      "TypeError: WebSocket already closed",
      "TypeError: You must call accept() on this WebSocket before sending messages.",
    ]);
  });

  test("a message that an object receives does not wait for its own writes", async (t) => {
    const durable = deferred();
    const server = await listen(t);
    server.sockets.on("connection", (socket) => {
      connected.resolve(socket);
    });
    const connected = deferred();
    const heard = deferred();
    const fetch = async () => {
      const headers = { upgrade: "websocket" };
      const { webSocket } = await globals.fetch(server.url, { headers });
      webSocket.accept();
      webSocket.addEventListener("message", ({ data }) => heard.resolve(data));
      waitUntilOnOutputGate(durable.promise);
      return new globals.Response();
    };
    const { globals, ask } = await serveRooms(t, { fetch });
    const asked = ask("a", "open");
    (await connected.promise).send("hello");
    assert.equal(await heard.promise, "hello");
    durable.resolve();
    await asked;
  });
});

describe("effects wait for a Redis server that stands still", () => {
  onEachBackend(
    "put() without await",
    (place) => {
      for (const [name, effect] of Object.entries(EFFECTS)) {
        test(`then ${name}`, async (t) => {
          const persist = await place(t);
          const write = ({ storage }) => void storage.put("key", "written");
          const { go, arrivals } = await serveEffects(t, effect, write, persist);
          place.server().freeze();
          const asked = go();
          await settledTurns(10);
          assert.deepEqual(arrivals, []);
          place.server().thaw();
          await until(() => arrivals.length > 0);
          await asked;
        });
      }
    },
    ["redis"],
  );
});

describe("what a peer has seen survives kill -9", { concurrency: 2 }, () => {
  onEachBackend(
    "put() without await, killed at the moment when the effect arrives",
    (place) => {
      for (const [effect, rounds] of Object.entries(ROUNDS)) {
        test(`${effect}: ${rounds} of ${rounds} rounds`, async (t) => {
          for (let round = 1; round <= rounds; round++) {
            const at = await place(t);
            const value = `${effect} ${round}`;
            const child = new Child(KILLED).go({ effect, place: at, value });
            const { signal } = await child.ended;
            assert.equal(signal, "SIGKILL", child.stderr);
            const mf = new Miniflare({
              modules: true,
              script: "export class Writer {} export default { fetch() {} }",
              durableObjects: { WRITER: "Writer" },
              durableObjectsPersist: at,
            });
            const namespace = await mf.getDurableObjectNamespace("WRITER");
            const storage = await mf.getDurableObjectStorage(namespace.idFromName("writer"));
            const found = await storage.get("key");
            await mf.dispose();
            assert.equal(found, value);
          }
        });
      }
    },
    ["files", "redis"],
  );
});
