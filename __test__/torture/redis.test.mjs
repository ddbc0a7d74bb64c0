// Processes on one Redis are killed at random moments, and so are connections and the server: nothing acknowledged is lost, nothing is torn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../support/seed.mjs";
import { torture } from "./rounds.mjs";

const ROUNDS = 10;

test(`nothing acknowledged is lost and nothing is torn when processes and the server are disturbed, in ${ROUNDS} rounds`, async () => {
  const total = await torture({ backend: "redis", rounds: ROUNDS, seed, processes: 2 });
  assert.equal(total.rounds, ROUNDS, `seed ${seed}`);
});
