// Projects with Jest, Vitest and their environments in them, installed by npm once and kept in the user's cache folder.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { root, targetDirectory } from "../../scripts/lib/paths.mjs";

const run = promisify(execFile);
const cache = path.join(targetDirectory, "ferroflare-runners");
const environments = {
  "jest-environment-miniflare": "2.14.4",
  "vitest-environment-miniflare": "2.14.4",
};
/** Time for one run of a runner, or one installation, on a loaded machine. */
const RUN_MS_MAX = 300_000;

/**
 * A folder whose `node_modules` has `packages`, with `reference` Miniflare 2's environments, and `ferroflare` as it is built
 * now. With `override`, `ferroflare` takes the place of `@miniflare/durable-objects`, by an override of npm.
 */
export async function installation(packages, { override = false, reference = true } = {}) {
  const manifest = {
    private: true,
    dependencies: {
      ...(reference ? environments : {}),
      ...packages,
      ferroflare: "file:ferroflare.tgz",
    },
    ...(override ? { overrides: { "@miniflare/durable-objects": "file:ferroflare.tgz" } } : {}),
  };
  const own = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  const key = hash([root, process.version, manifest, own.dependencies, own.files]);
  const folder = path.join(cache, key);
  await mkdir(cache, { recursive: true });
  const packed = await pack(own);
  try {
    const installed = await readFile(path.join(folder, "package.json"), "utf8").catch(() => null);
    if (installed === null) await install(folder, manifest, packed);
    await refresh(folder, packed);
  } finally {
    await rm(packed, { recursive: true, force: true });
  }
  return folder;
}

/** A project of files, with the packages of an installation; `remove()` when it is done. */
export async function project(installed, files) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "ferroflare-runner-"));
  await symlink(
    path.join(installed, "node_modules"),
    path.join(folder, "node_modules"),
    "junction",
  );
  for (const [name, content] of Object.entries({ "package.json": "{}\n", ...files })) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** What makes a POSIX shell report the processor time of a command and everything that it has started. */
const WITH_TIMES = '"$0" "$@"; code=$?; times; exit $code';

/**
 * Runs a command of an installation in a project. Resolves with its exit code and everything that it wrote. With
 * `times` the processor time is at the end.
 */
export async function runCommand(
  folder,
  [command, ...args],
  { nodeOptions = "", msMax = RUN_MS_MAX, times = false, onStart } = {},
) {
  const bin = path.join(folder, "node_modules", ".bin", command);
  const { FORCE_COLOR: _, ...inherited } = process.env;
  // Commands run on the version of Node.js that runs this.
  const PATH = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
  const [file, ...given] = times ? ["sh", "-c", WITH_TIMES, bin, ...args] : [bin, ...args];
  const child = spawn(file, given, {
    cwd: folder,
    env: { ...inherited, PATH, CI: "true", NO_COLOR: "1", NODE_OPTIONS: nodeOptions },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: msMax,
    killSignal: "SIGKILL",
    shell: process.platform === "win32",
  });
  onStart?.(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, output };
}

/** The folder of the package as npm would install it, with the addon of this machine in it. */
async function pack({ files }) {
  const folder = await mkdtemp(path.join(cache, "pack-"));
  const addon = `ferroflare.${process.platform}-${process.arch}`;
  const addons = [`${addon}.node`, `${addon}-gnu.node`, `${addon}-musl.node`, `${addon}-msvc.node`];
  for (const name of ["package.json", ...files]) {
    await cp(path.join(root, name), path.join(folder, name), { recursive: true });
  }
  for (const name of addons) {
    await cp(path.join(root, name), path.join(folder, name)).catch(() => {});
  }
  return folder;
}

async function install(folder, manifest, packed) {
  const temporary = await mkdtemp(path.join(cache, "install-"));
  await writeFile(path.join(temporary, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const options = { cwd: temporary, timeout: RUN_MS_MAX, shell: process.platform === "win32" };
  const { stdout } = await run("npm", ["pack", "--silent", "--ignore-scripts", packed], options);
  await rename(path.join(temporary, stdout.trim()), path.join(temporary, "ferroflare.tgz"));
  const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
  await run("npm", ["install", ...flags], options);
  // The second process takes what exists.
  await rename(temporary, folder).catch(() => rm(temporary, { recursive: true, force: true }));
}

/** Puts the package as it is built now in the place of the one that was installed. */
async function refresh(folder, packed) {
  const modules = path.join(folder, "node_modules");
  for (const place of ["ferroflare", path.join("@miniflare", "durable-objects")]) {
    const installed = path.join(modules, place);
    if (!existsSync(installed)) continue;
    const { name } = JSON.parse(await readFile(path.join(installed, "package.json"), "utf8"));
    if (name !== "ferroflare") continue;
    await rm(path.join(installed, "dist"), { recursive: true, force: true });
    await cp(packed, installed, { recursive: true });
  }
}

function hash(value) {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
