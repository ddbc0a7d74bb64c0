/**
 * The npm packages as they are published: the main one, and one for each platform with its addon.
 *
 * Both are put together in a scratch folder. The manifest of a clone cannot be published as it is. It names no platform
 * packages, because `npm ci` would ask the registry for versions that are not released yet. It also names what only
 * developers use: scripts, tools, overrides.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { npm } from "./npm.mjs";
import { root } from "./paths.mjs";
import { Failure } from "./program.mjs";

const developersOnly = ["scripts", "devDependencies", "overrides", "napi"];
const documents = ["README.md", "LICENSE"];
/** The comment that leads to a source map: the maps lead to sources that are not published. */
const mapComment = /^\/\/# sourceMappingURL=.*\n?/gm;

export function manifest() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
}

/** The manifests of the platform packages, by folder name in `npm/`. */
export function platformManifests() {
  const folders = readdirSync(join(root, "npm"));
  const read = (name) => JSON.parse(readFileSync(join(root, "npm", name, "package.json"), "utf8"));
  return new Map(folders.map((name) => [name, read(name)]));
}

/**
 * Packs the main package with the addons inside that are in the folders `addons`: one file, which every package manager
 * installs, also before a release. Resolves as `packPackages()` does.
 */
export async function packOne({ destination, addons = [root] }) {
  mkdirSync(destination, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "ferroflare-pack-"));
  try {
    const folder = stageMain(join(scratch, "main"));
    const published = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    delete published.optionalDependencies;
    const missing = [];
    for (const [platform, { main }] of platformManifests()) {
      const addon = addons.map((each) => findFile(each, main)).find(Boolean);
      if (addon) copyFileSync(addon, join(folder, main));
      else missing.push(platform);
      if (addon) published.files.push(main);
    }
    writeManifest(folder, published);
    return { packed: await packFolders([folder], destination), missing };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Packs the main package, and of the platform packages those whose addon is in one of the folders `addons`.
 *
 * Resolves with `{ packed, missing }`: `{ name, file, bytes, unpackedBytes, files }` of each tarball in `destination`, and
 * the platforms without an addon.
 */
export async function packPackages({ destination, addons = [root] }) {
  mkdirSync(destination, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "ferroflare-pack-"));
  try {
    const folders = [stageMain(join(scratch, "main"))];
    const missing = [];
    for (const [platform, { main }] of platformManifests()) {
      const addon = addons.map((folder) => findFile(folder, main)).find(Boolean);
      if (addon) folders.push(stagePlatform(join(scratch, platform), addon));
      else missing.push(platform);
    }
    const packed = await packFolders(folders, destination);
    return { packed, missing };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What the main package's manifest says when it is published. */
export function publishedManifest() {
  const own = manifest();
  for (const name of developersOnly) delete own[name];
  const platforms = [...platformManifests().values()].map(({ name }) => [name, own.version]);
  return withRepository({ ...own, optionalDependencies: Object.fromEntries(platforms) });
}

/** npm proves where a package was built only if its manifest names the same repository. */
function withRepository(published) {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY } = process.env;
  if (!GITHUB_SERVER_URL || !GITHUB_REPOSITORY) return published;
  const url = `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`;
  return { ...published, repository: { type: "git", url } };
}

function stageMain(folder) {
  mkdirSync(folder, { recursive: true });
  const published = publishedManifest();
  for (const name of [...published.files, ...documents]) {
    const source = join(root, name);
    if (!existsSync(source))
      throw new Failure(`There is no ${name} to pack: \`npm run build\` makes it.`);
    cpSync(source, join(folder, name), {
      recursive: true,
      filter: (path) => !/\.map$|\.tmp$/.test(path),
    });
  }
  for (const file of filesBelow(join(folder, "dist"))) {
    if (file.endsWith(".js"))
      writeFileSync(file, readFileSync(file, "utf8").replace(mapComment, ""));
  }
  writeManifest(folder, published);
  return folder;
}

function stagePlatform(folder, addon) {
  const platform = basename(folder);
  cpSync(join(root, "npm", platform), folder, { recursive: true });
  copyFileSync(addon, join(folder, basename(addon)));
  copyFileSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  writeManifest(folder, withRepository(platformManifests().get(platform)));
  return folder;
}

function writeManifest(folder, content) {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(content, null, 2)}\n`);
}

/** Packs folders that hold a manifest each; resolves with what is said of each tarball, in order. */
export async function packFolders(folders, destination) {
  const output = await npm(
    ["pack", "--json", "--ignore-scripts", "--pack-destination", destination, ...folders],
    { name: "npm pack", minutesMax: 5, cwd: destination, stdout: "pipe", stderr: "pipe" },
  );
  return Object.values(JSON.parse(output)).map(
    ({ name, filename, size, unpackedSize, files, integrity, shasum }) => ({
      name,
      file: join(destination, filename),
      bytes: size,
      unpackedBytes: unpackedSize,
      files: files.map(({ path }) => path),
      integrity,
      shasum,
    }),
  );
}

function findFile(folder, name) {
  const direct = join(folder, name);
  if (existsSync(direct)) return direct;
  // The release downloads each platform's addon into a folder of its own.
  const entries = folder === root || !existsSync(folder) ? [] : readdirSync(folder);
  return entries.map((entry) => join(folder, entry, name)).find((file) => existsSync(file));
}

function filesBelow(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}
