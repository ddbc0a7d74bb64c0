// Workers that ask for much at once: what limits them, and that the object, its storage and the process go on.
// FERROFLARE_HOSTILE=long has the sizes of the headings of each row.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { WebSocket } from "ws";
import { Miniflare } from "../../index.mjs";
import { onEachBackend } from "../support/backends.mjs";
import { assertOutcome, isLong, outcome } from "../support/hostile.mjs";
import { deferred } from "../support/plugin.mjs";

const script = `
export class Greedy {
  constructor({ storage }) {
    this.storage = storage;
  }
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const count = Number(searchParams.get("count"));
    return this[pathname.slice(1)](count);
  }
  async nested(count) {
    let ended = 0;
    await this.storage.transaction(async (outer) => {
      await outer.put("outer", 1);
      await Promise.all(
        Array.from({ length: count }, (_, at) =>
          this.storage.transaction(async (inner) => {
            await inner.put("key " + (at % 100), at);
            ended++;
          }),
        ),
      );
    });
    return Response.json([ended, (await this.storage.list()).size]);
  }
  async counted(count) {
    const add = async (txn) => txn.put("sum", ((await txn.get("sum")) ?? 0) + 1);
    await Promise.all(Array.from({ length: count }, () => this.storage.transaction(add)));
    return Response.json(await this.storage.get("sum"));
  }
  async fill(count) {
    const value = new Uint8Array(32_000);
    for (let at = 0; at < count; at++) {
      value[0] = at;
      this.storage.put("key " + at, value);
      if (at % 1000 === 999) await this.storage.sync();
    }
    const sizes = [...(await this.storage.list({ start: "key 9", limit: 3 })).values()];
    return Response.json([sizes.map(({ length }) => length), (await this.storage.get("key 7"))[0]]);
  }
  async sockets(count) {
    let heard = 0;
    const pairs = Array.from({ length: count }, () => Object.values(new WebSocketPair()));
    const all = new Promise((resolve) => {
      for (const [, server] of pairs) {
        server.accept();
        server.addEventListener("message", () => ++heard === count && resolve());
      }
    });
    for (const [client] of pairs) {
      client.accept();
      client.send("x");
    }
    await all;
    for (const [client] of pairs) client.close(1000);
    return Response.json(heard);
  }
  async echo() {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(String(data.byteLength)));
    return new Response(null, { status: 101, webSocket: client });
  }
}
export default {
  fetch: (request, { GREEDY }) => GREEDY.get(GREEDY.idFromName("one")).fetch(request),
}`;

const MIB = 1024 * 1024;
/** What is asked for: in the short form, and as the heading says. */
const size = (short, long) => (isLong ? long : short);

onEachBackend("greedy workers", (place) => {
  let mf;
  const done = [];
  before(async () => {
    const durableObjectsPersist = await place({ after: (clean) => done.push(clean) });
    const durableObjects = { GREEDY: "Greedy" };
    mf = new Miniflare({ modules: true, script, durableObjects, durableObjectsPersist });
  });
  after(async () => {
    await mf.dispose();
    for (const clean of done.reverse()) await clean();
  });
  const asked = async (what, count) =>
    (await mf.dispatchFetch(`http://localhost/${what}?count=${count}`)).json();
  const storageOf = async (name) =>
    mf.getDurableObjectStorage((await mf.getDurableObjectNamespace("GREEDY")).idFromName(name));

  test("a transaction that starts 10,000 others ends, and so do they", async () => {
    const count = size(1000, 10_000);
    assert.deepEqual(await asked("nested", count), [count, 101]);
  });

  test("10,000 transactions at once on one key are all counted", async () => {
    const count = size(150, 10_000);
    assert.equal(await asked("counted", count), count);
  });

  test("1 GB in values of 32 KB is stored: the memory or the disk is the limit, not the count of keys", async () => {
    const count = size(500, 32_768);
    assert.deepEqual(await asked("fill", count), [Array(3).fill(32_000), 7]);
  });

  test("a closure outside of objects that never settles leaves other operations alone", async () => {
    const storage = await storageOf("never settles");
    const begun = deferred();
    const never = storage.transaction(async (txn) => {
      await txn.put("k", 1);
      begun.resolve();
      await new Promise(() => {});
    });
    await begun.promise;
    await storage.put("k", 2);
    assert.equal(await storage.transaction((txn) => txn.get("k")), 2);
    assert.equal(await Promise.race([never, storage.get("k")]), 2);
  });

  test("outside of objects a transaction may run in the closure of another one", async () => {
    const storage = await storageOf("closure");
    const inner = () => storage.transaction(() => storage.transaction(() => "inner"));
    assert.deepEqual(await outcome(inner), { value: "inner" });
  });
});

