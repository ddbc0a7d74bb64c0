// The named anomalies of weak isolation, starvation and needless retries do not happen.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Miniflare as Reference } from "miniflare";
import { Miniflare } from "../../index.mjs";
import { ATTEMPTS_MAX } from "../support/anomalies/attempts.mjs";
import { anomalies } from "../support/anomalies/programs.mjs";
import { findCycle } from "../support/anomalies/serializability.mjs";

const script = `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  alarm() {}
  async fetch(request) {
    if (new URL(request.url).pathname === "/plain") {
      const count = (await this.storage.get("count")) ?? 0;
      await this.storage.put("count", count + 1);
      return new Response("counted");
    }
    let attempts = 0;
    await this.storage.transaction(async (txn) => {
      attempts++;
      const count = (await txn.get("count")) ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 0));
      await txn.put("count", count + 1);
    });
    return new Response(String(attempts));
  }
}
export default { fetch() {} }`;

const options = { modules: true, script, durableObjects: { COUNTER: "Counter" } };
let mf;
let namespace;

before(async () => {
  mf = new Miniflare(options);
  namespace = await mf.getDurableObjectNamespace("COUNTER");
});

after(() => mf.dispose());

for (const [name, run] of Object.entries(anomalies)) {
  test(`anomaly, not shown: ${name}`, async () => {
    const storage = await mf.getDurableObjectStorage(namespace.newUniqueId());
    const { shown, detail } = await run(storage);
    assert.equal(shown, false, detail);
  });
}

test("anomaly: 64 concurrent counters through stub.fetch reach 64, each within the bound", async () => {
  const id = namespace.newUniqueId();
  const stub = namespace.get(id);
  const responses = await Promise.all(
    Array.from({ length: 64 }, () => stub.fetch("https://object/")),
  );
  const attempts = await Promise.all(
    responses.map(async (response) => Number(await response.text())),
  );
  const storage = await mf.getDurableObjectStorage(id);
  assert.equal(await storage.get("count"), 64);
  assert.ok(Math.max(...attempts) <= ATTEMPTS_MAX, `attempts: ${attempts}`);
});

test("64 concurrent get-then-put through stub.fetch reach 64, held apart by the input gate", async () => {
  const id = namespace.newUniqueId();
  const stub = namespace.get(id);
  await Promise.all(Array.from({ length: 64 }, () => stub.fetch("https://object/plain")));
  const storage = await mf.getDurableObjectStorage(id);
  assert.equal(await storage.get("count"), 64);
});

test("the search for cycles of dependencies finds the phantoms of miniflare@2.14.4", async (t) => {
  const reference = new Reference(options);
  t.after(() => reference.dispose());
  const objects = await reference.getDurableObjectNamespace("COUNTER");
  const cycles = [];
  for (let seed = 1; seed <= 8; seed++) {
    const storage = await reference.getDurableObjectStorage(objects.newUniqueId());
    cycles.push((await findCycle(storage, { seed, count: 200, width: 6 })).cycle);
  }
  assert.ok(cycles.some((cycle) => cycle !== undefined));
});
