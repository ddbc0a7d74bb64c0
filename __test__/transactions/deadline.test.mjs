// A closure that waits for what waits for the transaction: it ends with an error that says why, and the object goes on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runModule } from "../support/cli.mjs";

/** Runs a program with a clock that it moves itself; `OBJECT` is a class whose requests count in `requests`. */
async function printed(body) {
  const { stdout, stderr } = await runModule(`
    import { Clock } from "./__test__/support/clock.mjs";
    const clock = new Clock().install();
    const { servingPlugin, idle } = await import("./__test__/support/plugin.mjs");
    const { Response } = await import("@miniflare/core");
    let requests = 0;
    let within;
    class OBJECT {
      constructor(state) {
        this.storage = state.storage;
      }
      async fetch(request) {
        requests++;
        if (request.url.endsWith("/start")) await within(this.storage);
        if (request.url.endsWith("/pass-on")) await other.fetch("/back");
        if (request.url.endsWith("/back")) await stub.fetch("/");
        return new Response(String(await this.storage.get("key")));
      }
    }
    const { namespace, plugin, factory } = await servingPlugin({ OBJECT });
    const stubOf = (name) => namespace("OBJECT").get(namespace("OBJECT").idFromName(name));
    const stub = stubOf("a");
    const other = stubOf("b");
    const errors = [];
    const begin = () => stub.fetch("/start").catch((error) => errors.push(error));
    ${body}
  `);
  assert.equal(stderr, "");
  return stdout.trim().split("\n");
}

const OWN =
  "It has sent a request to its own object, which gets the request after the transaction.";
const LONG = "The object gets no other event meanwhile.";

for (const [what, wait, reason] of [
  ["waits for a request to its own object", 'stub.fetch("/")', OWN],
  ["waits for another object that asks its own", 'other.fetch("/back")', OWN],
  ["waits for what no event can bring any more", "new Promise(() => {})", LONG],
]) {
  test(`a closure that ${what} fails after 30 seconds, and nothing of it is stored`, async () => {
    const lines = await printed(`
      within = (storage) => storage.transaction(async (txn) => {
        await txn.put("key", "lost");
        await ${wait};
        await txn.put("key", "late").catch(() => {});
      });
      begin();
      await idle();
      await clock.advance(29_999);
      console.log(errors.length, requests);
      await clock.advance(1);
      await idle();
      console.log(errors[0]?.name, errors[0]?.message);
      console.log(await (await stub.fetch("/")).text(), clock.timers.length);
    `);
    assert.equal(lines[0], `0 ${wait.startsWith("other") ? 2 : 1}`);
    assert.match(
      lines[1],
      /^DurableObjectError \[ERR_TIMEOUT\] A transaction .* within 30 seconds\. /,
    );
    assert.ok(lines[1].includes(reason), lines[1]);
    assert.equal(lines[2], "undefined 0");
  });
}

test("a closure that does not wait for its request to its own object commits, and then the request arrives", async () => {
  const lines = await printed(`
    let answer;
    within = (storage) => storage.transaction(async (txn) => {
      answer = stub.fetch("/");
      await txn.put("key", "kept");
    });
    await stub.fetch("/start");
    console.log(await (await answer).text(), clock.timers.length);
  `);
  assert.deepEqual(lines, ["kept 0"]);
});

test("a closure outside an object may last, since no gate is closed", async () => {
  const lines = await printed(`
    const storage = plugin.getStorage(factory, stub.id);
    let go;
    const result = storage.transaction(async (txn) => {
      await new Promise((resolve) => { go = resolve; });
      await txn.put("key", "kept");
      return "done";
    });
    await idle();
    await clock.advance(60_000);
    go();
    console.log(await result, clock.timers.length);
  `);
  assert.deepEqual(lines, ["done 0"]);
});
