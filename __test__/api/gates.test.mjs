// Gates of an object, and what resets it: a failed blockConcurrencyWhile(), a broken output gate.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import { Response } from "@miniflare/core";
import { waitUntilOnOutputGate } from "@miniflare/shared";
import { _kRunWithGates, DurableObjectState } from "../../index.mjs";
import { runModule } from "../support/cli.mjs";
import { Clock } from "../support/clock.mjs";
import { deferred, idle, servingPlugin } from "../support/plugin.mjs";

const { kOnBroken } = createRequire(import.meta.url)("../../dist/shared/symbols.js");

/** A class whose constructor hands its state and number to `construct`, and which answers with its number. */
function counted(construct) {
  return class {
    static built = 0;
    number = ++this.constructor.built;
    constructor(state) {
      this.state = state;
      construct(state, this.number);
    }
    fetch() {
      return new Response(String(this.number));
    }
  };
}

async function serve(Class) {
  const serving = await servingPlugin({ OBJECT: Class });
  const namespace = serving.namespace("OBJECT");
  const id = namespace.idFromName("a");
  const stub = namespace.get(id);
  const text = async (path = "/") => (await stub.fetch(path)).text();
  return { ...serving, id, stub, text };
}

test("gates: blockConcurrencyWhile() in a constructor holds requests back", async () => {
  const events = [];
  const blocked = deferred();
  const Class = counted((state) => {
    state.blockConcurrencyWhile(async () => {
      events.push("begin");
      await blocked.promise;
      events.push("end");
    });
  });
  Class.prototype.fetch = () => {
    events.push("fetch");
    return new Response();
  };
  const { stub } = await serve(Class);
  const response = stub.fetch("/");
  await idle();
  assert.deepEqual(events, ["begin"]);
  blocked.resolve();
  await response;
  assert.deepEqual(events, ["begin", "end", "fetch"]);
});

test("gates: blockConcurrencyWhile() gives what its closure gives", async () => {
  const { plugin, factory, id } = await serve(counted(() => {}));
  const state = await plugin.getObject(factory, id);
  assert.equal(await state.blockConcurrencyWhile(async () => 5), 5);
  assert.equal(await state.blockConcurrencyWhile(() => 6), 6);
});

test("gates: a response waits for what the output gate waits for", async () => {
  const durable = deferred();
  const Class = counted(() => {});
  Class.prototype.fetch = () => {
    waitUntilOnOutputGate(durable.promise);
    return new Response();
  };
  const { stub } = await serve(Class);
  let answered = false;
  const response = stub.fetch("/").then(() => {
    answered = true;
  });
  await idle();
  assert.ok(!answered);
  durable.resolve();
  await response;
});

test("gates: requests are answered while a test has all timers replaced", async (t) => {
  const clock = new Clock().install();
  const { setImmediate } = globalThis;
  globalThis.setImmediate = () => {};
  t.after(() => {
    globalThis.setImmediate = setImmediate;
    clock.uninstall();
  });
  const Class = counted((state) => {
    state.blockConcurrencyWhile(() => state.storage.put("key", 1));
  });
  const { text, plugin, namespace, id } = await serve(Class);
  assert.equal(await text(), "1");
  await plugin.dispose();
  await assert.rejects(namespace("OBJECT").get(id).fetch("/"), { code: "ERR_DISPOSED" });
});

test("gates: a closure run with gates is held back like a request", async () => {
  const { plugin, factory, id } = await serve(counted(() => {}));
  const storage = plugin.getStorage(factory, id);
  const state = new DurableObjectState(id, storage);
  const blocked = deferred();
  const events = [];
  state.blockConcurrencyWhile(async () => {
    await blocked.promise;
    events.push("unblocked");
  });
  const ran = state[_kRunWithGates](() => {
    events.push("ran");
    return "result";
  });
  await idle();
  blocked.resolve();
  assert.equal(await ran, "result");
  assert.deepEqual(events, ["unblocked", "ran"]);
  assert.equal(state.storage, storage);
});

test("fixed: blockConcurrencyWhile() that rejects resets the object, and waiting requests get its error", async () => {
  const blocked = deferred();
  const Class = counted((state, number) => {
    if (number === 1) state.blockConcurrencyWhile(() => blocked.promise);
  });
  const { fetch } = Class.prototype;
  const handled = [];
  Class.prototype.fetch = function () {
    handled.push(this.number);
    return fetch.call(this);
  };
  const { stub, text, plugin, factory } = await serve(Class);
  const waiting = [stub.fetch("/"), stub.fetch("/")];
  await idle();
  const error = new Error("cannot be set up");
  blocked.reject(error);
  for (const response of waiting) await assert.rejects(response, (reason) => reason === error);
  await idle();
  assert.deepEqual(handled, []);
  assert.deepEqual(plugin.getObjects(factory, "OBJECT"), []);
  assert.equal(await text(), "2");
  assert.equal(await text(), "2");
});

test("fixed: blockConcurrencyWhile() that throws, or is given no function, resets the object too", async () => {
  const Class = counted((state, number) => {
    if (number === 1) {
      state.blockConcurrencyWhile(() => {
        throw new RangeError("thrown");
      });
    }
    if (number === 2) state.blockConcurrencyWhile(5);
  });
  const { stub, text } = await serve(Class);
  await assert.rejects(stub.fetch("/"), { name: "RangeError", message: "thrown" });
  await assert.rejects(stub.fetch("/"), { name: "TypeError" });
  assert.equal(await text(), "3");
});

