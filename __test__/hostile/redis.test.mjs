// A Redis that answers nonsense, slowly or never: one error each, in time, that names the server and no password.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, test } from "node:test";
import { Miniflare } from "../../index.mjs";
import { outcome } from "../support/hostile.mjs";
import { listener } from "../support/listener.mjs";
import { redisServer } from "../support/redis.mjs";

const SECRET = "s3cret-word";
const script = "export class Any { alarm() {} }; export default { fetch() {} }";

/** A server that `answer` speaks for: it gets each piece of bytes, and the socket. */
const listen = (t, answer) =>
  listener(t, (socket) => socket.on("data", (bytes) => answer(socket, bytes)));

async function firstUse(t, host) {
  const mf = new Miniflare({
    modules: true,
    script,
    durableObjects: { ANY: "Any" },
    durableObjectsPersist: `redis://:${SECRET}@${host}`,
  });
  t.after(() => mf.dispose().catch(() => {}));
  return outcome(async () => {
    const namespace = await mf.getDurableObjectNamespace("ANY");
    const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
    await storage.put("k", 1);
    return storage.get("k");
  });
}

/** What a server answers to everything. */
const answers = [
  ["a line of nothing", "\r\n"],
  ["what is no reply", "hello\r\n"],
  ["zeros", Buffer.alloc(64)],
  ["random bytes", Buffer.from(Array.from({ length: 256 }, (_, at) => (at * 197 + 13) % 256))],
  ["a text that is never complete", "$100\r\nabc"],
  ["a text of a negative length", "$-5\r\n"],
  ["a text of 8 EiB", "$9223372036854775807\r\n"],
  ["a text whose length is no number", "$x\r\n"],
  ["an array of 2^31 parts", "*2147483647\r\n"],
  ["an array of a negative length", "*-7\r\n"],
  ["arrays in arrays, 100,000 deep", "*1\r\n".repeat(100_000)],
  ["a number that is none", ":12x\r\n"],
  ["a number of 100 digits", `:${"9".repeat(100)}\r\n`],
  ["a line of 1 MiB", `+${"x".repeat(1024 * 1024)}\r\n`],
  ["an error with control characters", "-ERR \u001b[31m\0bad\r\n"],
  ["too many replies", "+OK\r\n".repeat(1000)],
  ["null for everything", "$-1\r\n"],
  ["a number for everything", ":5\r\n"],
  ["an empty array for everything", "*0\r\n"],
];

/** Stands between a program and a server, and gives each piece of an answer to `change`. */
function between(t, server, change) {
  return listener(t, (client) => {
    const [host, port] = server.host.split(":");
    const back = net.connect(Number(port), host);
    back.on("error", () => {});
    for (const socket of [client, back]) {
      socket.on("close", () => {
        client.destroy();
        back.destroy();
      });
    }
    client.on("data", (bytes) => back.write(bytes));
    back.on("data", (bytes) => change(client, bytes));
  });
}

/** What a server answers that was right before. */
const later = [
  ["what is no reply", "*3\r\n$-5\r\nwhat?\r\n"],
  ["a number", ":5\r\n"],
  ["an empty array", "*0\r\n"],
  ["a value that is none", "*1\r\n$5\r\nhello\r\n"],
  ["a commit of the wrong shape", "*3\r\n$2\r\nok\r\n*0\r\n:-1\r\n"],
  ["text that is no text", "*2\r\n$2\r\n\xff\xfe\r\n$-1\r\n"],
];

describe("a Redis", { concurrency: 32 }, () => {
  for (const [what, bytes] of answers) {
    test(`that answers ${what}: one error`, async (t) => {
      const host = await listen(t, (socket) => socket.write(bytes));
      const { name, code, message } = await firstUse(t, host);
      assert.equal(name, "Error", message);
      assert.match(code, /^ERR_REDIS_/, message);
      // What is a reply, but not to what was asked, is shown itself.
      assert.ok(message.includes(host) || code === "ERR_REDIS_ANSWER", message);
      assert.ok(!message.includes(SECRET), message);
      assert.ok(message.length < 1000, `a message of ${message.length} characters`);
      assert.ok(
        [...message].every((character) => character >= " "),
        JSON.stringify(message),
      );
    });
  }

  test("whose answers come byte by byte is only slow", async (t) => {
    const server = await redisServer(t);
    let last = Promise.resolve();
    const host = await between(t, server, (client, bytes) => {
      for (const byte of bytes) {
        last = last.then(() => {
          client.write(Buffer.of(byte));
          return new Promise(setImmediate);
        });
      }
    });
    const mf = new Miniflare({
      modules: true,
      script,
      durableObjects: { ANY: "Any" },
      durableObjectsPersist: `redis://${host}`,
    });
    t.after(() => mf.dispose());
    const namespace = await mf.getDurableObjectNamespace("ANY");
    const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
    await storage.put({ a: 1, b: "x".repeat(200) });
    assert.deepEqual(
      await storage.list(),
      new Map([
        ["a", 1],
        ["b", "x".repeat(200)],
      ]),
    );
  });

  for (const [what, bytes] of later) {
    test(`that answers ${what} later: one error, and it serves again when it is itself`, async (t) => {
      const server = await redisServer(t);
      let isMad = false;
      const host = await between(t, server, (client, right) => {
        client.write(isMad ? bytes : right);
      });
      const mf = new Miniflare({
        modules: true,
        script,
        durableObjects: { ANY: "Any" },
        durableObjectsPersist: `redis://${host}`,
      });
      t.after(() => mf.dispose());
      const namespace = await mf.getDurableObjectNamespace("ANY");
      const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
      await storage.put("k", 1);
      isMad = true;
      const { code, message } = await outcome(() => storage.get("k"));
      if (what === "a value that is none") assert.equal(code, "ERR_DESERIALIZATION");
      else {
        assert.match(code ?? "", /^ERR_REDIS_/, message);
        assert.ok(message.includes(host) || code === "ERR_REDIS_ANSWER", message);
      }
      isMad = false;
      assert.equal(await storage.get("k"), 1);
      await storage.put("k", 2);
      assert.equal(await storage.get("k"), 2);
    });
  }
});
