// Random programs of alarms with handlers that fail, and of aborts, end as in Miniflare 4, which runs workerd.
import assert from "node:assert/strict";
import test from "node:test";
import { NoOpLog } from "@miniflare/shared";
import { Miniflare } from "../../index.mjs";
import { miniflare4 } from "../support/miniflare4.mjs";
import { Random } from "../support/prng.mjs";
import { seed } from "../support/seed.mjs";
import { abortProgram, alarmProgram, script } from "./differential/lifecycle.mjs";

const COUNT = Number(process.env.FERROFLARE_LIFECYCLES ?? 40);
const shared = { durableObjects: { Subject: "Subject" }, compatibilityDate: "2026-04-25" };

async function run(t, mf, programs) {
  t.after(() => mf.dispose());
  const body = JSON.stringify(programs);
  const response = await mf.dispatchFetch("http://localhost/", { method: "POST", body });
  assert.equal(response.status, 200, "the worker has failed");
  return response.json();
}

test(`${COUNT} programs of alarms and ${COUNT} of aborts end as on miniflare@4 (FERROFLARE_SEED=${seed})`, async (t) => {
  const random = new Random(seed);
  const alarmPrograms = Array.from({ length: COUNT }, () => alarmProgram(random));
  const abortPrograms = Array.from({ length: COUNT }, () => abortProgram(random));
  const ours = new Miniflare({ ...shared, modules: true, script, log: new NoOpLog() });
  const workerd = miniflare4(script, shared);
  const programs = { alarmPrograms, abortPrograms };
  const [here, there] = await Promise.all([run(t, ours, programs), run(t, workerd, programs)]);
  for (const [i, program] of alarmPrograms.entries()) {
    assert.deepEqual(here.ofAlarms[i], there.ofAlarms[i], JSON.stringify(program));
  }
  for (const [i, program] of abortPrograms.entries()) {
    assert.deepEqual(here.ofAborts[i], there.ofAborts[i], JSON.stringify(program));
  }
});
