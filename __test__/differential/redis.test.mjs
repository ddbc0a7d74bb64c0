// Random programs on data in Redis answer as on miniflare@2.14.4 in memory, although ours is restarted in the middle.
// FERROFLARE_SEED repeats a run, FERROFLARE_OPS asks for more operations.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../support/prng.mjs";
import { redisServer } from "../support/redis.mjs";
import { redisCluster } from "../support/redis-cluster.mjs";
import { seed } from "../support/seed.mjs";
import { compare, unexplained } from "./compare.mjs";
import { program as draw, size } from "./generate.mjs";
import { openOursOnRedis, withRestarts } from "./restarts.mjs";
import { report } from "./shrink.mjs";
import { openReference } from "./subjects.mjs";

const operations = Number(process.env.FERROFLARE_OPS ?? 6000);
/** Ours is restarted at least once in so many operations. */
const RESTART_EACH = 500;

/** Compares random programs until so many operations have run, and ours has been restarted often enough. */
async function assertSame(t, url, operationsMin, from) {
  const reference = await openReference();
  t.after(() => reference.dispose());
  const subject = await openOursOnRedis(url);
  t.after(() => subject.dispose());
  let done = 0;
  const isEnough = () => done >= operationsMin && subject.restarts >= operationsMin / RESTART_EACH;
  for (let index = 0; !isEnough(); index++) {
    const random = new Random(from + index * 0x1_0000_0000);
    const program = withRestarts(draw(random), random);
    const differences = unexplained(await compare(program, reference, subject));
    if (differences.length > 0) {
      assert.fail(await report({ program, seed: from, index }, reference, subject));
    }
    done += size(program.steps);
  }
}

test(`${operations} random operations on Redis, restarted in the middle, answer as on miniflare@2.14.4 (FERROFLARE_SEED=${seed})`, async (t) => {
  const server = await redisServer(t);
  await assertSame(t, server.url(), operations, seed);
});

test(`${operations / 4} random operations on a cluster of three answer as on miniflare@2.14.4 (FERROFLARE_SEED=${seed})`, async (t) => {
  const cluster = await redisCluster(t);
  await assertSame(t, cluster.url(), operations / 4, seed + 1);
});
