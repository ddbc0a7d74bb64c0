/** The cases of the benchmark of data in files: each prepares an object and returns what performs one operation. */
import { VALUE } from "./files-sides.mjs";

const BATCH = 128;
const keyOf = (i) => `key ${String(i).padStart(6, "0")}`;

async function fill(storage, count) {
  for (let from = 0; from < count; from += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => keyOf(from + i));
    await storage.put(Object.fromEntries(keys.map((key) => [key, VALUE])));
  }
}

export const cases = [
  {
    name: "get",
    async prepare({ storage }) {
      await fill(storage, 1000);
      return (i) => storage.get(keyOf(i % 1000));
    },
  },
  {
    name: "put, awaited outside",
    prepare:
      async ({ storage }) =>
      (i) =>
        storage.put(keyOf(i % 1000), VALUE),
  },
  {
    name: "put inside, stub.fetch",
    prepare:
      async ({ stub }) =>
      async () =>
        (await stub.fetch("https://object/")).text(),
  },
  {
    name: "list of 1000 entries",
    async prepare({ storage }) {
      await fill(storage, 1000);
      return () => storage.list();
    },
  },
  {
    name: "list of 10 out of 10,000",
    async prepare({ storage }) {
      await fill(storage, 10_000);
      return (i) => storage.list({ start: keyOf((i * 37) % 9000), limit: 10 });
    },
  },
  {
    name: "transaction on 2 keys",
    async prepare({ storage }) {
      await storage.put({ from: 0, to: 0 });
      return () =>
        storage.transaction(async (txn) => {
          const balances = await txn.get(["from", "to"]);
          await txn.put({ from: balances.get("from") - 1, to: balances.get("to") + 1 });
        });
    },
  },
];
