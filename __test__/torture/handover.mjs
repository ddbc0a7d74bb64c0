// How long processes wait for an object that another one holds, and what several of them get done on it together.
//
// node __test__/torture/handover.mjs [--seconds 2]
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Child } from "../support/child.mjs";

const HOLDER = fileURLToPath(new URL("holder.mjs", import.meta.url));
const ROUNDS = 100;

const { values } = parseArgs({ options: { seconds: { type: "string", default: "2" } } });
const seconds = Number(values.seconds);

const directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-handover-"));
try {
  for (const busy of [false, true])
    show(`hand-over, the other process ${busy ? "busy" : "idle"}`, await handOvers(busy));
  for (const count of [1, 2, 4]) await throughput(count);
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** Two processes take the object from each other in turn; or one of them works on it all the time. */
async function handOvers(busy) {
  const [one, other] = [new Child(HOLDER), new Child(HOLDER)];
  try {
    for (const child of [one, other]) {
      child.say(JSON.stringify({ directory }));
      await child.heard("ready");
    }
    if (busy) one.say("run 3600");
    const waits = [];
    for (let round = 0; round < ROUNDS; round++) {
      if (!busy) await ask(one, round);
      waits.push(await ask(other, round));
      if (busy) await new Promise((resolve) => setTimeout(resolve, 30));
    }
    return waits;
  } finally {
    for (const child of [one, other]) child.kill();
    await Promise.all([one.ended, other.ended]);
  }
}

async function ask(child, number) {
  child.say(`put ${number}`);
  return Number((await child.heard(`put-${number}`)).split(" ")[1]);
}

async function throughput(count) {
  const children = Array.from({ length: count }, () => new Child(HOLDER));
  try {
    for (const child of children) {
      child.say(JSON.stringify({ directory }));
      await child.heard("ready");
    }
    for (const child of children) child.say(`run ${seconds}`);
    const done = await Promise.all(children.map((child) => child.heard("ran")));
    const each = done.map((line) => Number(line.split(" ")[1]));
    const rate = each.reduce((sum, number) => sum + number, 0) / seconds;
    console.log(
      `${count} processes: ${Math.round(rate)} transactions/s together; each ${each.join(", ")}`,
    );
    show(
      "  waits over 5 ms",
      done.flatMap((line) => JSON.parse(line.split(" ")[2])),
    );
  } finally {
    for (const child of children) child.kill();
    await Promise.all(children.map((child) => child.ended));
  }
}

function show(what, waits) {
  const sorted = [...waits].sort((one, other) => one - other);
  const at = (share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(1);
  console.log(
    `${what}: ${sorted.length}, median ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`,
  );
}
