/** `npm start`: builds, then runs the example of the README in memory and on files; or where its argument says. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBuilt } from "./lib/built-program.mjs";
import { linkPackage } from "./lib/example.mjs";
import { runNode } from "./lib/process.mjs";
import { runMain } from "./lib/program.mjs";

const example = "examples/outside-worker/index.mjs";
const minutesMax = 5;

runMain(async () => {
  linkPackage("outside-worker");
  const given = process.argv.slice(2);
  await runBuilt(example, [example, ...given], minutesMax);
  if (given.length > 0) return;
  const directory = await mkdtemp(join(tmpdir(), "ferroflare-start-"));
  try {
    await runNode([example, directory], { name: example, minutesMax });
  } finally {
    await rm(directory, { recursive: true });
  }
});
