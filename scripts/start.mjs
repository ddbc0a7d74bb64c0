/** `npm start`: builds, then runs the example of the README. */
import { runBuilt } from "./lib/built-program.mjs";
import { runMain } from "./lib/program.mjs";

runMain(() => runBuilt("examples/seed/index.mjs", process.argv.slice(2), 5));
