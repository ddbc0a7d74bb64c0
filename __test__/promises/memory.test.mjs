// S4: by default data is kept in memory, across reloads, but not across instances or processes.
import assert from "node:assert/strict";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Miniflare } from "ferroflare";
import { fixtures, startCli, temporaryDirectory, until } from "../support/cli.mjs";

const script = (label) => `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch() {
    const count = ((await this.storage.get("count")) ?? 0) + 1;
    await this.storage.put("count", count);
    return new Response("${label} " + count);
  }
}
export default {
  fetch(request, env) {
    return env.COUNTER.get(env.COUNTER.idFromName("a")).fetch(request);
  }
}`;

function miniflare(t, options = {}) {
  const mf = new Miniflare({
    modules: true,
    script: script("first"),
    durableObjects: { COUNTER: "Counter" },
    ...options,
  });
  t.after(() => mf.dispose());
  return mf;
}

async function count(mf) {
  const response = await mf.dispatchFetch("http://localhost:8787/");
  return response.text();
}

test("S4: data survives setOptions() with another script", async (t) => {
  const mf = miniflare(t);
  assert.equal(await count(mf), "first 1");
  await mf.setOptions({ script: script("second") });
  assert.equal(await count(mf), "second 2");
});

test("S4: data survives setOptions() with other Durable Object options", async (t) => {
  const mf = miniflare(t);
  assert.equal(await count(mf), "first 1");
  await mf.setOptions({ durableObjects: { OTHER: "Counter" } });
  await mf.setOptions({ durableObjects: { COUNTER: "Counter", OTHER: "Counter" } });
  assert.equal(await count(mf), "first 2");
});

test("S4: data survives reload()", async (t) => {
  const mf = miniflare(t);
  assert.equal(await count(mf), "first 1");
  await mf.reload();
  assert.equal(await count(mf), "first 2");
  await mf.reload();
  assert.equal(await count(mf), "first 3");
});

test("S4: storage obtained after a reload has the data from before it", async (t) => {
  const mf = miniflare(t);
  const namespace = await mf.getDurableObjectNamespace("COUNTER");
  const id = namespace.idFromName("a");
  const before = await mf.getDurableObjectStorage(id);
  await before.put("key", "value");
  await mf.reload();
  const after = await mf.getDurableObjectStorage(id);
  assert.equal(await after.get("key"), "value");
});

test("S4: a reload constructs the object again", async (t) => {
  const mf = miniflare(t, {
    script: `
    export class Counter {
      count = 0;
      fetch() {
        return new Response(String(++this.count));
      }
    }
    export default {
      fetch(request, env) {
        return env.COUNTER.get(env.COUNTER.idFromName("a")).fetch(request);
      }
    }`,
  });
  assert.equal(await count(mf), "1");
  assert.equal(await count(mf), "2");
  await mf.reload();
  assert.equal(await count(mf), "1");
});

test("S4: another Miniflare instance does not have the data", async (t) => {
  const first = miniflare(t);
  const second = miniflare(t);
  assert.equal(await count(first), "first 1");
  assert.equal(await count(first), "first 2");
  assert.equal(await count(second), "first 1");
});

test("S4: an instance made after dispose() does not have the data", async (t) => {
  const first = new Miniflare({
    modules: true,
    script: script("first"),
    durableObjects: { COUNTER: "Counter" },
  });
  assert.equal(await count(first), "first 1");
  await first.dispose();
  assert.equal(await count(miniflare(t)), "first 1");
});

test("S4: another run of the command does not have the data", async (t) => {
  const args = ["worker.mjs", "--do", "OBJECT1=Object1"];
  const cwd = path.join(fixtures, "objects");
  const first = await startCli(t, args, { cwd });
  assert.equal(await first.text("/1"), "Object1 1");
  assert.equal(await first.text("/1"), "Object1 2");
  const second = await startCli(t, args, { cwd });
  assert.equal(await second.text("/1"), "Object1 1");
  assert.equal(await first.text("/1"), "Object1 3");
});

test("S4: with --watch, data survives a change of the script", async (t) => {
  const cwd = await temporaryDirectory(t);
  const worker = path.join(cwd, "worker.mjs");
  await copyFile(path.join(fixtures, "objects", "worker.mjs"), worker);
  const cli = await startCli(t, ["worker.mjs", "--do", "OBJECT1=Object1", "--watch"], { cwd });
  assert.equal(await cli.text("/1"), "Object1 1");
  const changed = (await readFile(worker, "utf8")).replace("this.constructor.name", `"changed"`);
  await writeFile(worker, changed);
  await until(() => (cli.output.stdout.includes("Reloaded") ? true : undefined), "the reload");
  assert.equal(await cli.text("/1"), "changed 2");
});
