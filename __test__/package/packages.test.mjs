// The packages as they are published: what is in them, and what happens where none of them fits.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { packPackages, platformManifests } from "../../scripts/lib/packages.mjs";
import { bin, packageRoot, start, temporaryDirectory } from "../support/cli.mjs";
import { makeLibrary } from "../support/elf.mjs";

const require = createRequire(import.meta.url);
const { PLATFORMS, platformName } = require("../../dist/native/platforms.js");
const manifest = require("ferroflare/package.json");
const platform = platformName();

let packed;
let folder;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "ferroflare-packages-"));
  ({ packed } = await packPackages({ destination: folder }));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Unpacks a tarball; returns its folder. */
async function unpack(t, { file }) {
  const target = await temporaryDirectory(t);
  // Without a drive's colon, which tar takes for a host.
  const { status, stderr } = spawnSync("tar", ["-xzf", path.basename(file), "-C", target], {
    cwd: path.dirname(file),
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return path.join(target, "package");
}

const main = () => packed.find(({ name }) => name === manifest.name);
const own = () => packed.find(({ name }) => name === `ferroflare-${platform}`);

test("packages: the main package has what its manifest names, and nothing for developers", async () => {
  const { files } = main();
  for (const name of [manifest.main, manifest.types, manifest.bin.ferroflare, "index.mjs"]) {
    assert.ok(files.includes(path.posix.normalize(name)), `${name} is not packed`);
  }
  const named = ["package.json", "README.md", "LICENSE", ...manifest.files];
  const published = (file) => named.some((name) => file === name || file.startsWith(`${name}/`));
  const surplus = files.filter(
    (file) => !published(file) || !/(\.(js|mjs|json|md|d\.ts)|LICENSE)$/.test(file),
  );
  assert.deepEqual(surplus, []);
});

test("packages: the main package's manifest names every platform's package, and no tool", async (t) => {
  const published = JSON.parse(await readFile(path.join(await unpack(t, main()), "package.json")));
  const platforms = [...platformManifests().values()].map(({ name }) => name);
  assert.deepEqual(Object.keys(published.optionalDependencies).sort(), platforms.sort());
  for (const version of Object.values(published.optionalDependencies)) {
    assert.equal(version, manifest.version);
  }
  assert.deepEqual(published.dependencies, manifest.dependencies);
  for (const name of ["scripts", "devDependencies", "overrides", "napi"]) {
    assert.equal(name in published, false, name);
  }
});

test("packages: no packed file leads to a source map that is not packed", async (t) => {
  const unpacked = await unpack(t, main());
  const scripts = main().files.filter((name) => name.endsWith(".js"));
  for (const name of scripts) {
    const text = await readFile(path.join(unpacked, name), "utf8");
    assert.doesNotMatch(text, /^\/\/# sourceMappingURL=/m, name);
  }
});

test("packages: this platform's package holds its addon alone", () => {
  assert.deepEqual(own().files.sort(), [
    "LICENSE",
    "README.md",
    `ferroflare.${platform}.node`,
    "package.json",
  ]);
});

test("packages: the loader knows the platforms that have packages", () => {
  assert.deepEqual([...PLATFORMS].sort(), [...platformManifests().keys()].sort());
});

test("packages: musl and glibc have packages of their own, and say so to package managers", () => {
  for (const [name, { libc }] of platformManifests()) {
    const expected = /-(gnu|musl)$/.exec(name)?.[1];
    const spoken = expected === "gnu" ? "glibc" : expected;
    assert.deepEqual(libc, spoken === undefined ? undefined : [spoken], name);
  }
});

/** Loads a package that is laid out by hand, with `prelude` before; what it prints is the error. */
async function loadError(t, { prelude = "", addon, env }) {
  const unpacked = await unpack(t, main());
  const modules = path.join(unpacked, "node_modules");
  await mkdir(modules);
  // The dependencies are the repository's: only the platform's package is what this is about.
  for (const name of new Set(
    Object.keys(manifest.dependencies).map((name) => name.split("/")[0]),
  )) {
    const installed = path.join(packageRoot, "node_modules", name);
    await symlink(installed, path.join(modules, name), "junction");
  }
  if (addon !== undefined) {
    const target = path.join(modules, `ferroflare-${platform}`);
    await mkdir(target);
    const { main: file } = platformManifests().get(platform);
    await writeFile(path.join(target, "package.json"), JSON.stringify({ main: file }));
    await writeFile(path.join(target, file), addon);
  }
  const program = `${prelude}
    try {
      require(${JSON.stringify(unpacked)});
      console.log("loaded");
    } catch (error) {
      console.log(error.code + " " + error.message);
    }`;
  const { stdout, stderr } = await start(process.execPath, ["-e", program], { env }).ended;
  assert.equal(stderr, "");
  return stdout.trim();
}

test("packages: a platform without a package is told which have one, and how to build", async (t) => {
  const message = await loadError(t, {
    prelude: 'Object.defineProperty(process, "platform", { value: "freebsd" });',
  });
  assert.match(
    message,
    /^ERR_NO_NATIVE_CORE ferroflare: There is no prebuilt native core for freebsd-\w+, only for linux-x64-gnu, /,
  );
  for (const name of PLATFORMS) assert.ok(message.includes(name), name);
  assert.match(
    message,
    /build it from a clone of the repository, with Rust and a C\+\+ compiler: npm run build/,
  );
});

test("packages: a package that was not installed is named with the reasons there may be", async (t) => {
  const message = await loadError(t, {});
  assert.ok(message.includes(`The package ferroflare-${platform}, which holds`), message);
  assert.match(message, /--omit=optional/);
});

test("packages: an addon that the system cannot load is reported in the system's words", async (t) => {
  const message = await loadError(t, { addon: "no library" });
  assert.ok(message.includes(`The native core for ${platform} cannot be loaded: `), message);
  assert.match(message, new RegExp(`ferroflare\\.${platform}\\.node`));
});

test("packages: an addon that the environment names and that cannot be loaded is named", async (t) => {
  const env = { NAPI_RS_NATIVE_LIBRARY_PATH: "./nowhere.node" };
  assert.match(
    await loadError(t, { env }),
    /^ERR_NO_NATIVE_CORE ferroflare: Cannot load \.\/nowhere\.node, which the environment variable NAPI_RS_NATIVE_LIBRARY_PATH names/,
  );
});

test("packages: the command says in one line that there is no native core", async () => {
  const env = { NAPI_RS_NATIVE_LIBRARY_PATH: "./nowhere.node" };
  const { code, stderr, stdout } = await start(process.execPath, [bin, "doctor"], { env }).ended;
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^ferroflare: Cannot load [^\n]*\n$/);
});

/** Runs the check of an addon that needs these libraries and versions. */
async function checkGlibc(t, versions, libraries = Object.keys(versions), options = []) {
  const file = path.join(await temporaryDirectory(t), "addon.node");
  await writeFile(file, makeLibrary(libraries, versions));
  const script = path.join(packageRoot, "scripts", "check-glibc.mjs");
  const { code, stdout, stderr } = await start(process.execPath, [script, ...options, file]).ended;
  return { code, text: (stdout + stderr).replaceAll(file, "addon") };
}

test("packages: an addon for old systems is one that needs no newer C library, and nothing else", async (t) => {
  const old = { "libm.so.6": ["GLIBC_2.2.5"], "libc.so.6": ["GLIBC_2.17", "GLIBC_2.4"] };
  const good = await checkGlibc(t, old);
  assert.deepEqual(good, { code: 0, text: "addon: GLIBC_2.17; needs libm.so.6, libc.so.6\n" });

  const newer = { "libc.so.6": ["GLIBC_2.17", "GLIBC_2.28", "GLIBC_2.18"] };
  const refused = await checkGlibc(t, newer);
  assert.equal(refused.code, 1);
  assert.match(
    refused.text,
    /addon needs GLIBC_2\.18, GLIBC_2\.28, which is newer than glibc 2\.17/,
  );
  assert.equal((await checkGlibc(t, newer, undefined, ["--max", "2.28"])).code, 0);

  const withCxx = await checkGlibc(t, old, ["libstdc++.so.6", "libc.so.6"]);
  assert.equal(withCxx.code, 1);
  assert.match(withCxx.text, /addon needs libstdc\+\+\.so\.6, which is not on every system/);
});

test("packages: an addon for musl is one that needs no version of glibc", async (t) => {
  assert.equal((await checkGlibc(t, {}, ["libc.so"], ["--musl"])).code, 0);
  const refused = await checkGlibc(t, { "libc.so": ["GLIBC_2.17"] }, undefined, ["--musl"]);
  assert.equal(refused.code, 1);
  assert.match(refused.text, /addon needs GLIBC_2\.17, and musl has no such versions/);
});

test("packages: what is no library is refused by the check", async () => {
  const script = path.join(packageRoot, "scripts", "check-glibc.mjs");
  const { code, stderr } = await start(process.execPath, [script, script]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /check-glibc\.mjs is no 64-bit little-endian ELF library\./);
});
