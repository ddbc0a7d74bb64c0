// Random programs of RPC answer as in Miniflare 4, which runs workerd, or the difference is a row of COMPAT.md.
// FERROFLARE_SEED repeats a run, FERROFLARE_RPC_OPS asks for more operations.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Random } from "../support/prng.mjs";
import { seed } from "../support/seed.mjs";
import { divergences } from "./differential/divergences.mjs";
import { program } from "./differential/generate.mjs";
import { DATES, openOurs, openWorkerd } from "./differential/subjects.mjs";

const operations = Number(process.env.FERROFLARE_RPC_OPS ?? 2_200);
const compat = readFileSync(new URL("../../COMPAT.md", import.meta.url), "utf8");

/** The row that explains a difference, if there is one. */
function explanation(step, ours, theirs) {
  return divergences.find(({ explains }) => explains(step, ours, theirs))?.row;
}

/** What is different without a row, one text a step. */
async function unexplained({ name, steps }, ours, workerd) {
  const [here, there] = await Promise.all([
    ours.run({ name, steps }),
    workerd.run({ name, steps }),
  ]);
  return steps.flatMap((step, i) => {
    if (here[i] === there[i] || explanation(step, here[i], there[i])) return [];
    return [`${JSON.stringify(step)}\n  ${ours.name}: ${here[i]}\n  ${workerd.name}: ${there[i]}`];
  });
}

for (const date of DATES) {
  describe(`compatibility date ${date}`, () => {
    let ours;
    let workerd;
    before(async () => {
      [ours, workerd] = await Promise.all([openOurs(date), openWorkerd(date)]);
    });
    after(() => Promise.all([ours.dispose(), workerd.dispose()]));

    test(`${operations / DATES.length} random operations of RPC answer as on miniflare@4 (FERROFLARE_SEED=${seed}, ${date})`, async () => {
      let done = 0;
      for (let index = 0; done < operations / DATES.length; index++) {
        const drawn = program(new Random(seed + index * 0x1_0000_0000), `program ${index}`);
        const differences = await unexplained(drawn, ours, workerd);
        assert.deepEqual(differences, [], `program ${index} of FERROFLARE_SEED=${seed}`);
        done += drawn.steps.length;
      }
    });

    for (const { row, shows } of divergences) {
      test(`${row}: still differs (${date})`, async () => {
        assert.ok(compat.includes(`| \`${row}\` |`), `COMPAT.md has no row ${row}`);
        const drawn = { name: `row ${row}`, steps: shows };
        const [here, there] = await Promise.all([ours.run(drawn), workerd.run(drawn)]);
        for (const [i, step] of shows.entries()) {
          assert.notEqual(here[i], there[i], JSON.stringify(step));
          assert.equal(explanation(step, here[i], there[i]), row);
        }
      });
    }
  });
}

test("the comparison finds a difference where one is made", async (t) => {
  const ours = await openOurs(DATES[0]);
  const other = await openOurs(DATES[1]);
  t.after(() => Promise.all([ours.dispose(), other.dispose()]));
  const steps = [
    [
      "call",
      ["raise"],
      [
        ["plain", "own"],
        ["plain", "m"],
      ],
    ],
  ];
  assert.equal((await unexplained({ name: "made", steps }, ours, other)).length, 1);
});
