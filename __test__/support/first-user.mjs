/**
 * What a first user of a new directory does there. It runs in this process (`loadUser()`), or as a process or a worker
 * thread. That one is told the copy of the package first, and then a directory.
 */
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isMainThread, parentPort } from "node:worker_threads";

/** Increments that each user makes. */
export const INCREMENTS = 5;
/** Too long to be the name of a directory: it is written into a file. */
export const LONG_NAME = "L".repeat(150);

const script = `
export class Shared {
  alarm() {}
}
export default { fetch: () => new Response("none") }`;

/** Makes a Miniflare of a copy of the package that persists to a directory. */
export async function loadPackage(packageDirectory) {
  const index = pathToFileURL(path.join(packageDirectory, "index.mjs"));
  const { Miniflare } = await import(index);
  return (directory) =>
    new Miniflare({
      modules: true,
      script,
      durableObjects: { SHARED: "Shared", [LONG_NAME]: "Shared" },
      durableObjectsPersist: directory,
      durableObjectsAlarms: false,
    });
}

/** The storage of an object of a Miniflare. */
export async function storageIn(mf, binding, name) {
  const namespace = await mf.getDurableObjectNamespace(binding);
  return mf.getDurableObjectStorage(namespace.idFromName(name));
}

/** Loads a copy of the package; gives what uses a directory under a name. */
export async function loadUser(packageDirectory) {
  const open = await loadPackage(packageDirectory);
  return async (directory, name) => {
    const mf = open(directory);
    try {
      const [shared, long, own] = await Promise.all([
        storageIn(mf, "SHARED", "counter"),
        storageIn(mf, LONG_NAME, "names"),
        storageIn(mf, "SHARED", `own ${name}`),
      ]);
      const increment = () =>
        shared.transaction(async (txn) => txn.put("count", ((await txn.get("count")) ?? 0) + 1));
      const vanish = async () => {
        await own.put("key", name);
        await own.deleteAll();
      };
      await Promise.all([
        ...Array.from({ length: INCREMENTS }, increment),
        long.put(name, true),
        vanish(),
      ]);
    } finally {
      await mf.dispose();
    }
  };
}

/** Reads a line of JSON at a time, as a process; as a thread, a message. */
async function* orders() {
  if (isMainThread) {
    for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line);
    return;
  }
  for (;;) {
    const [order] = await once(parentPort, "message");
    yield order;
  }
}

async function serve() {
  const say = (line) =>
    isMainThread ? process.stdout.write(`${line}\n`) : parentPort.postMessage(line);
  let use;
  for await (const order of orders()) {
    if (order.package) {
      use = await loadUser(order.package);
      say("ready");
      continue;
    }
    const failed = await use(order.directory, order.name).then(
      () => undefined,
      (error) => error,
    );
    say(failed ? `failed ${JSON.stringify(failed.stack)}` : "done");
  }
}

if (!isMainThread || process.argv[1] === fileURLToPath(import.meta.url)) await serve();
