// Starts two processes that count in one Durable Object, and reads what they have counted.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Miniflare } from "ferroflare";
import { options } from "./counter.mjs";

const EACH = 50;
const url = process.argv[2] ?? "redis://localhost:6379";

function count() {
  return spawn(process.execPath, ["count.mjs", url, String(EACH)], { stdio: "inherit" });
}

const codes = await Promise.all([count(), count()].map((child) => once(child, "exit")));
if (codes.some(([code]) => code !== 0)) throw new Error(`A process could not count in ${url}`);

const mf = new Miniflare(options(url));
const namespace = await mf.getDurableObjectNamespace("COUNTER");
const storage = await mf.getDurableObjectStorage(namespace.idFromName("example"));
console.log(`Two processes have counted to ${await storage.get("count")}`);
await storage.deleteAll();
await mf.dispose();
