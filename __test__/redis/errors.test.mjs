// What can be wrong with a Redis: one clear error each, without the password in it, never a hang, and afterwards it works again.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import { describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { fixtures, runCli, until } from "../support/cli.mjs";
import { count, options, storageOf } from "../support/files.mjs";
import { listener } from "../support/listener.mjs";
import { freePort, redisServer, redisVersion, replicaOf } from "../support/redis.mjs";

const SECRET = "s3cret-word";
/** No operation takes as long: a test that waits longer hangs. */
const HANG_MS = 60_000;

function orHang(promise) {
  let timer;
  const hang = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), HANG_MS);
  });
  return Promise.race([promise, hang]).finally(() => clearTimeout(timer));
}

function miniflare(t, place, more) {
  const mf = new Miniflare({ ...options, durableObjectsPersist: place, ...more });
  // A start that failed fails again when it is disposed of.
  t.after(() => orHang(mf.dispose().catch(() => {})));
  return mf;
}

/** The error of an operation, which must name the server and hide the password. */
async function refusal(promise, { host, says, code }) {
  const error = await orHang(
    promise.then(
      () => undefined,
      (reason) => reason,
    ),
  );
  assert.ok(error instanceof Error, "nothing was refused");
  assert.ok(!/^it hangs$/.test(error.message), error.message);
  const text = `${error.message}\n${error.stack}\n${error.cause ?? ""}`;
  assert.ok(!text.includes(SECRET), text);
  assert.ok(!error.message.includes("\n"), `more than one line: ${error.message}`);
  if (host !== undefined) assert.ok(error.message.includes(host), error.message);
  assert.match(error.message, says);
  if (code instanceof RegExp) assert.match(error.code, code);
  else assert.equal(error.code, code, error.message);
  return error;
}

const put = async (mf, value = 1) => (await storageOf(mf)).storage.put("key", value);
const get = async (mf, key = "key") => (await storageOf(mf)).storage.get(key);

