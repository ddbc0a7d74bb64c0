// Random programs on data in Redis answer as on miniflare@2.14.4 in memory, although ours is restarted in the middle.
// FERROFLARE_SEED repeats a run, FERROFLARE_OPS asks for more operations.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { compare, unexplained } from "./differential/compare.mjs";
import { program as draw, size } from "./differential/generate.mjs";
import { Random } from "./differential/prng.mjs";
import { openOursOnRedis, withRestarts } from "./differential/restarts.mjs";
import { report } from "./differential/shrink.mjs";
import { openReference } from "./differential/subjects.mjs";
import { RedisServer } from "./helpers/redis.mjs";

const seed = Number(process.env.FERROFLARE_SEED ?? Date.now() % 0x1_0000_0000);
const operations = Number(process.env.FERROFLARE_OPS ?? 6000);

let server;
let reference;
let subject;
before(async () => {
  server = await RedisServer.start();
  reference = await openReference();
  subject = await openOursOnRedis(server.url());
});
after(async () => {
  await reference.dispose();
  await subject.dispose();
  await server.close();
});

test(`${operations} random operations on Redis, restarted in the middle, answer as on miniflare@2.14.4 (FERROFLARE_SEED=${seed})`, async () => {
  let done = 0;
  for (let index = 0; done < operations; index++) {
    const random = new Random(seed + index * 0x1_0000_0000);
    const program = withRestarts(draw(random), random);
    const differences = unexplained(await compare(program, reference, subject));
    if (differences.length > 0) {
      assert.fail(await report({ program, seed, index }, reference, subject));
    }
    done += size(program.steps);
  }
  assert.ok(subject.restarts > operations / 500, `it was restarted only ${subject.restarts} times`);
});
