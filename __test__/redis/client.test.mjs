// The small client that reads old data: replies in any pieces, URLs in any form, and a real server on the other end.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RedisClient } from "../../dist/cli/import/redis/client.js";
import { encodeCommand, ReplyError, ReplyReader } from "../../dist/cli/import/redis/resp.js";
import { isGroupUrl, parseRedisUrl, shownUrl } from "../../dist/shared/redis-url.js";
import { startProxy } from "../support/proxy.mjs";
import { redisServer, textOf } from "../support/redis.mjs";

const WIRE = Buffer.from(
  "+OK\r\n-ERR no\r\n:-12\r\n$-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*-1\r\n*0\r\n*3\r\n$1\r\nx\r\n*1\r\n:1\r\n$-1\r\n",
);
const REPLIES = ["OK", "ERR no", -12, null, "", "a\r\nb", null, [], ["x", [1], null]];
const plain = (replies) =>
  replies.map((reply) => (reply instanceof ReplyError ? reply.message : textOf(reply)));

describe("replies", () => {
  test("are the same in whatever pieces they arrive", () => {
    for (const size of [1, 2, 3, 5, 7, WIRE.length]) {
      const reader = new ReplyReader();
      const replies = [];
      for (let at = 0; at < WIRE.length; at += size) {
        replies.push(...reader.push(WIRE.subarray(at, at + size)));
      }
      assert.deepEqual(plain(replies), REPLIES, `pieces of ${size}`);
    }
  });

  test("an error has its first word", () => {
    const [error] = new ReplyReader().push(Buffer.from("-WRONGTYPE of key\r\n"));
    assert.equal(error.prefix, "WRONGTYPE");
  });

  for (const bytes of ["HTTP/1.1 400 Bad Request\r\n", "hello\n", ":x\r\n", "x".repeat(70_000)]) {
    test(`what is none is refused: ${JSON.stringify(bytes.slice(0, 12))}`, () => {
      assert.throws(() => new ReplyReader().push(Buffer.from(bytes)), /does not speak as a Redis/);
    });
  }

  test("commands are arrays of bytes", () => {
    const command = encodeCommand(["SET", "é", Buffer.from([0, 13, 10])]);
    assert.equal(command.toString("latin1"), "*3\r\n$3\r\nSET\r\n$2\r\nÃ©\r\n$3\r\n\0\r\n\r\n");
    assert.deepEqual(textOf(new ReplyReader().push(command)[0]), ["SET", "é", "\0\r\n"]);
  });
});

describe("URLs", () => {
  test("name host, port, login, database and TLS", () => {
    assert.deepEqual(parseRedisUrl("rediss://u:p%40@[::1]:7/3?ca=%2Fx#insecure"), {
      host: "::1",
      port: 7,
      user: "u",
      password: "p@",
      database: 3,
      tls: { ca: "/x", verify: false },
    });
    assert.deepEqual(parseRedisUrl("redis://h"), {
      host: "h",
      port: 6379,
      user: undefined,
      password: undefined,
      database: 0,
      tls: undefined,
    });
  });

  for (const [url, shown] of [
    ["redis://u:s@h:1/2", "redis://u:***@h:1/2"],
    ["redis://:s:e@h", "redis://:***@h"],
    ["redis://u:s/x@h/1", "redis://u:***@h/1"],
    ["redis://u:p@s/s@h/1?ca=/a@b", "redis://u:***@h/1?ca=/a@b"],
    ["redis://u:s?x@h", "redis://u:***@h"],
    ["redis://u:s#x=y@h", "redis://u:***@h"],
    [
      "redis://h/0?sentinel=m&sentinel_password=s@x#y",
      "redis://h/0?sentinel=m&sentinel_password=***#y",
    ],
    ["redis://u:s#x@y=z@h", "redis://u:***@h"],
    ["REDISS://u:a=b/c@h:1/2?ca=a", "REDISS://u:***@h:1/2?ca=a"],
    ["redis://h/?ca=a@b", "redis://h/?ca=a@b"],
    ["./data", "./data"],
  ]) {
    test(`${shown} is shown without its password`, () => assert.equal(shownUrl(url), shown));
  }

  test("of several servers, or of sentinels, are told apart", () => {
    assert.ok(isGroupUrl("redis://a,b"));
    assert.ok(isGroupUrl("redis://a/0?sentinel=x"));
    assert.ok(isGroupUrl("redis://a?cluster"));
    assert.ok(!isGroupUrl("redis://u:p,q@a/0"));
  });

  test("that are none are refused without their password", () => {
    for (const url of ["redis://:secret@h:p", "redis://:secret@h/name", "http://:secret@h"]) {
      assert.throws(
        () => parseRedisUrl(url),
        ({ message }) => message.includes("redis://") && !message.includes("secret"),
      );
    }
  });
});

describe("a connection", () => {
  test("answers commands in order, large ones too, and names what the server refuses", async (t) => {
    const server = await redisServer(t, { password: "secret-word" });
    const client = await server.client(3);
    t.after(() => client.close());
    const large = Buffer.alloc(5 << 20, "x");
    const replies = await Promise.all([
      client.call("SET", "large", large),
      client.call("GET", "large"),
      client.call("INCR", "n"),
      client.call("LRANGE", "none", "0", "-1"),
    ]);
    assert.equal(replies[0], "OK");
    assert.ok(large.equals(replies[1]));
    assert.deepEqual(replies.slice(2), [1, []]);
    await assert.rejects(client.call("LPUSH", "n", "x"), ({ message }) => {
      return /^Cannot use redis:\/\/:\*\*\*@\S+: WRONGTYPE/.test(message);
    });
    assert.deepEqual(await server.keys(), []);
  });

  test("that is cut fails what waits and what comes later", async (t) => {
    const server = await redisServer(t);
    const proxy = await startProxy(t, server.port);
    const client = await RedisClient.connect(proxy.url());
    t.after(() => client.close());
    const cut = proxy.cutReplies(2);
    const waiting = [client.call("PING"), client.call("PING")];
    const ended = await Promise.allSettled(waiting);
    await cut;
    for (const { reason } of ended) assert.match(reason.message, /Cannot use redis:.*closed/);
    await assert.rejects(client.call("PING"), /closed/);
  });
});
