// `npm run torture`: kills processes at random moments and looks whether everything that was acknowledged is there.
import { parseArgs } from "node:util";
import { PLACES } from "./places.mjs";
import { torture } from "./rounds.mjs";

const USAGE = `Usage: npm run torture -- [options]
  --backend file|redis      what is tortured (default: file); redis starts a server, which is tortured too
  --rounds N                how often processes are killed (default: 200)
  --processes N             most processes at once on a place (default: 2)
  --durability fsync|process|both   of files (default: both)
  --seed N                  repeats the random choices of a run; moments within the processes still differ`;

function fail(message) {
  console.error(`${message}\n${USAGE}`);
  process.exit(2);
}

function count(name, text) {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    fail(`--${name} takes a whole number from 1, not ${text}`);
  return number;
}

let options;
try {
  options = parseArgs({
    options: {
      backend: { type: "string", default: "file" },
      rounds: { type: "string", default: "200" },
      processes: { type: "string", default: "2" },
      durability: { type: "string", default: "both" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
    },
  }).values;
} catch (error) {
  fail(error.message);
}
if (!Object.hasOwn(PLACES, options.backend)) {
  fail(`--backend takes file or redis, not ${options.backend}`);
}
if (!["fsync", "process", "both"].includes(options.durability)) {
  fail(`--durability takes fsync, process or both, not ${options.durability}`);
}
const rounds = count("rounds", options.rounds);
const processes = count("processes", options.processes);
const seed = count("seed", options.seed);

console.log(
  `${options.backend}, seed ${seed}, ${rounds} rounds, up to ${processes} processes, durability ${options.durability}`,
);
const start = performance.now();
try {
  const total = await torture({
    backend: options.backend,
    rounds,
    seed,
    processes,
    durability: options.durability,
    report: ({ round, kind, durability, fault, faults, workers, acknowledged }) => {
      const moments = workers.map(({ moment }) => moment.name).join(", ");
      const how = fault === undefined ? durability : `${fault} ${faults} times`;
      console.log(
        `round ${round}: ${kind}, ${how}, killed at ${moments}; ${acknowledged} acknowledged, all there`,
      );
    },
  });
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${total.rounds} rounds in ${seconds.toFixed(1)} s, ${total.acknowledged} acknowledged operations: nothing lost, nothing torn.`,
  );
  console.log(`worked on by: ${JSON.stringify(total.crews)}`);
  console.log(`killed at: ${JSON.stringify(total.moments)}`);
  if (Object.keys(total.faults).length > 0) console.log(`faults: ${JSON.stringify(total.faults)}`);
  console.log(`acknowledged: ${JSON.stringify(total.lanes)}`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
