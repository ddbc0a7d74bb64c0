// Random SQL programs in an object give what they give in Miniflare 4, which runs workerd, or the difference is a row of
// COMPAT.md. FERROFLARE_SEED repeats a run, FERROFLARE_SQL_STATEMENTS asks for more statements.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Random } from "../support/prng.mjs";
import { seed } from "../support/seed.mjs";
import { compare, differences, explanation, unexplained } from "./differential/compare.mjs";
import { divergences } from "./differential/divergences.mjs";
import { program, statements } from "./differential/generate.mjs";
import { report, shrink } from "./differential/shrink.mjs";
import { openOurs, openWorkerd } from "./differential/subjects.mjs";

// Both sides show a Date as a text: workerd has no time zone.
process.env.TZ = "UTC";
const wanted = Number(process.env.FERROFLARE_SQL_STATEMENTS ?? 6_000);
/** Most statements have to be equal in everything. */
const EXPLAINED_MAX = 0.04;
const compat = readFileSync(new URL("../../COMPAT.md", import.meta.url), "utf8");

let ours;
let workerd;
before(() => {
  [ours, workerd] = [openOurs(), openWorkerd()];
});
after(() => Promise.all([ours.dispose(), workerd.dispose()]));

test(`${wanted} random SQL statements give what they give on miniflare@4 (FERROFLARE_SEED=${seed})`, async () => {
  let done = 0;
  let explained = 0;
  for (let index = 0; done < wanted; index++) {
    const drawn = program(new Random(seed + index * 0x1_0000_0000));
    const found = await compare(drawn, ours, workerd);
    if (found.unexplained.length > 0) {
      assert.fail(await report({ seed, index, program: drawn }, ours, workerd));
    }
    explained += found.explained.length;
    done += drawn.requests.reduce((sum, steps) => sum + statements(steps), 0);
  }
  assert.ok(explained < done * EXPLAINED_MAX, `${explained} of ${done} statements differ by a row`);
});

for (const { row, shows } of divergences) {
  test(`${row}: still differs`, async () => {
    assert.ok(compat.includes(`| \`${row}\` |`), `COMPAT.md has no row ${row}`);
    const drawn = { start: [], requests: [shows] };
    const found = await differences(drawn, ours, workerd);
    const rows = found.map((difference) => explanation(difference)?.row);
    assert.deepEqual([...new Set(rows)], [row], JSON.stringify(found));
  });
}

test("the comparison finds a difference where one is made, and makes the program small", async () => {
  const changed = (text) => text.replaceAll("-- the difference", "+ 1");
  const other = {
    name: "changed",
    run: (drawn) => ours.run(JSON.parse(changed(JSON.stringify(drawn)))),
  };
  const select = (text) => ["exec", text, [], "array"];
  const hidden = ["sync", [select("SELECT 1"), select("SELECT 5 -- the difference")], "kept"];
  const requests = [[select("SELECT 2")], [["timer"], hidden, select("SELECT 3")]];
  const made = { start: [select("SELECT 0")], requests };
  assert.equal((await unexplained(made, ours, other)).length, 1);
  assert.deepEqual(await unexplained(made, ours, ours), []);
  const least = await shrink(made, ours, other);
  assert.deepEqual(least, { start: [], requests: [[hidden[1][1]]] });
});