describe("sockets", () => {
  let mf;
  let server;
  let address;
  before(async () => {
    mf = new Miniflare({ modules: true, script, durableObjects: { GREEDY: "Greedy" }, port: 0 });
    server = await mf.startServer();
    address = `ws://127.0.0.1:${server.address().port}/echo`;
  });
  after(async () => {
    await mf.dispose();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test("a worker may have 10,000 WebSockets open", async () => {
    const count = size(1000, 10_000);
    const response = await mf.dispatchFetch(`http://localhost/sockets?count=${count}`);
    assert.equal(await response.json(), count);
  });

  /** Sends one frame; gives the answer, or how the connection was closed. */
  async function framed(bytes) {
    const socket = new WebSocket(address);
    await once(socket, "open");
    const answered = once(socket, "message").then(([message]) => ({ answer: Number(message) }));
    const closed = once(socket, "close").then(([code]) => ({ closed: code }));
    // Whichever comes first counts.
    for (const end of [answered, closed]) end.catch(() => {});
    socket.send(Buffer.alloc(bytes));
    const result = await Promise.race([answered, closed]);
    socket.close();
    return result;
  }

  for (const [bytes, expected] of [
    [size(8 * MIB, 64 * MIB), "answered"],
    [100 * MIB, "answered"],
    [100 * MIB + 1, "closed with 1009"],
  ]) {
    if (!isLong && bytes === 100 * MIB) continue;
    test(`a frame of ${bytes} bytes is ${expected}`, async () => {
      const result = await framed(bytes);
      assert.deepEqual(result, expected === "answered" ? { answer: bytes } : { closed: 1009 });
      assert.deepEqual(await framed(5), { answer: 5 });
    });
  }
});

describe("values and keys at their limits", () => {
  let mf;
  after(() => mf.dispose());

  test("a value of 1 GB is refused by its size, one key more than a batch takes by its count", async () => {
    mf = new Miniflare({ modules: true, script, durableObjects: { GREEDY: "Greedy" } });
    const namespace = await mf.getDurableObjectNamespace("GREEDY");
    const storage = await mf.getDurableObjectStorage(namespace.idFromName("x"));
    const bytes = new Uint8Array(size(64 * MIB, 1024 * MIB));
    const error = { name: "RangeError", code: "ERR_VALUE_TOO_LARGE" };
    assertOutcome(
      await outcome(() => storage.put("k", bytes)),
      { ...error, message: "Values cannot be larger than 32768 bytes." },
      "put",
    );
    assertOutcome(
      await outcome(() => storage.put({ a: 1, k: bytes })),
      { ...error, message: 'Value for key "k" is above the limit of 32768 bytes.' },
      "put of several",
    );
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`key ${at}`, at]));
    const tooMany = { name: "RangeError", code: "ERR_TOO_MANY_KEYS" };
    const pairs = { ...tooMany, message: "Maximum number of pairs is 128." };
    const keys = { ...tooMany, message: "Maximum number of keys is 128." };
    assertOutcome(await outcome(() => storage.put(many)), pairs, "put");
    assertOutcome(await outcome(() => storage.get(Object.keys(many))), keys, "get");
    assertOutcome(await outcome(() => storage.delete(Object.keys(many))), keys, "delete");
    assert.equal((await storage.list()).size, 0);
  });
});
