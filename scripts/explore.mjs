/**
 * `npm run explore -- [--minutes N] [--files a,b]`: the random tests on what is built, again and again, each time with a new seed.
 *
 * `npm test` uses one seed, so that it finds the same failures again. This command looks for failures that the seed
 * does not show. The seeds that failed are named in the end, and how to repeat them.
 */
import { parseArgs } from "node:util";
import { runNode } from "./lib/process.mjs";
import { Failure, runMain } from "./lib/program.mjs";

const random = ["storage/codec", "differential/memory", "differential/files", "differential/redis"];
const seeds = 2 ** 31;

async function main() {
  const { minutes, files } = readOptions();
  const end = Date.now() + minutes * 60_000;
  const failed = [];
  let rounds = 0;
  for (; Date.now() < end; rounds++) {
    const seed = Math.floor(Math.random() * seeds);
    for (const file of files) {
      if (!(await passes(file, seed))) failed.push(`FERROFLARE_SEED=${seed} ${command(file)}`);
    }
  }
  console.log(`${rounds} seeds on ${files.join(", ")}: ${failed.length} failures`);
  if (failed.length > 0) throw new Failure(`Repeat them with\n${failed.join("\n")}`);
}

async function passes(file, seed) {
  console.log(`${file}, FERROFLARE_SEED=${seed}`);
  try {
    await runNode(argumentsFor(file), {
      name: `${file} with FERROFLARE_SEED=${seed}`,
      minutesMax: 20,
      env: { FERROFLARE_SEED: `${seed}` },
      stdout: "pipe",
    });
    return true;
  } catch (error) {
    console.error(error.message);
    return false;
  }
}

function argumentsFor(file) {
  const flags = ["--no-warnings", "--experimental-vm-modules", "--test"];
  return [...flags, "--test-name-pattern=random", `__test__/${file}.test.mjs`];
}

function command(file) {
  return ["node", ...argumentsFor(file)].join(" ");
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      files: { type: "string", default: random.join() },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Failure(`--minutes ${values.minutes}: give a number above 0.`);
  const files = values.files.split(",");
  const unknown = files.find((file) => !random.includes(file));
  if (unknown !== undefined) {
    throw new Failure(`--files ${unknown}: choose from ${random.join(", ")}.`);
  }
  return { minutes, files };
}

runMain(main);
