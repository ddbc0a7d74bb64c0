// Random programs with hibernating WebSockets do as in Miniflare 4, which runs workerd, or the difference is a row of
// COMPAT.md. FERROFLARE_SEED repeats a run, FERROFLARE_SOCKET_STEPS asks for more steps.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { miniflare4 } from "../support/miniflare4.mjs";
import { Random } from "../support/prng.mjs";
import { seed } from "../support/seed.mjs";
import { program } from "./differential/sockets-generate.mjs";
import { script } from "./differential/sockets-worker.mjs";

const steps = Number(process.env.FERROFLARE_SOCKET_STEPS ?? 1_000);
const durableObjects = { ROOM: "Room" };
/** From 2026-04-07 on workerd answers a close by itself, and before it the other end has to. */
const DATES = ["2026-04-25", "2026-03-01"];

function subject(mf) {
  return {
    async run(drawn) {
      const body = JSON.stringify(drawn);
      const response = await mf.dispatchFetch("http://localhost/", { method: "POST", body });
      const text = await response.text();
      assert.ok(response.ok, text);
      return JSON.parse(text);
    },
    dispose: () => mf.dispose(),
  };
}

function open(compatibilityDate) {
  const ours = new Miniflare({ modules: true, script, durableObjects, compatibilityDate });
  const workerd = miniflare4(script, { durableObjects, compatibilityDate });
  return [subject(ours), subject(workerd)];
}

async function differences(drawn, ours, workerd) {
  const [here, there] = await Promise.all([ours.run(drawn), workerd.run(drawn)]);
  return drawn.steps.flatMap((step, i) =>
    here[i] === there[i]
      ? []
      : [`${i}. ${JSON.stringify(step)}\n  ferroflare: ${here[i]}\n  miniflare@4: ${there[i]}`],
  );
}

for (const date of DATES) {
  describe(`compatibility date ${date}`, () => {
    let ours;
    let workerd;
    before(() => {
      [ours, workerd] = open(date);
    });
    after(() => Promise.all([ours.dispose(), workerd.dispose()]));

    test(`${steps / DATES.length} random steps with hibernating WebSockets do as on miniflare@4 (FERROFLARE_SEED=${seed}, ${date})`, async () => {
      let done = 0;
      for (let index = 0; done < steps / DATES.length; index++) {
        const drawn = program(new Random(seed + index * 0x1_0000_0000), `program ${index}`);
        const found = await differences(drawn, ours, workerd);
        const shown = `program ${index} of FERROFLARE_SEED=${seed}: ${JSON.stringify(drawn.steps)}\n${found.join("\n")}`;
        assert.equal(found.length, 0, shown);
        done += drawn.steps.length;
      }
    });
  });
}

test("the comparison of sockets finds a difference where one is made", async (t) => {
  const [ours, workerd] = open(DATES[0]);
  t.after(() => Promise.all([ours.dispose(), workerd.dispose()]));
  const other = { run: (drawn) => workerd.run({ ...drawn, steps: drawn.steps.slice(0, -1) }) };
  const drawn = {
    name: "made",
    steps: [
      ["open", "a", ["x"]],
      ["say", "a", "echo:1"],
    ],
  };
  assert.deepEqual(await differences(drawn, ours, workerd), []);
  assert.equal((await differences(drawn, ours, other)).length, 1);
});
