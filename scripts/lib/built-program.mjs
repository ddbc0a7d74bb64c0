/** Runs a program of the repository on a fresh build. Its standard output is the program's alone. */
import { build } from "../build.mjs";
import { setup } from "../setup.mjs";
import { runNode } from "./process.mjs";
import { Failure } from "./program.mjs";
import { secondsSince } from "./report.mjs";

const progressMillis = 10_000;

/** Sets up, builds, and runs Node.js with `nodeArguments`, the script at `path` among them; `minutesMax` limits the run. */
export async function runBuilt(path, nodeArguments, minutesMax) {
  await setup();
  await buildQuietly();
  await runNode(nodeArguments, { name: path, minutesMax });
}

/** Shows progress now and then, and the tools' output only when they fail. */
async function buildQuietly() {
  const start = Date.now();
  let output = "";
  let shown = start;
  const stderr = (chunk) => {
    output += chunk;
    if (Date.now() - shown < progressMillis) return;
    shown = Date.now();
    const crates = output.match(/Compiling/g)?.length ?? 0;
    console.error(`  ${crates} crates so far, ${secondsSince(start)}`);
  };
  try {
    await build({ stdout: "pipe", stderr });
  } catch (error) {
    throw error instanceof Failure ? new Failure(`${output}${error.message}`) : error;
  }
}
