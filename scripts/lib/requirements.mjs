/**
 * What must be on the machine before a build: Node.js, Rust and the rows of `systemPackages`.
 *
 * A new system requirement is one row: what it is, why, how to see that it is installed, and its package for each
 * package manager. On Debian and its kin, as root, missing rows are installed; elsewhere the command to run is printed.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { outputOf, run } from "./process.mjs";
import { Failure } from "./program.mjs";

const systemPackages = [
  {
    what: "a C++ compiler",
    why: "Rust links with it",
    found: () =>
      anyCommand(process.env.CXX, "c++", "g++", "clang++", "cl") || anyFile(visualStudio),
    packages: {
      apt: "g++",
      dnf: "gcc-c++",
      brew: "llvm",
      choco: "visualstudio2022-workload-vctools",
    },
  },
  {
    what: "libclang",
    why: "the bindings of RocksDB are made with it",
    found: () => anyFile(process.env.LIBCLANG_PATH ?? "") || hasLibclang(),
    packages: { apt: "libclang-dev", dnf: "clang-devel", brew: "llvm", choco: "llvm" },
  },
  {
    what: "redis-server",
    why: "the tests of Redis run on real servers of their own (one that runs already is left alone)",
    found: () => anyCommand("redis-server"),
    packages: { apt: "redis-server", dnf: "redis", brew: "redis" },
  },
  {
    what: "openssl",
    why: "the tests of TLS make their certificates with it",
    found: () => anyCommand("openssl"),
    packages: { apt: "openssl", dnf: "openssl", brew: "openssl", choco: "openssl" },
  },
];

const managers = [
  { id: "apt", program: "apt-get", command: "sudo apt-get update && sudo apt-get install -y" },
  { id: "dnf", program: "dnf", command: "sudo dnf install -y" },
  { id: "brew", program: "brew", command: "brew install" },
  { id: "choco", program: "choco", command: "choco install -y" },
];

/** What @napi-rs/cli asks for. */
const nodeMin = "20.17";
const visualStudio = join(
  process.env["ProgramFiles(x86)"] ?? "",
  "Microsoft Visual Studio",
  "Installer",
  "vswhere.exe",
);

/** Throws a `Failure` unless this Node.js can run the build tools. */
export function checkNode() {
  const version = process.versions.node;
  if (!atLeast(version, nodeMin)) {
    throw new Failure(
      `Node.js ${version} is too old: building ferroflare needs ${nodeMin} or newer (using it needs 18). See https://nodejs.org.`,
    );
  }
  return `Node.js ${version}`;
}

/** Throws a `Failure` unless cargo and a rustc of at least the workspace's `rust-version` are installed. */
export function checkRust() {
  const manifest = readFileSync(join(root, "Cargo.toml"), "utf8");
  const wanted = /^rust-version\s*=\s*"([\d.]+)"/m.exec(manifest)?.[1];
  if (!wanted)
    throw new Failure("Cargo.toml names no `rust-version`: add it under [workspace.package].");
  const advice = `Install it with rustup (https://rustup.rs): \`rustup toolchain install stable\`.`;
  const found = /^rustc (\d+\.\d+\.\d+)/.exec(outputOf("rustc", ["--version"]) ?? "")?.[1];
  if (!found)
    throw new Failure(
      `Rust ${wanted} or newer is needed, and \`rustc --version\` does not answer. ${advice}`,
    );
  if (!atLeast(found, wanted))
    throw new Failure(`Rust ${found} is too old: ${wanted} or newer is needed. ${advice}`);
  if (!outputOf("cargo", ["--version"]))
    throw new Failure(`Rust is installed, but \`cargo --version\` does not answer. ${advice}`);
  return `Rust ${found}`;
}

/** Finds, or installs where it may, every row of `systemPackages`; otherwise throws a `Failure` with the command. */
export async function checkSystemPackages() {
  let missing = systemPackages.filter((row) => !row.found());
  if (missing.length > 0 && canInstall()) {
    await install(missing.map((row) => row.packages.apt));
    missing = missing.filter((row) => !row.found());
  }
  if (missing.length > 0) throw new Failure(adviceFor(missing));
  return systemPackages.map((row) => row.what).join(", ");
}

function canInstall() {
  return process.getuid?.() === 0 && existsSync("/etc/debian_version") && anyCommand("apt-get");
}

async function install(packages) {
  console.error(`Installing ${packages.join(" ")} with apt-get`);
  const options = {
    minutesMax: 15,
    stdout: "pipe",
    stderr: "pipe",
    env: { DEBIAN_FRONTEND: "noninteractive" },
  };
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  await run("apt-get", ["update", ...wait], { ...options, name: "apt-get update" });
  await run("apt-get", ["install", "-y", "--no-install-recommends", ...wait, ...packages], {
    ...options,
    name: `apt-get install ${packages.join(" ")}`,
  });
}

function adviceFor(missing) {
  const lines = missing.map((row) => `- ${row.what}: ${row.why}`);
  const manager = managers.find(({ program }) => anyCommand(program));
  const known = manager ? missing.filter((row) => row.packages[manager.id]) : [];
  const others = missing.filter((row) => !known.includes(row)).map(({ what }) => what);
  const commands = [];
  if (known.length > 0) {
    commands.push(`${manager.command} ${known.map((row) => row.packages[manager.id]).join(" ")}`);
  }
  if (others.length > 0) {
    commands.push(
      `no known package manager has ${others.join(", ")}: install it your system's way`,
    );
  }
  return `Missing on this machine:\n${lines.join("\n")}\nTo install:\n  ${commands.join("\n  ")}`;
}

function anyCommand(...names) {
  const finder = process.platform === "win32" ? ["where"] : ["sh", "-c", 'command -v "$0"'];
  return names.some((name) => name && outputOf(finder[0], [...finder.slice(1), name]) !== null);
}

function anyFile(...paths) {
  return paths.some((path) => existsSync(path));
}

function atLeast(version, minimum) {
  const [have, want] = [version, minimum].map((text) => text.split(".").map(Number));
  const at = have.findIndex((part, index) => part !== (want[index] ?? 0));
  return at < 0 || have[at] > (want[at] ?? 0);
}

/** The folders in which bindgen's loader looks for libclang. */
function hasLibclang() {
  if (process.platform === "darwin") return anyCommand("clang");
  if (process.platform === "win32") return anyFile("C:\\Program Files\\LLVM\\bin\\libclang.dll");
  const named = outputOf("llvm-config", ["--libdir"])?.trim();
  const versions = existsSync("/usr/lib") ? readdirSync("/usr/lib") : [];
  const folders = versions.filter((name) => name.startsWith("llvm-")).map((name) => `${name}/lib`);
  const multiarch = versions.filter((name) => name.endsWith("-linux-gnu"));
  return [named, "/usr/lib64", ...[...folders, ...multiarch].map((name) => `/usr/lib/${name}`)]
    .filter((folder) => folder && existsSync(folder))
    .some((folder) => readdirSync(folder).some((file) => /^libclang(-\d+)?\.so/.test(file)));
}
