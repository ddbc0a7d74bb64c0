// The chat in Jest: RPC, alarms, and sockets that outlive their object.
import workers from "cloudflare:workers";
import { events, open } from "./sockets.js";

const room = workers.env.ROOM.getByName("lobby");

test("what was said is remembered, in the room alone", async () => {
  await room.say("ann", "hello");
  await room.say("ben", "hi");
  expect((await room.history()).map(({ text }) => text)).toEqual(["hello", "hi"]);
  expect(await room.history(1)).toHaveLength(1);
  expect(await workers.env.ROOM.getByName("kitchen").history()).toEqual([]);
});

test("each test begins with an empty room", async () => {
  expect(await room.history()).toEqual([]);
});

test("an alarm forgets what is old", async () => {
  await room.say("ann", "old");
  await runInDurableObject(room, async (_room, { storage }) => {
    const [[key, message]] = await storage.list({ prefix: "message:" });
    await storage.put(key, { ...message, at: 0 });
  });
  await room.say("ben", "new");
  expect(await runDurableObjectAlarm(room)).toBe(true);
  expect((await room.history()).map(({ text }) => text)).toEqual(["new"]);
  expect(await runDurableObjectAlarm(room)).toBe(true);
});

test("everyone hears what is said, and who comes and goes", async () => {
  const ann = await open(room, "ann");
  const ben = await open(room, "ben");
  ben.send("hello");
  expect(await events(ann, 3)).toEqual([
    { joined: "ann" },
    { joined: "ben" },
    { said: "ben: hello" },
  ]);
  expect(await room.people()).toEqual(["ben", "ann"]);
  ben.close(1000, "bye");
  expect(await events(ann, 1)).toEqual([{ left: "ben" }]);
});

test("sockets stay open while their room hibernates", async () => {
  const ann = await open(room, "ann");
  await evictDurableObject(room);
  ann.send("ping");
  ann.send("still here");
  expect(await events(ann, 3)).toEqual([{ joined: "ann" }, "pong", { said: "ann: still here" }]);
});
