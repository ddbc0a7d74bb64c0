// Processes that are killed at random moments lose nothing that was acknowledged, tear nothing, and leave nothing in the way.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, withDirectory, withPeers } from "../support/history/peers.mjs";
import { random } from "../support/random.mjs";
import { seed } from "../support/seed.mjs";
import { CREWS } from "./crew.mjs";
import { ALARM_BASE_MS, checkShared, LANES, lanesOf } from "./lanes.mjs";
import { miniflare, objects } from "./object.mjs";
import { torture } from "./rounds.mjs";

const ROUNDS = 12;
const MAIN = fileURLToPath(new URL("./main.mjs", import.meta.url));

test(`nothing acknowledged is lost and nothing is torn when processes are killed, in ${ROUNDS} rounds`, async () => {
  const total = await torture({ rounds: ROUNDS, seed, processes: 2 });
  assert.equal(total.rounds, ROUNDS, `seed ${seed}`);
  for (const crew of CREWS) assert.ok(total.crews[crew] >= ROUNDS / CREWS.length, crew);
});

test("the torture command refuses options that make no sense", () => {
  for (const options of [
    ["--rounds", "0"],
    ["--backend", "paper"],
    ["--durability", "none"],
    ["--unknown"],
  ]) {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...options], {
      encoding: "utf8",
    });
    assert.equal(status, 2);
    assert.match(stderr, /Usage: npm run torture/);
  }
});

/** Something that would be wrong after operations 1 and 2 of a lane were acknowledged. */
const DAMAGES = {
  batch: (reached) => write(reached, "batch", "b:0:3", { stamp: 1 }),
  turn: (reached) => write(reached, "turn", "t:0:a", 1),
  inside: (reached) => write(reached, "inside", "t:0:c:1", 1),
  bank: async (reached) => (await reached.storage("bank")).delete("books:0:1"),
  count: (reached) => write(reached, "count", "mine:0", 1),
  socket: (reached) => write(reached, "socket", "heard:0", 1),
  alarm: async (reached) => (await reached.storage("alarm-0")).setAlarm(ALARM_BASE_MS + 1),
  clear: async (reached) => (await reached.storage("clear-0")).deleteAll(),
  fresh: async (reached) => (await reached.storage("fresh-0-1")).deleteAll(),
  sql: (reached) => reached.askSql("sql-0", "/damage"),
  sqlclear: (reached) => reached.askSql("sqlclear-0", "/damage"),
  sqlfresh: (reached) => reached.askSql("sqlfresh-0-1", "/clear"),
};

const write = async (reached, name, key, value) => (await reached.storage(name)).put(key, value);

for (const [name, lane] of Object.entries(lanesOf("file"))) {
  test(`the check of the lane "${name}" finds nothing where nothing is wrong, and something where something is`, async () => {
    const mf = await miniflare(undefined, "fsync");
    try {
      const reached = await objects(mf);
      const markers = () =>
        [1, 2].map((at) => `${ALARM_BASE_MS + at}.TORTURE.${reached.id("alarm-0")}`);
      const context = { objects: reached, slot: 0, random: random(1), state: {}, markers };
      const seen = { acknowledged: [1, 2], issued: [1, 2], values: [] };
      for (const stamp of seen.issued) seen.values.push((await lane.run(context, stamp)) ?? stamp);
      assert.equal(await lane.check(context, seen), undefined);
      assert.equal(await checkShared(context), undefined);
      await DAMAGES[name](reached);
      assert.equal(typeof (await lane.check(context, seen)), "string");
    } finally {
      await mf.dispose();
    }
  });
}

test("money that is made or lost is found, and so is a counter that does not fit the others", async () => {
  const mf = await miniflare(undefined, "fsync");
  try {
    const reached = await objects(mf);
    const context = { objects: reached, slot: 0, random: random(1), state: {} };
    await LANES.bank.run(context, 1);
    await LANES.count.run(context, 1);
    assert.equal(await checkShared(context), undefined);
    await write(reached, "count", "all", 7);
    assert.match(await checkShared(context), /the counters' sum is 1, but all is 7/);
    await write(reached, "count", "all", 1);
    await write(reached, "bank", "account:0", 5);
    assert.match(await checkShared(context), /but the books say/);
  } finally {
    await mf.dispose();
  }
});

test("what killed processes leave behind is not in the way of the next one, and goes", () =>
  withDirectory(async (directory) => {
    const own = path.join(directory, ".ferroflare");
    const id = await withPeers(1, { directory }, async (peer) => {
      await ask(peer, "put", "o", "key", 1);
      return ask(peer, "id", "o");
    });
    for (const room of ["wanted", "trash", "alarms"])
      await mkdir(path.join(own, room), { recursive: true });
    await writeFile(path.join(own, "wanted", `PEER.${id}`), "");
    await writeFile(path.join(own, "alarms", `1000.PEER.${id}`), "");
    await mkdir(path.join(own, "trash", `PEER.${id}.1.1`));
    await writeFile(path.join(own, "trash", `PEER.${id}.1.1`, "000004.log"), "old");
    // A database that was being created when its process was killed.
    await mkdir(path.join(directory, "PEER", "0".repeat(64)));
    await writeFile(path.join(directory, "PEER", "0".repeat(64), "000001.dbtmp"), "");
    await withPeers(1, { directory }, async (peer) => {
      assert.equal(await ask(peer, "get", "o", "key"), 1);
      await ask(peer, "put", "o", "key", 2);
      assert.equal(await ask(peer, "get", "o", "key"), 2);
    });
    assert.deepEqual(await readdir(path.join(own, "wanted")), []);
    assert.deepEqual(await readdir(path.join(own, "alarms")), []);
    // The directory stays: another first user may be about to put something into it.
    assert.deepEqual(await readdir(path.join(own, "trash")), []);
  }));
