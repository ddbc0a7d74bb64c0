// Random programs on data in files answer as on miniflare@2.14.4 in memory, although ours is restarted in the middle.
// FERROFLARE_SEED repeats a run, FERROFLARE_OPS asks for more operations.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Random } from "../support/prng.mjs";
import { seed } from "../support/seed.mjs";
import { compare, unexplained } from "./compare.mjs";
import { program as draw, size } from "./generate.mjs";
import { openOursOnFiles, withRestarts } from "./restarts.mjs";
import { report } from "./shrink.mjs";
import { openReference } from "./subjects.mjs";

const operations = Number(process.env.FERROFLARE_OPS ?? 6000);
/** One program of so many waits for the disk. */
const FSYNC_EACH = 8;
/** Each side is restarted at least once in so many operations. */
const RESTART_EACH = 500;

let reference;
let subjects;

before(async () => {
  reference = await openReference();
  subjects = {
    fsync: await openOursOnFiles({ durableObjectsDurability: "fsync", durableObjectsMaxOpen: 2 }),
    process: await openOursOnFiles({ durableObjectsDurability: "process" }),
  };
});

after(async () => {
  await reference.dispose();
  for (const subject of Object.values(subjects)) await subject.dispose();
});

/**
 * Compares random programs until so many operations have run and `isEnough`, or one differs; returns what there is to
 * report.
 */
async function search(subjectOf, from, operationsMin, isEnough = () => true) {
  let done = 0;
  for (let index = 0; done < operationsMin || !isEnough(); index++) {
    const random = new Random(from + index * 0x1_0000_0000);
    const program = withRestarts(draw(random), random);
    const subject = subjectOf(index);
    const differences = unexplained(await compare(program, reference, subject));
    if (differences.length > 0) return { found: { program, seed: from, index }, subject };
    done += size(program.steps);
  }
  return undefined;
}

test(`${operations} random operations on files, restarted in the middle, answer as on miniflare@2.14.4 (FERROFLARE_SEED=${seed})`, async () => {
  const { fsync, process } = subjects;
  const subjectOf = (index) => (index % FSYNC_EACH ? process : fsync);
  // How often a program restarts is drawn too: a few of them may not do it at all.
  const isEnough = () => Math.min(fsync.restarts, process.restarts) >= operations / RESTART_EACH;
  const different = await search(subjectOf, seed, operations, isEnough);
  if (different) assert.fail(await report(different.found, reference, different.subject));
});

test("the comparison notices data that does not survive a restart", async (t) => {
  const forgetful = await openOursOnFiles({ durableObjectsPersist: false });
  t.after(() => forgetful.dispose());
  assert.ok(await search(() => forgetful, 1, 2000), "no random program noticed it");
});
