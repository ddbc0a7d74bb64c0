// Many objects at the same moment in Redis: see support/many.mjs.
import { after } from "node:test";
import { testManyObjects } from "../support/many.mjs";
import { RedisServer } from "../support/redis.mjs";

let server;
after(() => server?.close());

testManyObjects("Redis", async () => {
  server = await RedisServer.start();
  return { durableObjectsPersist: server.url() };
});
