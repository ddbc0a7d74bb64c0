// A process that does one write, or many transactions, on one object when it is told to.
import { createInterface } from "node:readline";
import { say } from "../support/report.mjs";
import { miniflare, objects } from "./object.mjs";

const CONCURRENCY = 4;
const LONG_MS = 5;

let storage;
for await (const line of createInterface({ input: process.stdin })) {
  if (storage === undefined) {
    const mf = await miniflare(JSON.parse(line).directory, "fsync");
    storage = await (await objects(mf)).storage("handover");
    say("ready");
    continue;
  }
  const [word, number] = line.split(" ");
  if (word === "put") {
    const start = performance.now();
    await storage.put("put", Number(number));
    say(`put-${number} ${performance.now() - start}`);
  } else if (word === "run") {
    run(Number(number)).then(([count, waits]) => say(`ran ${count} ${JSON.stringify(waits)}`));
  }
}

/** Increments a counter for some seconds; gives how often, and how long the longer ones took. */
async function run(seconds) {
  const end = performance.now() + seconds * 1000;
  const waits = [];
  let count = 0;
  const client = async () => {
    for (let start = performance.now(); start < end; start = performance.now()) {
      await storage.transaction(async (txn) => {
        await txn.put("count", ((await txn.get("count")) ?? 0) + 1);
      });
      count++;
      const wait = performance.now() - start;
      if (wait > LONG_MS) waits.push(Math.round(wait * 10) / 10);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
  return [count, waits];
}
