// In the end of a process nothing waits any more: memory answers, and stored data says why it does not.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { runModule, temporaryDirectory } from "../support/cli.mjs";
import { RedisServer } from "../support/redis.mjs";

const ENDING =
  /^Error ERR_STORAGE_ENDING Stored data cannot be reached any more: the process is ending\. Read and write earlier/;

/** What operations in an exit listener say, a line each; `before` runs before this package is loaded. */
async function atExit(place, before = "") {
  const { code, stdout, stderr } = await runModule(`
    const say = ({ name, code, message }) => console.log(name, code, message);
    const tried = (operation) => {
      try {
        operation().catch(say);
      } catch (error) {
        say(error);
      }
    };
    let storage, other;
    const listener = () => {
      tried(() => storage.put("key", 2));
      tried(() => other.get("key"));
    };
    ${before}
    const { Miniflare } = await import("ferroflare");
    const mf = new Miniflare({
      modules: true,
      script: "export class OBJECT {}; export default {}",
      durableObjects: { OBJECT: "OBJECT" },
      durableObjectsPersist: ${JSON.stringify(place)},
    });
    const namespace = await mf.getDurableObjectNamespace("OBJECT");
    const storageOf = (name) => mf.getDurableObjectStorage(namespace.idFromName(name));
    [storage, other] = [await storageOf("a"), await storageOf("b")];
    await storage.put("key", 1);
    if (!process.listeners("exit").includes(listener)) process.on("exit", listener);
    process.exit(0);
  `);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  return stdout.trim().split("\n").filter(Boolean);
}

async function places(t) {
  const server = await RedisServer.start();
  t.after(() => server.stop());
  return { files: path.join(await temporaryDirectory(t), "data"), Redis: server.url() };
}

test("in an exit listener files and Redis say that the process is ending", async (t) => {
  for (const [kind, place] of Object.entries(await places(t))) {
    for (const before of ["", 'process.on("exit", listener);']) {
      const lines = await atExit(place, before);
      assert.match(lines[0] ?? "", ENDING, kind);
    }
  }
});

test("in an exit listener memory goes on", async () => {
  assert.deepEqual(await atExit(undefined), []);
});
