/** The cases of the benchmarks: each prepares an object and returns what performs it `n` times over. */

const VALUE = { hello: "world", n: 42, list: [1, 2, 3] };
const BATCH = 128;

const keyOf = (i) => `key ${String(i).padStart(6, "0")}`;

const entries = (from, count) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [keyOf(from + i), VALUE]));

async function fill(storage, count) {
  for (let i = 0; i < count; i += BATCH) await storage.put(entries(i, Math.min(BATCH, count - i)));
}

/** A case of one operation: `each` is how much of `unit` one call stands for. */
const single = (name, unit, each, setUp) => ({
  name,
  unit,
  each,
  prepare: async (object) => {
    const call = await setUp(object);
    return async (n) => {
      for (let i = 0; i < n; i++) await call(i);
    };
  },
});

export const cases = [
  single("get", "ops/s", 1, async ({ storage }) => {
    await fill(storage, 1000);
    return (i) => storage.get(keyOf(i % 1000));
  }),
  single(
    "put",
    "ops/s",
    1,
    async ({ storage }) =>
      (i) =>
        storage.put(keyOf(i % 1000), VALUE),
  ),
  single("put of 128 pairs", "keys/s", BATCH, async ({ storage }) => {
    const batches = Array.from({ length: 8 }, (_, i) => entries(i * BATCH, BATCH));
    return (i) => storage.put(batches[i % 8]);
  }),
  single("get of 128 keys", "keys/s", BATCH, async ({ storage }) => {
    await fill(storage, 8 * BATCH);
    const batches = Array.from({ length: 8 }, (_, i) => Object.keys(entries(i * BATCH, BATCH)));
    return (i) => storage.get(batches[i % 8]);
  }),
  single("list of 1000 entries", "ops/s", 1, async ({ storage }) => {
    await fill(storage, 1000);
    return () => storage.list();
  }),
  single("list of 10 out of 10,000", "ops/s", 1, async ({ storage }) => {
    await fill(storage, 10_000);
    return (i) => storage.list({ start: keyOf((i * 37) % 9000), limit: 10 });
  }),
  single("transaction on 2 keys", "ops/s", 1, async ({ storage }) => {
    await storage.put({ from: 0, to: 0 });
    return () =>
      storage.transaction(async (txn) => {
        const balances = await txn.get(["from", "to"]);
        await txn.put({ from: balances.get("from") - 1, to: balances.get("to") + 1 });
      });
  }),
  single("counter through stub.fetch", "ops/s", 1, async ({ stub }) => async () => {
    await (await stub.fetch("https://object/")).text();
  }),
  single("10 puts without await", "puts/s", 10, async ({ storage }) => () => {
    const waiting = [];
    for (let i = 0; i < 10; i++) waiting.push(storage.put(keyOf(i), VALUE));
    return Promise.all(waiting);
  }),
];
