/**
 * `npm run cross -- TARGET...`: builds the addon for other Linux systems with cargo-zigbuild and zig, and checks what it needs.
 *
 * TARGET is a platform of `npm/` for Linux, such as `linux-x64-gnu`; all four if none is named. The addons go to
 * `--out FOLDER`, by default `addons`. Zig links its own C++ library statically. It links against the symbols of the C
 * library in the version that is asked for. So an addon needs nothing but the C library.
 *
 * Needed beside what `npm run build` needs: `cargo install cargo-zigbuild`, `pip install ziglang`, and the standard
 * library of each target: `rustup target add TRIPLE`. Where that library cannot be had, `--build-std` builds it from
 * its sources, with unstable features of Cargo. The sources come from `rustup component add rust-src`, or from the
 * package `rust-src` of a Linux distribution.
 */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { problemsOf } from "./check-glibc.mjs";
import { root, targetDirectory } from "./lib/paths.mjs";
import { outputOf, run } from "./lib/process.mjs";
import { Failure, runMain } from "./lib/program.mjs";
import { secondsSince } from "./lib/report.mjs";

/** The oldest glibc that the addons run on: that of CentOS 7, and what Rust itself asks for. */
const glibcMin = "2.17";

/** Where a toolchain has the sources of its standard library. */
const standardLibrary = "lib/rustlib/src/rust/library/Cargo.lock";

const targets = {
  "linux-x64-gnu": { triple: "x86_64-unknown-linux-gnu", glibc: glibcMin },
  "linux-arm64-gnu": { triple: "aarch64-unknown-linux-gnu", glibc: glibcMin },
  "linux-x64-musl": { triple: "x86_64-unknown-linux-musl" },
  "linux-arm64-musl": { triple: "aarch64-unknown-linux-musl" },
};

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      out: { type: "string", default: "addons" },
      "build-std": { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const wanted = positionals.length > 0 ? positionals : Object.keys(targets);
  const unknown = wanted.find((name) => !Object.hasOwn(targets, name));
  if (unknown) {
    throw new Failure(
      `${unknown} is not built this way: choose of ${Object.keys(targets).join(", ")}.`,
    );
  }
  const buildStd = values["build-std"];
  checkTools(wanted, buildStd);
  const out = resolve(root, values.out);
  mkdirSync(out, { recursive: true });
  for (const name of wanted) await buildFor(name, out, buildStd);
}

function checkTools(wanted, buildStd) {
  if (outputOf("cargo-zigbuild", ["--version"]) === null) {
    throw new Failure("cargo-zigbuild is missing: `cargo install --locked cargo-zigbuild`.");
  }
  if (
    outputOf("python3", ["-m", "ziglang", "version"]) === null &&
    outputOf("zig", ["version"]) === null
  ) {
    throw new Failure("zig is missing: `pip install ziglang`.");
  }
  if (buildStd) {
    const sources = join(outputOf("rustc", ["--print", "sysroot"]) ?? "", standardLibrary);
    if (!existsSync(sources)) {
      throw new Failure(
        `The sources of Rust's standard library are missing in ${sources}: \`rustup component add rust-src\`.`,
      );
    }
    return;
  }
  for (const { triple } of wanted.map((name) => targets[name])) {
    const folder = outputOf("rustc", ["--print", "target-libdir", "--target", triple]);
    if (!folder || !existsSync(folder)) {
      throw new Failure(
        `Rust's standard library for ${triple} is missing: \`rustup target add ${triple}\`, or say --build-std.`,
      );
    }
  }
}

async function buildFor(name, out, buildStd) {
  const { triple, glibc } = targets[name];
  const start = Date.now();
  // A folder of its own: zig's objects and the system compiler's do not go together.
  const env = { CARGO_TARGET_DIR: join(targetDirectory, "cross"), ...flagsFor(triple) };
  const versioned = glibc ? `${triple}.${glibc}` : triple;
  const build = ["zigbuild", "--release", "--package", "ferroflare", "--target", versioned];
  if (buildStd) {
    build.push("-Zbuild-std=std,panic_unwind");
    // Else only a nightly Cargo has unstable features.
    env.RUSTC_BOOTSTRAP = "1";
  }
  await run("cargo", build, {
    name: `cargo zigbuild ${versioned}`,
    minutesMax: 120,
    env,
  });
  const library = join(env.CARGO_TARGET_DIR, triple, "release", "libferroflare.so");
  const addon = join(out, `ferroflare.${name}.node`);
  copyFileSync(library, addon);
  const { problems, newest, libraries } = problemsOf(addon, {
    max: glibc ?? glibcMin,
    musl: !glibc,
  });
  if (problems.length > 0) throw new Failure(problems.join("\n"));
  console.log(
    `Built ${addon} in ${secondsSince(start)}: ${newest ?? "no version of glibc"}; needs ${libraries.join(", ")}`,
  );
}

/** A library for musl has to be linked dynamically to be loaded by Node.js. */
function flagsFor(triple) {
  if (!triple.endsWith("musl")) return {};
  const name = triple.toUpperCase().replaceAll("-", "_");
  return { [`CARGO_TARGET_${name}_RUSTFLAGS`]: "-C target-feature=-crt-static" };
}

runMain(main);
