/** `npm run bench -- [files|redis|modern|sqlite] [arguments]`: builds, then runs the benchmark of memory, files, Redis, modern or SQLite-backed objects with the arguments. */
import { runBuilt } from "./lib/built-program.mjs";
import { runMain } from "./lib/program.mjs";

const [what, ...rest] = process.argv.slice(2);
const [file, args] = ["files", "redis", "modern", "sqlite"].includes(what)
  ? [`bench/${what}.mjs`, rest]
  : ["bench/memory.mjs", process.argv.slice(2)];

// Miniflare 2, which is measured too, needs the flag.
const flags = ["--no-warnings", "--experimental-vm-modules"];

runMain(() => runBuilt(file, [...flags, file, ...args], 120));
