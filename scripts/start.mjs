/** `npm start`: builds, then runs the example of the README. */
import { runBuilt } from "./lib/built-program.mjs";
import { linkPackage } from "./lib/example.mjs";
import { runMain } from "./lib/program.mjs";

const example = "examples/seed/index.mjs";

runMain(() => {
  linkPackage("seed");
  return runBuilt(example, [example, ...process.argv.slice(2)], 5);
});
