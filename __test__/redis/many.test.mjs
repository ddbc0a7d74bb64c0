// Many objects at the same moment in Redis: see support/many.mjs.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { limits } from "../../dist/native/addon.js";
import { runModule } from "../support/cli.mjs";
import { testManyObjects } from "../support/many.mjs";
import { RedisServer } from "../support/redis.mjs";

let server;
after(() => server?.close());

testManyObjects("Redis", async () => {
  server = await RedisServer.start();
  return { durableObjectsPersist: server.url() };
});

test("more alarms than are read at once fire in a process that waits for nothing else", async () => {
  const { alarmsReadMax } = limits;
  assert.equal(alarmsReadMax, 1000);
  const count = 2 * alarmsReadMax + 500;
  const place = JSON.stringify(server.url(1));
  const { code, stdout, stderr } = await runModule(`
    // No look from time to time: the alarms must follow from those that have fired.
    globalThis.setInterval = () => setTimeout(() => {}, 0);
    const { Miniflare } = await import("ferroflare");
    const fired = new Set();
    const script = \`
      export class OBJECT {
        constructor(state) { this.id = state.id.toString(); }
        alarm() { fired(this.id); }
      }
      export default { fetch() {} }\`;
    const open = (durableObjectsAlarms) => new Miniflare({
      modules: true, script, durableObjectsAlarms, durableObjectsPersist: ${place},
      globals: { fired: (id) => fired.has(id) ? process.exit(3) : fired.add(id) },
      durableObjects: { OBJECT: "OBJECT" },
    });
    const setting = open(false);
    const namespace = await setting.getDurableObjectNamespace("OBJECT");
    await Promise.all(Array.from({ length: ${count} }, async (_, i) => {
      const storage = await setting.getDurableObjectStorage(namespace.idFromName(String(i)));
      await storage.setAlarm(Date.now() - 1000);
    }));
    await setting.dispose();
    process.on("exit", () => console.log(fired.size));
    await open(true).getPlugins();
  `);
  assert.deepEqual([code, stdout], [0, `${count}\n`], stderr);
});
