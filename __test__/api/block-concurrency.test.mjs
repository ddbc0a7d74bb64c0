// Sections of blockConcurrencyWhile() exclude each other, and requests wait for all of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deferred, idle } from "../support/plugin.mjs";
import { serveRooms } from "../support/rooms.mjs";

/** Serves objects with a note of what happens; `section(room, name)` starts a section that lasts until it is told to end. */
async function serve(t, handlers) {
  const events = [];
  const ends = {};
  const section = (room, name, body = async () => {}) =>
    room.state.blockConcurrencyWhile(async () => {
      events.push(`${name} begins`);
      await body();
      ends[name] = deferred();
      await ends[name].promise;
      events.push(`${name} ends`);
      return name;
    });
  const given = {
    ...handlers,
    fetch: (room, _request, path) => {
      events.push(`request ${path}`);
      return handlers.fetch?.(room, path) ?? new served.globals.Response(path);
    },
  };
  handlers.uses?.({ section, events, ends });
  const served = await serveRooms(t, given);
  return { ...served, section, events, ends };
}

test("sections of a base class and its subclass run one after the other, then requests", async (t) => {
  let section;
  const { events, ends, ask } = await serve(t, {
    uses: (tools) => ({ section } = tools),
    construct: (room) => {
      section(room, "base");
      section(room, "subclass");
    },
  });
  const asked = [ask("a", "1"), ask("a", "2")];
  await idle();
  assert.deepEqual(events, ["base begins"]);
  ends.base.resolve();
  await idle();
  assert.deepEqual(events, ["base begins", "base ends", "subclass begins"]);
  ends.subclass.resolve();
  await Promise.all(asked);
  assert.deepEqual(events.slice(3), ["subclass ends", "request 1", "request 2"]);
});

test("two sections that a request starts without awaiting run one after the other", async (t) => {
  const { events, ends, ask, section, globals } = await serve(t, {
    fetch: (room, path) => {
      if (path !== "start") return undefined;
      const sections = [section(room, "first"), section(room, "second")];
      return Promise.all(sections).then((names) => new globals.Response(names.join()));
    },
  });
  const started = ask("a", "start");
  await idle();
  const later = ask("a", "later");
  await idle();
  ends.first.resolve();
  await idle();
  assert.deepEqual(events, ["request start", "first begins", "first ends", "second begins"]);
  ends.second.resolve();
  assert.equal(await started, "first,second");
  await later;
  assert.deepEqual(events.slice(4), ["second ends", "request later"]);
});

test("a section that another one starts runs inside it", async (t) => {
  let section;
  const { events, ends, ask } = await serve(t, {
    uses: (tools) => ({ section } = tools),
    construct: (room) => {
      section(room, "outer", () => section(room, "inner", () => section(room, "innermost")));
      section(room, "next");
    },
  });
  const asked = ask("a", "1");
  for (const name of ["innermost", "inner", "outer", "next"]) {
    await idle();
    ends[name].resolve();
  }
  await asked;
  assert.deepEqual(events, [
    "outer begins",
    "inner begins",
    "innermost begins",
    "innermost ends",
    "inner ends",
    "outer ends",
    "next begins",
    "next ends",
    "request 1",
  ]);
});

test("sections that another one starts and does not await exclude each other, and what comes after it", async (t) => {
  let section;
  const { events, ends, ask } = await serve(t, {
    uses: (tools) => ({ section } = tools),
    construct: (room) => {
      section(room, "outer", async () => {
        section(room, "one");
        section(room, "two");
      });
      section(room, "next");
    },
  });
  const asked = ask("a", "1");
  for (const name of ["outer", "one", "two", "next"]) {
    await idle();
    ends[name].resolve();
  }
  await asked;
  assert.deepEqual(events, [
    "outer begins",
    "one begins",
    "outer ends",
    "one ends",
    "two begins",
    "two ends",
    "next begins",
    "next ends",
    "request 1",
  ]);
});

test("a section of a transaction's closure runs inside the transaction", async (t) => {
  const { ask, globals } = await serve(t, {
    fetch: async ({ state, storage }) => {
      const value = await storage.transaction(async (txn) => {
        await state.blockConcurrencyWhile(() => txn.put("key", 1));
        return txn.get("key");
      });
      return new globals.Response(String(value));
    },
  });
  assert.equal(await ask("a", "x"), "1");
});

test("a section that waits when another one fails never runs, and rejects with its error", async (t) => {
  const failure = new Error("cannot be set up");
  const outcomes = [];
  let section;
  let built = 0;
  const { events, ends, ask } = await serve(t, {
    uses: (tools) => ({ section } = tools),
    construct: (room) => {
      if (++built > 1) return;
      section(room, "first", () => Promise.reject(failure)).catch((error) => outcomes.push(error));
      section(room, "second").catch((error) => outcomes.push(error));
    },
  });
  await assert.rejects(ask("a", "1"), (error) => error === failure);
  await idle();
  assert.deepEqual(events, ["first begins"]);
  assert.deepEqual(outcomes, [failure, failure]);
  assert.deepEqual(Object.keys(ends), []);
  assert.equal(await ask("a", "2"), "2");
});

test("a section may call another object", async (t) => {
  const { ask, room } = await serve(t, {
    fetch: ({ state }, path) =>
      path === "other"
        ? undefined
        : state.blockConcurrencyWhile(() => room("b").fetch("http://room/other")),
  });
  assert.equal(await ask("a", "x"), "other");
});
