/**
 * The cases of the benchmark of data in Redis. `product` prepares an object of a Miniflare, `plain` the keys of plain
 * ioredis; both return what performs the operation once. `each` is how much of `unit` that stands for.
 */
import { serialize } from "node:v8";

const VALUE = { hello: "world", n: 42, list: [1, 2, 3] };
const BYTES = serialize(VALUE);
const BATCH = 128;
const TOGETHER = 64;
const INSIDE = 500;
const CONTENDERS = 32;

const keyOf = (i) => `key ${String(i).padStart(6, "0")}`;
const keysFrom = (from, count) => Array.from({ length: count }, (_, i) => keyOf(from + i));
const entries = (from, count) =>
  Object.fromEntries(keysFrom(from, count).map((key) => [key, VALUE]));

async function fill(storage, count) {
  for (let i = 0; i < count; i += BATCH) await storage.put(entries(i, Math.min(BATCH, count - i)));
}

/** One entry stored as ours is: its value, and its key in order. */
const stored = (redis, { values, keys }, all) =>
  redis
    .pipeline()
    .hset(values, ...all.flatMap((key) => [key, BYTES]))
    .zadd(keys, ...all.flatMap((key) => ["0", key]))
    .exec();

async function fillPlain(object, count) {
  for (let i = 0; i < count; i += BATCH) {
    await stored(object.redis, object, keysFrom(i, Math.min(BATCH, count - i)));
  }
}

/** Keys of a range, then their values. */
async function listed({ redis, values, keys }, min, limit) {
  const found = await redis.zrangebylex(keys, min, "+", "LIMIT", 0, limit);
  return redis.hmgetBuffer(values, ...found);
}

export const cases = [
  {
    name: "get",
    unit: "ops/s",
    each: 1,
    async product({ storage }) {
      await fill(storage, 1000);
      return (i) => storage.get(keyOf(i % 1000));
    },
    async plain(object) {
      await fillPlain(object, 1000);
      return (i) => object.redis.hmgetBuffer(object.values, keyOf(i % 1000));
    },
  },
  {
    name: "64 gets at once",
    unit: "gets/s",
    each: TOGETHER,
    async product({ storage }) {
      await fill(storage, 1000);
      return (i) =>
        Promise.all(keysFrom((i * TOGETHER) % 900, TOGETHER).map((key) => storage.get(key)));
    },
    async plain(object) {
      await fillPlain(object, 1000);
      return (i) => {
        const pipeline = object.redis.pipeline();
        for (const key of keysFrom((i * TOGETHER) % 900, TOGETHER)) {
          pipeline.hgetBuffer(object.values, key);
        }
        return pipeline.exec();
      };
    },
  },
  {
    name: "put, awaited",
    unit: "ops/s",
    each: 1,
    product:
      async ({ storage }) =>
      (i) =>
        storage.put(keyOf(i % 1000), VALUE),
    plain: async (object) => (i) => stored(object.redis, object, [keyOf(i % 1000)]),
  },
  {
    name: "put inside an object",
    unit: "ops/s",
    each: INSIDE,
    product:
      async ({ stub }) =>
      async () => {
        const body = JSON.stringify({ count: INSIDE, value: VALUE });
        const response = await stub.fetch("http://x/", { method: "POST", body });
        await response.text();
      },
    plain: async (object) => async () => {
      for (let i = 0; i < INSIDE; i++) await stored(object.redis, object, [keyOf(i)]);
    },
  },
  {
    name: "64 puts without await",
    unit: "puts/s",
    each: TOGETHER,
    product:
      async ({ storage }) =>
      (i) =>
        Promise.all(keysFrom((i * TOGETHER) % 900, TOGETHER).map((key) => storage.put(key, VALUE))),
    plain: async (object) => (i) =>
      stored(object.redis, object, keysFrom((i * TOGETHER) % 900, TOGETHER)),
  },
  {
    name: "list of 1000 entries",
    unit: "ops/s",
    each: 1,
    async product({ storage }) {
      await fill(storage, 1000);
      return () => storage.list();
    },
    async plain(object) {
      await fillPlain(object, 1000);
      return () => listed(object, "-", 1000);
    },
  },
  {
    name: "list of 10 out of 10,000",
    unit: "ops/s",
    each: 1,
    async product({ storage }) {
      await fill(storage, 10_000);
      return (i) => storage.list({ start: keyOf((i * 37) % 9000), limit: 10 });
    },
    async plain(object) {
      await fillPlain(object, 10_000);
      return (i) => listed(object, `[${keyOf((i * 37) % 9000)}`, 10);
    },
  },
  {
    name: "transaction on 2 keys",
    unit: "ops/s",
    each: 1,
    async product({ storage }) {
      await storage.put({ from: 0, to: 0 });
      return () =>
        storage.transaction(async (txn) => {
          const balances = await txn.get(["from", "to"]);
          await txn.put({ from: balances.get("from") - 1, to: balances.get("to") + 1 });
        });
    },
    plain: async (object) => () => watched(object.redis, object, ["from", "to"]),
  },
  {
    name: "32 contending transactions",
    unit: "transactions/s",
    each: CONTENDERS,
    product:
      async ({ storage }) =>
      () =>
        Promise.all(
          Array.from({ length: CONTENDERS }, () =>
            storage.transaction(async (txn) => {
              await txn.put("count", ((await txn.get("count")) ?? 0) + 1);
            }),
          ),
        ),
    /** A connection can watch for one transaction at a time. */
    async plain(object) {
      const connections = Array.from({ length: CONTENDERS }, () => object.plain.connect());
      return () => Promise.all(connections.map((redis) => watched(redis, object, ["count"])));
    },
  },
];

/** Reads some keys and writes them, and starts again if another client has written meanwhile. */
async function watched(redis, { values, keys }, names) {
  for (;;) {
    await redis
      .pipeline()
      .watch(values)
      .hmgetBuffer(values, ...names)
      .exec();
    const done = await redis
      .multi()
      .hset(values, ...names.flatMap((name) => [name, BYTES]))
      .zadd(keys, ...names.flatMap((name) => ["0", name]))
      .exec();
    if (done !== null) return;
  }
}
