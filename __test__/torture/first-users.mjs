// Two first users of one new directory, again and again: node __test__/torture/first-users.mjs [--rounds 100]
import { parseArgs } from "node:util";
import { KINDS, ownNumbering, useFirst } from "../support/first-users.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "100" } } });
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) {
  console.error(`--rounds takes a whole number from 1, not ${values.rounds}`);
  process.exit(2);
}

if (!ownNumbering) {
  console.log(
    "The system lets no process have the id of another one: copies in one process stand for them.",
  );
}
let failed = 0;
for (const kind of Object.keys(KINDS)) {
  const start = performance.now();
  try {
    await useFirst(kind, rounds);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${kind}: ${rounds} first starts in ${seconds} s, no error, no lost update`);
  } catch (error) {
    failed++;
    console.error(`${kind}: ${error.message}`);
  }
}
process.exit(failed > 0 ? 1 : 0);
