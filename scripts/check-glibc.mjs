/**
 * `npm run check:glibc -- ADDON...`: fails if an addon for Linux needs a newer C library than `--max` (2.17 by
 * default). Fails also if it needs a library that is not on every Linux.
 *
 * Addons for musl need no version of glibc: pass `--musl` for those.
 */
import { parseArgs } from "node:util";
import { readNeeds } from "./lib/elf.mjs";
import { Failure, isProgram, runMain } from "./lib/program.mjs";

/** What glibc brings along, and what musl does. */
const glibcLibraries =
  /^(libc|libm|libdl|libpthread|librt|libutil)\.so\.\d+$|^ld-linux-[\w-]+\.so\.\d+$/;
const muslLibraries = /^libc\.so$|^libc\.musl-\w+\.so\.\d+$|^ld-musl-\w+\.so\.\d+$/;
const glibcVersion = /^GLIBC_(\d+(?:\.\d+)*)$/;

/** The problems of an addon, one line each; none is well. */
export function problemsOf(file, { max, musl }) {
  const { libraries, versions } = readNeeds(file);
  const allowed = musl ? muslLibraries : glibcLibraries;
  const foreign = libraries.filter((name) => !allowed.test(name));
  const names = [...versions.values()].flat();
  const newer = names.filter((name) => {
    const version = glibcVersion.exec(name)?.[1];
    return version !== undefined && (musl || isNewer(version, max));
  });
  const problems = foreign.map((name) => `${file} needs ${name}, which is not on every system`);
  if (newer.length > 0) {
    const limit = musl ? "and musl has no such versions" : `which is newer than glibc ${max}`;
    problems.push(`${file} needs ${newer.sort(byVersion).join(", ")}, ${limit}`);
  }
  return {
    problems,
    newest: names
      .filter((name) => glibcVersion.test(name))
      .sort(byVersion)
      .at(-1),
    libraries,
  };
}

function isNewer(version, max) {
  return byVersion(`GLIBC_${version}`, `GLIBC_${max}`) > 0;
}

function byVersion(a, b) {
  const [left, right] = [a, b].map((name) => name.replace(/^\D*/, "").split(".").map(Number));
  const at = left.findIndex((part, index) => part !== (right[index] ?? 0));
  return at < 0 ? left.length - right.length : left[at] - (right[at] ?? 0);
}

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      max: { type: "string", default: "2.17" },
      musl: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (positionals.length === 0) throw new Failure("Name the addons to check.");
  const all = positionals.flatMap((file) => {
    const { problems, newest, libraries } = problemsOf(file, values);
    console.log(`${file}: ${newest ?? "no version of glibc"}; needs ${libraries.join(", ")}`);
    return problems;
  });
  if (all.length > 0) throw new Failure(all.join("\n"));
}

if (isProgram(import.meta.url)) runMain(main);
