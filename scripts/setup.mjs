/** `npm run setup`: checks the toolchain and installs what the build needs. Plain Node.js: runs before `npm ci`. */
import { installDependencies } from "./lib/dependencies.mjs";
import { isProgram, runMain } from "./lib/program.mjs";
import { checkNode, checkRust, checkSystemPackages } from "./lib/requirements.mjs";

/** Makes the machine ready to build, or throws a `Failure` that says what to do. */
export async function setup() {
  const found = [
    checkNode(),
    checkRust(),
    await checkSystemPackages(),
    await installDependencies(),
  ];
  console.error(`Setup: ${found.join(", ")}`);
}

if (isProgram(import.meta.url)) runMain(setup);
