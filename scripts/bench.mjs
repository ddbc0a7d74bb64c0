/** `npm run bench -- [arguments]`: builds, then runs the memory benchmark with the arguments. */
import { runBuilt } from "./lib/built-program.mjs";
import { runMain } from "./lib/program.mjs";

runMain(() => runBuilt("bench/memory.mjs", process.argv.slice(2), 120));