test("fixed: a request that runs when the object is reset gets the error, even if it catches it itself", async () => {
  const Class = counted(() => {});
  const caught = [];
  Class.prototype.fetch = async function ({ url }) {
    if (url.endsWith("/block")) {
      await this.state
        .blockConcurrencyWhile(async () => {
          throw new Error("reset");
        })
        .catch((error) => caught.push(error.message));
    }
    if (url.endsWith("/wait")) await new Promise(() => {});
    return new Response(String(this.number));
  };
  const { stub, text } = await serve(Class);
  const waiting = stub.fetch("/wait");
  await idle();
  await assert.rejects(stub.fetch("/block"), { message: "reset" });
  await assert.rejects(waiting, { message: "reset" });
  assert.deepEqual(caught, ["reset"]);
  assert.equal(await text(), "2");
});

test("fixed: a state that was reset stays reset", async () => {
  const states = [];
  const { text, stub } = await serve(counted((state) => states.push(state)));
  assert.equal(await text(), "1");
  await assert.rejects(
    states[0].blockConcurrencyWhile(async () => {
      throw new Error("first");
    }),
    { message: "first" },
  );
  await assert.rejects(
    states[0].blockConcurrencyWhile(async () => 1),
    { message: "first" },
  );
  await assert.rejects(
    states[0][_kRunWithGates](() => 1),
    { message: "first" },
  );
  assert.equal(await text(), "2");
  assert.equal(stub.id.toString(), states[1].id.toString());
});

test("fixed: a reset that no request is told of is reported, once, and no unhandled rejection", async () => {
  const warnings = [];
  const note = ({ message }) => warnings.push(message.split("\n")[0]);
  process.on("warning", note);
  const { plugin, factory, id, text } = await serve(
    counted((state, number) => {
      if (number > 2) return;
      state.blockConcurrencyWhile(async () => {
        throw new Error(`set-up ${number} failed`);
      });
    }),
  );
  await plugin.getInstance(factory, id);
  await idle();
  await assert.rejects(text(), { message: "set-up 2 failed" });
  await idle();
  process.off("warning", note);
  assert.deepEqual(warnings, [`Durable Object OBJECT:${id} failed: Error: set-up 1 failed`]);
  assert.equal(await text(), "3");
});

test("fixed: a flush that fails breaks the output gate: the response is the error, and the object is reset", async () => {
  const Class = counted(() => {});
  const failure = new Error("disk full");
  Class.prototype.fetch = function ({ url }) {
    if (url.endsWith("/fail")) {
      const flush = Promise.reject(failure);
      waitUntilOnOutputGate(flush);
      flush.catch((error) => this.state.storage[kOnBroken](error));
    }
    return new Response(String(this.number));
  };
  const { stub, text } = await serve(Class);
  assert.equal(await text(), "1");
  await assert.rejects(stub.fetch("/fail"), (error) => error === failure);
  assert.equal(await text(), "2");
});

test("fixed: blockConcurrencyWhile() that lasts 30 seconds resets the object", async () => {
  const script = `
    import { Clock } from "./__test__/support/clock.mjs";
    const clock = new Clock().install();
    const { servingPlugin, idle } = await import("./__test__/support/plugin.mjs");
    const { Response } = await import("@miniflare/core");
    let built = 0;
    class OBJECT {
      constructor(state) {
        this.number = ++built;
        state.blockConcurrencyWhile(() => this.number === 1 ? new Promise(() => {}) : 0);
      }
      fetch() {
        return new Response(String(this.number));
      }
    }
    const { namespace } = await servingPlugin({ OBJECT });
    const stub = namespace("OBJECT").get(namespace("OBJECT").idFromName("a"));
    const answers = [];
    stub.fetch("/").catch((error) => answers.push(error));
    await idle();
    await clock.advance(29_999);
    console.log(answers.length, clock.timers.every(({ refed }) => !refed));
    await clock.advance(1);
    const [error] = answers;
    console.log(error.name, error.message);
    console.log(await (await stub.fetch("/")).text(), clock.timers.length);
  `;
  const { stdout, stderr } = await runModule(script);
  assert.deepEqual(
    stdout.trim().split("\n"),
    [
      "0 true",
      "DurableObjectError [ERR_TIMEOUT] A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.",
      "2 0",
    ],
    stderr,
  );
});

test("blockConcurrencyWhile() that waits for an answer asked before it began resets the object after 30 seconds", async () => {
  const script = `
    import { Clock } from "./__test__/support/clock.mjs";
    const clock = new Clock().install();
    const { servingPlugin, idle } = await import("./__test__/support/plugin.mjs");
    const { Response } = await import("@miniflare/core");
    class OBJECT {
      constructor(state) {
        this.state = state;
      }
      async fetch({ url }) {
        if (url.endsWith("/other")) return new Response("other");
        const answer = namespace("OBJECT").get(other).fetch("http://room/other");
        const within = url.endsWith("/within");
        const ask = () => namespace("OBJECT").get(other).fetch("http://room/other");
        return this.state.blockConcurrencyWhile(within ? ask : () => answer);
      }
    }
    const { namespace } = await servingPlugin({ OBJECT });
    const other = namespace("OBJECT").idFromName("other");
    const stub = namespace("OBJECT").get(namespace("OBJECT").idFromName("a"));
    console.log(await (await stub.fetch("http://room/within")).text());
    const answers = [];
    stub.fetch("http://room/before").catch((error) => answers.push(error));
    await idle();
    await clock.advance(29_999);
    console.log(answers.length);
    await clock.advance(1);
    await idle();
    console.log(answers.map(({ code }) => code).join());
  `;
  const { stdout, stderr } = await runModule(script);
  assert.equal(stdout, "other\n0\nERR_TIMEOUT\n", stderr);
});
