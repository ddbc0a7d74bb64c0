/**
 * `npm run pack`: builds, then packs one file with the addon of this machine in it, for projects on this machine.
 *
 * Options (after `npm run pack --`):
 *   --out FOLDER      where the tarballs go; by default `packages`
 *   --addons FOLDER   where addons of other platforms are, beside the one built here; may be repeated
 *   --no-build        packs what is built
 *   --all             packs the main package and one for each platform, as a release publishes them; fails if an addon
 *                     is missing
 */
import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { packOne, packPackages } from "./lib/packages.mjs";
import { root } from "./lib/paths.mjs";
import { Failure, runMain } from "./lib/program.mjs";
import { table } from "./lib/report.mjs";
import { setup } from "./setup.mjs";

async function main() {
  const { out, addons, all, noBuild } = readOptions();
  if (!noBuild) {
    await setup();
    await build();
  }
  const pack = all ? packPackages : packOne;
  const { packed, missing } = await pack({ destination: out, addons });
  const rows = packed.map(({ file, bytes, unpackedBytes, files }) => [
    relative(process.cwd(), file),
    `${kib(bytes)} KiB`,
    `${kib(unpackedBytes)} KiB unpacked`,
    `${files.length} files`,
  ]);
  console.log(table(rows));
  if (all && missing.length > 0) {
    throw new Failure(
      `No addon for ${missing.join(", ")}: build them, and name their folder with --addons.`,
    );
  }
  if (!all)
    console.log(`\nInstall it in your project:\n\n  npm install --save-dev ${packed[0].file}`);
}

function kib(bytes) {
  return (bytes / 1024).toFixed(0);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        out: { type: "string", default: "packages" },
        addons: { type: "string", multiple: true, default: [] },
        all: { type: "boolean", default: false },
        "no-build": { type: "boolean", default: false },
      },
    });
    const folders = values.addons.map((folder) => resolve(folder));
    const absent = folders.find((folder) => !existsSync(folder));
    if (absent) throw new Error(`--addons ${absent}: there is no such folder.`);
    return {
      out: resolve(root, values.out),
      addons: [root, ...folders],
      all: values.all,
      noBuild: values["no-build"],
    };
  } catch (error) {
    throw new Failure(error.message);
  }
}

runMain(main);