describe("at the start", { concurrency: 6 }, () => {
  test("no server listens", async (t) => {
    const host = `127.0.0.1:${await freePort()}`;
    const mf = miniflare(t, `redis://user:${SECRET}@${host}`);
    await refusal(put(mf), { host, says: /refused|connect/i, code: "ERR_REDIS_UNREACHABLE" });
  });

  test("no such host", async (t) => {
    const host = "no-such-host.invalid:6379";
    const mf = miniflare(t, `redis://:${SECRET}@${host}`);
    await refusal(put(mf), { host, says: /no-such-host/, code: "ERR_REDIS_UNREACHABLE" });
  });

  test("something listens that never answers", async (t) => {
    const host = await listener(t, () => {});
    const mf = miniflare(t, `redis://:${SECRET}@${host}`);
    await refusal(put(mf), { host, says: /answer|time/i, code: "ERR_REDIS_UNREACHABLE" });
  });

  test("something listens that hangs up", async (t) => {
    const host = await listener(t, (socket) => socket.end());
    const mf = miniflare(t, `redis://:${SECRET}@${host}`);
    await refusal(put(mf), { host, says: /./, code: "ERR_REDIS_UNREACHABLE" });
  });

  test("a web server listens there", async (t) => {
    const server = http.createServer((_, response) => response.end("hello"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const host = `127.0.0.1:${server.address().port}`;
    const mf = miniflare(t, `redis://:${SECRET}@${host}`);
    await refusal(put(mf), { host, says: /./, code: "ERR_REDIS_UNREACHABLE" });
  });

  test("a server without TLS is spoken to with TLS", async (t) => {
    const server = await redisServer(t);
    const mf = miniflare(t, `rediss://:${SECRET}@${server.host}`);
    await refusal(put(mf), { host: server.host, says: /./, code: "ERR_REDIS_UNREACHABLE" });
  });

  for (const [what, right, login] of [
    ["a wrong password", { password: "right" }, `:${SECRET}@`],
    ["a password where none is asked for", {}, `:${SECRET}@`],
    ["no password", { password: SECRET }, ""],
    ["an unknown user", { password: "right" }, `nobody:${SECRET}@`],
    ["a wrong password of a user", { user: "me", password: "right" }, `me:${SECRET}@`],
  ]) {
    test(`${what}`, async (t) => {
      const server = await redisServer(t, right);
      const mf = miniflare(t, `redis://${login}${server.host}/0`);
      await refusal(put(mf), {
        host: server.host,
        says: /auth|password|user/i,
        code: "ERR_REDIS_ACCESS",
      });
      assert.deepEqual(await server.keys(), []);
    });
  }

  test("a user who may not write", async (t) => {
    const server = await redisServer(t);
    await server.call(
      "ACL",
      "SETUSER",
      "reader",
      "on",
      `>${SECRET}`,
      "~*",
      "+@read",
      "+@connection",
    );
    const mf = miniflare(t, `redis://reader:${SECRET}@${server.host}/0`);
    await refusal(put(mf), {
      host: server.host,
      says: /permission/i,
      code: "ERR_REDIS_ACCESS",
    });
  });

  test("a database that the server does not have", async (t) => {
    const server = await redisServer(t, { password: SECRET });
    const mf = miniflare(t, server.url(99));
    await refusal(put(mf), {
      host: server.host,
      says: /DB index|database/i,
      code: "ERR_REDIS_REFUSED",
    });
  });

  for (const url of [
    `redis://:${SECRET}@`,
    `redis://:${SECRET}@,b`,
    `redis://:${SECRET}@host:port`,
    `redis://:${SECRET}@host:99999`,
    `redis://:${SECRET}@host/name`,
    `redis://:${SECRET}@host?unknown=1`,
    `redis://:${SECRET}@a,b/1`,
    `redis://:${SECRET}@host?ca=nowhere.pem`,
    `rediss://:${SECRET}@host?ca=nowhere.pem`,
  ]) {
    test(`a URL that is none: ${url.replace(SECRET, "…")}`, async (t) => {
      const host = url.split("@")[1].split("?")[0];
      await refusal(put(miniflare(t, url)), { host, says: /./, code: "ERR_REDIS_URL" });
    });
  }

  test("the command says so in one line and ends", async () => {
    const host = `127.0.0.1:${await freePort()}`;
    const args = ["worker.mjs", "--do", "OBJECT1=Object1", "--port", "0", "--no-cf-fetch"];
    const run = await runCli([...args, "--do-persist", `redis://:${SECRET}@${host}`], {
      cwd: path.join(fixtures, "objects"),
    });
    assert.deepEqual([run.code, run.hung], [1, false], run.stdout + run.stderr);
    assert.ok(!`${run.stdout}${run.stderr}`.includes(SECRET), run.stderr);
    assert.match(run.stderr, new RegExp(`^ferroflare: [^\\n]*@${host}: [^\\n]*\\n$`));
  });
});

describe("later", { concurrency: 6 }, () => {
  test("a server that is gone is named, breaks the response that wrote, and is used again when it is back", async (t) => {
    const server = await redisServer(t, { aof: true, password: SECRET });
    const mf = miniflare(t, server.url());
    assert.equal(await count(mf), 1);
    await server.stop("SIGKILL");
    const expected = { host: server.host, says: /./, code: "ERR_REDIS_UNREACHABLE" };
    const lost = { ...expected, code: /^ERR_REDIS_(UNREACHABLE|UNKNOWN_OUTCOME)$/ };
    await Promise.all([
      refusal(put(mf), lost),
      refusal(get(mf, "other"), expected),
      refusal(count(mf), lost),
    ]);
    await server.restart();
    assert.equal(await count(mf), 2);
    await put(mf, "again");
    assert.equal(await get(mf), "again");
  });

  test("a server that restarts meanwhile is not noticed", async (t) => {
    const server = await redisServer(t, { aof: true });
    const mf = miniflare(t, server.url());
    const { storage } = await storageOf(mf);
    for (let round = 1; round <= 3; round++) {
      await storage.put("key", round);
      await server.stop("SIGTERM");
      await server.restart();
      assert.equal(await storage.get("key"), round);
    }
  });

  test("a replica is read, and writes to it are refused", async (t) => {
    const primary = await redisServer(t);
    const ahead = miniflare(t, primary.url());
    await put(ahead, "copied");
    const replica = await replicaOf(t, primary);
    const mf = miniflare(t, replica.url());
    assert.equal(await get(mf), "copied");
    await refusal(put(mf), {
      host: replica.host,
      says: /READONLY|read.only/i,
      code: "ERR_REDIS_REFUSED",
    });
    await replica.call("REPLICAOF", "NO", "ONE");
    await put(mf, "own");
    assert.equal(await get(mf), "own");
    assert.equal(await get(ahead), "copied");
  });

  test("a server without memory refuses writes, and nothing of them is there", async (t) => {
    const server = await redisServer(t, { args: ["--maxmemory-policy", "noeviction"] });
    const mf = miniflare(t, server.url());
    await put(mf, "before");
    await server.call("CONFIG", "SET", "maxmemory", 1);
    const expected = { host: server.host, says: /OOM|memory/i, code: "ERR_REDIS_REFUSED" };
    await refusal(put(mf), expected);
    const { storage } = await storageOf(mf);
    await refusal(
      storage.transaction(async (txn) => txn.put("other", await txn.get("key"))),
      expected,
    );
    await refusal(count(mf), expected);
    assert.equal(await get(mf), "before");
    await server.call("CONFIG", "SET", "maxmemory", 0);
    await put(mf, "after");
    assert.deepEqual([...(await storage.list())], [["key", "after"]]);
    assert.equal(await count(mf), 1);
  });

  test("a server that is kept busy by a script serves when the script is killed", async (t) => {
    const server = await redisServer(t, { args: ["--lua-time-limit", "50"] });
    const mf = miniflare(t, server.url());
    await put(mf, "before");
    const busy = await server.client();
    t.after(() => busy.close());
    const endless = busy.call("EVAL", "while true do end", "0").catch((error) => error);
    await until(
      async () =>
        (await server.call("PING").catch((error) => error.message)) !== "PONG" || undefined,
      "the script to run",
    );
    const waiting = get(mf);
    waiting.catch(() => {});
    await server.call("SCRIPT", "KILL");
    assert.match((await endless).message, /killed/i);
    assert.equal(await orHang(waiting), "before");
    await put(mf, "after");
    assert.equal(await get(mf), "after");
  });

  test("a server that is busy for ever is an error, not a hang", async (t) => {
    const server = await redisServer(t, { args: ["--lua-time-limit", "50"] });
    const mf = miniflare(t, server.url());
    await put(mf, "before");
    const busy = await server.client();
    t.after(() => busy.close());
    busy.call("EVAL", "while true do end", "0").catch(() => {});
    await until(
      async () =>
        (await server.call("PING").catch((error) => error.message)) !== "PONG" || undefined,
      "the script to run",
    );
    await refusal(put(mf), { host: server.host, says: /BUSY/, code: "ERR_REDIS_REFUSED" });
    await server.call("SCRIPT", "KILL");
    await put(mf, "after");
    assert.equal(await get(mf), "after");
  });

  test("a server that stands still is an error, not a hang, and serves when it goes on", async (t) => {
    const server = await redisServer(t, { password: SECRET });
    const mf = miniflare(t, server.url());
    await put(mf, "before");
    server.freeze();
    try {
      const code = /^ERR_REDIS_(UNREACHABLE|UNKNOWN_OUTCOME)$/;
      await refusal(put(mf, "late"), { host: server.host, says: /./, code });
    } finally {
      server.thaw();
    }
    await put(mf, "after");
    assert.equal(await get(mf), "after");
  });

  test("a server that loads its data is waited for", async (t) => {
    // Redis 6 checks its clients every 2 MiB only.
    const often = redisVersion() < 7 ? [] : ["--loading-process-events-interval-bytes", "1024"];
    const slow = ["--key-load-delay", "300", "--rdbcompression", "no"];
    const server = await redisServer(t, { args: [...slow, ...often] });
    const mf = miniflare(t, server.url());
    await put(mf, "kept");
    for (let from = 0; from < 6000; from += 1000) {
      const pairs = Array.from({ length: 1000 }, (_, i) => [
        `ballast:${from + i}`,
        "x".repeat(1000),
      ]);
      await server.call("MSET", ...pairs.flat());
    }
    await server.call("SAVE");
    await server.stop("SIGTERM");
    const restarted = server.restart();
    const loading = await until(async () => {
      const probe = await server.client().catch(() => undefined);
      const answer = await probe?.call("GET", "x").then(
        () => "loaded",
        (error) => error.message,
      );
      probe?.close();
      return answer;
    }, "the server to listen");
    assert.match(loading, /LOADING/);
    assert.equal(await orHang(get(mf)), "kept");
    await restarted;
  });

  test("scripts that the server has forgotten are sent again", async (t) => {
    const server = await redisServer(t);
    const mf = miniflare(t, server.url());
    for (let round = 1; round <= 3; round++) {
      await put(mf, round);
      await server.call("SCRIPT", "FLUSH");
      const { storage } = await storageOf(mf);
      const waiting = [storage.put("a", round), storage.list(), storage.put("b", round)];
      await Promise.all(waiting);
      await server.call("SCRIPT", "FLUSH");
      await storage.transaction(async (txn) => txn.put("c", await txn.get("a")));
      assert.deepEqual(await storage.get("c"), round);
    }
  });

  test("data that is emptied by another client is gone, and nothing else happens", async (t) => {
    const server = await redisServer(t);
    const mf = miniflare(t, server.url());
    assert.equal(await count(mf), 1);
    await server.call("FLUSHALL");
    assert.equal(await get(mf), undefined);
    assert.equal(await count(mf), 1);
    assert.equal(await count(mf), 2);
  });

  test("a key of ours that holds something else is named", async (t) => {
    const server = await redisServer(t);
    const mf = miniflare(t, server.url());
    const { id, storage } = await storageOf(mf);
    await server.call("SET", `OBJECT:{${id}}:values`, "something");
    const expected = {
      host: server.host,
      says: /WRONGTYPE|wrong kind/i,
      code: "ERR_REDIS_REFUSED",
    };
    await refusal(storage.get("key"), expected);
    await refusal(storage.put("key", 1), expected);
    await server.call("DEL", `OBJECT:{${id}}:values`);
    await storage.put("key", 1);
    assert.equal(await storage.get("key"), 1);
  });

  test("data of a newer version is refused", async (t) => {
    const server = await redisServer(t);
    const first = miniflare(t, server.url());
    await put(first);
    assert.equal(await server.call("GET", "ferroflare:format"), "1");
    await server.call("SET", "ferroflare:format", "2");
    const error = await refusal(put(miniflare(t, server.url())), {
      host: server.host,
      says: /\b2\b/,
      code: "ERR_STORAGE_FORMAT",
    });
    assert.match(error.message, /newer/);
  });
});
