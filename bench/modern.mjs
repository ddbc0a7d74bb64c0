/**
 * Modern objects in ferroflare and in miniflare@4 (workerd), both in memory, in one run. Measures calls a second,
 * hibernating WebSockets, and the time from `new Miniflare` to the first answer. Each round is a process of its own,
 * and the sides take turns; the median counts.
 *
 *   node bench/modern.mjs [--json FILE] [--rounds N] [--only TEXT] [--sockets N]
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { machine, summary, versionsOf, writeResults } from "./results.mjs";

const ROUND_MS = 1_500;
const WARM_UP_CALLS = 2_000;
/** Calls of one request: Miniflare 2 allows a request 1,000. */
const CALLS_EACH = 900;
const ECHOES = 10;
const SIDES = { workerd: "miniflare@4", ours: "ferroflare" };
const run = promisify(execFile);

const script = `
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  count = 0;
  add(n) {
    return (this.count += n);
  }
  fetch(request) {
    if (request.headers.get("Upgrade") === null) return new Response(String(++this.count));
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket, message) {
    socket.send(message);
  }
}
export default {
  async fetch(request, env) {
    const stub = env.COUNTER.getByName("bench");
    const { searchParams } = new URL(request.url);
    if (request.headers.get("Upgrade") !== null) return stub.fetch(request);
    const calls = Number(searchParams.get("calls"));
    if (searchParams.get("by") === "rpc") for (let i = 0; i < calls; i++) await stub.add(1);
    else for (let i = 0; i < calls; i++) await (await stub.fetch("http://object/")).text();
    return new Response("done");
  },
};`;

// ---------------------------------------------------------------------------------------------- one round of one side

async function start(side) {
  const { Miniflare } = await import(side === "ours" ? "../index.mjs" : "miniflare4");
  return new Miniflare({
    modules: true,
    script,
    compatibilityDate: "2026-04-01",
    durableObjects: { COUNTER: "Counter" },
  });
}

/** How often a second `call`, which stands for `each` calls, can be made. */
async function rate(each, call) {
  for (let i = 0; i < WARM_UP_CALLS; i += each) await call();
  const begin = performance.now();
  let calls = 0;
  for (; performance.now() - begin < ROUND_MS; calls += each) await call();
  return (calls * 1000) / (performance.now() - begin);
}

const inWorker = (mf, by) =>
  rate(CALLS_EACH, async () => {
    const url = `http://localhost/?by=${by}&calls=${CALLS_EACH}`;
    if ((await (await mf.dispatchFetch(url)).text()) !== "done") throw new Error("no answer");
  });

