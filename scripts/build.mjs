/** `npm run build`: the native addon with its loader and types, then the TypeScript. */
import { buildAddon } from "./lib/addon.mjs";
import { targetDirectory } from "./lib/paths.mjs";
import { isProgram, runMain } from "./lib/program.mjs";
import { secondsSince } from "./lib/report.mjs";
import { buildTypeScript } from "./lib/typescript.mjs";
import { setup } from "./setup.mjs";

/** Builds everything that `import "ferroflare"` needs. `options` say where the output of the tools goes (see `run`). */
export async function build(options = {}) {
  const start = Date.now();
  console.error(`Building the native core in ${targetDirectory} (the first build takes minutes)`);
  const addon = await buildAddon(options);
  console.error(`Built ${addon} in ${secondsSince(start)}`);
  const compiled = Date.now();
  await buildTypeScript(options);
  console.error(`Compiled lib to dist in ${secondsSince(compiled)}`);
}

if (isProgram(import.meta.url)) {
  runMain(async () => {
    await setup();
    await build();
  });
}
