/** Node.js in other versions, from the npm packages that carry its binaries; kept in the user's cache folder. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npm } from "./npm.mjs";
import { cacheDirectory } from "./paths.mjs";
import { outputOf } from "./process.mjs";
import { Failure } from "./program.mjs";

/** The release lines that are tested. The newest version is looked up. */
export const lines = ["18", "20", "22", "24"];
const names = { darwin: "darwin", linux: "linux", win32: "win" };
const folder = join(cacheDirectory(), "ferroflare", "node");

/** The version of each line, and the newest of all, as the registry of npm packages has them: `{ line, version }`. */
export async function publishedVersions() {
  const output = await npm(["view", packageName(), "versions", "--json"], {
    name: `npm view ${packageName()}`,
    minutesMax: 5,
    stdout: "pipe",
  });
  const released = JSON.parse(output).filter((version) => /^\d+\.\d+\.\d+$/.test(version));
  const newestOf = (versions) => versions.sort(byNumber).at(-1);
  const newest = newestOf([...released]);
  const wanted = [...new Set([...lines, newest.split(".")[0]])];
  return wanted.map((line) => {
    const version = newestOf(released.filter((candidate) => candidate.startsWith(`${line}.`)));
    if (!version)
      throw new Failure(`The package ${packageName()} has no version of Node.js ${line}.`);
    return { line, version };
  });
}

/** Resolves with the path of the program of a version; installs it when the cache lacks it. */
export async function nodeProgram(version) {
  const home = join(folder, version);
  const installed = join(home, "node_modules", packageName());
  const program = join(installed, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (outputOf(program, ["--version"]) !== `v${version}`) {
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{ "private": true }\n');
    await npm(
      ["install", "--no-audit", "--no-fund", "--no-save", "--force", `${packageName()}@${version}`],
      {
        name: `npm install ${packageName()}@${version}`,
        minutesMax: 15,
        cwd: home,
        stdout: "pipe",
        stderr: "pipe",
      },
    );
  }
  if (!existsSync(program)) throw new Failure(`${packageName()}@${version} brought no ${program}.`);
  return program;
}

/** The package of this platform that the npm package `node` chooses. */
function packageName() {
  return `node-${names[process.platform] ?? process.platform}-${process.arch}`;
}

function byNumber(a, b) {
  const [left, right] = [a, b].map((version) => version.split(".").map(Number));
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? 0 : left[at] - right[at];
}