/** Bytes that keep the sockets: the heap of this process, both ends of each included, or what is resident of workerd. */
async function bytesInUse(side) {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise(setImmediate);
  }
  if (side === "ours") {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
  const of = (pid) =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`))[1]) * 1024;
  const { stdout } = await run("ps", ["-o", "pid=,comm=", "--ppid", String(process.pid)]);
  const children = stdout
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const pids = children.filter(([, name]) => name === "workerd").map(([pid]) => Number(pid));
  return Math.max(...pids.map(of));
}

async function openSockets(mf, count) {
  const sockets = [];
  for (let i = 0; i < count; i++) {
    const headers = { Upgrade: "websocket" };
    const { webSocket } = await mf.dispatchFetch("http://localhost/", { headers });
    webSocket.accept();
    sockets.push(webSocket);
  }
  return sockets;
}

/** Sends a message by each socket, and waits until all have come back. */
function echo(sockets) {
  return Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve) => {
          socket.addEventListener("message", resolve, { once: true });
          socket.send("hello");
        }),
    ),
  );
}

async function socketRates(mf, side, count) {
  const before = await bytesInUse(side);
  const sockets = await openSockets(mf, count);
  await echo(sockets);
  const bytesEach = ((await bytesInUse(side)) - before) / count;
  const begin = performance.now();
  for (let i = 0; i < ECHOES; i++) await echo(sockets);
  const echoes = (ECHOES * count * 1000) / (performance.now() - begin);
  for (const socket of sockets) socket.close(1000, "done");
  return { bytesEach, echoes };
}

async function round(side, socketCount, wanted) {
  const begin = performance.now();
  const mf = await start(side);
  const namespace = await mf.getDurableObjectNamespace("COUNTER");
  const stub = namespace.getByName("first");
  await stub.add(1);
  const found = { [ROWS.start]: performance.now() - begin };
  if (wanted(ROWS.worker)) found[ROWS.worker] = await inWorker(mf, "rpc");
  if (wanted(ROWS.fetch)) found[ROWS.fetch] = await inWorker(mf, "fetch");
  if (wanted(ROWS.node)) found[ROWS.node] = await rate(1, () => stub.add(1));
  if (wanted(ROWS.echoes) || wanted(ROWS.bytes)) {
    const { bytesEach, echoes } = await socketRates(mf, side, socketCount);
    Object.assign(found, { [ROWS.echoes]: echoes, [ROWS.bytes]: bytesEach / 1024 });
  }
  await mf.dispose();
  return found;
}

// ---------------------------------------------------------------------------------------------- all rounds

const ROWS = {
  worker: "RPC call from a worker",
  fetch: "stub.fetch() from a worker",
  node: "RPC call from Node.js",
  echoes: "echo by hibernating WebSockets",
  bytes: "memory of a hibernating WebSocket",
  start: "new Miniflare to the first RPC answer",
};
const UNITS = { [ROWS.bytes]: ["KiB", "lower"], [ROWS.start]: ["ms", "lower"] };

function line({ name, unit, rates }) {
  const numbers = [rates.workerd.median, rates.ours.median];
  const cells = numbers.map((number) => Math.round(number).toLocaleString("en").padStart(14));
  return `${`${name}, ${unit}`.padEnd(46)}${cells.join("")}${(numbers[1] / numbers[0]).toFixed(2).padStart(8)}`;
}

async function main(flags) {
  const about = machine();
  console.log(`Node ${about.node}, ${about.cpus} CPUs (${about.cpu}), median of ${flags.rounds}`);
  const file = fileURLToPath(import.meta.url);
  const found = { workerd: [], ours: [] };
  for (let i = 0; i < Number(flags.rounds); i++) {
    for (const side of i % 2 ? ["ours", "workerd"] : ["workerd", "ours"]) {
      const given = ["--side", side, "--only", flags.only, "--sockets", flags.sockets];
      const { stdout } = await run(process.execPath, [
        ...process.execArgv,
        "--expose-gc",
        file,
        ...given,
      ]);
      found[side].push(JSON.parse(stdout.trim().split("\n").at(-1)));
    }
  }
  const names = Object.values(ROWS).filter((name) => name.includes(flags.only));
  const rows = names.map((name) => {
    const [unit, better] = UNITS[name] ?? ["ops/s", "higher"];
    const rates = Object.fromEntries(
      Object.keys(SIDES).map((side) => [side, summary(found[side].map((one) => one[name]))]),
    );
    return { name, unit, better, rates };
  });
  console.log(
    `${"".padEnd(46)}${Object.values(SIDES)
      .map((name) => name.padStart(14))
      .join("")}   ratio`,
  );
  for (const row of rows) console.log(line(row));
  await writeResults(flags.json, {
    benchmark: "modern",
    ...about,
    versions: await versionsOf("ferroflare", "miniflare@4"),
    settings: { rounds: Number(flags.rounds), sockets: Number(flags.sockets) },
    sides: SIDES,
    rows,
  });
}

const { values: flags } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    sockets: { type: "string", default: "1000" },
    side: { type: "string" },
  },
});
if (flags.side === undefined) await main(flags);
else {
  const wanted = (name) => name.includes(flags.only);
  console.log(JSON.stringify(await round(flags.side, Number(flags.sockets), wanted)));
}
