// The repository itself: documents that name what exists, manifests that agree, nothing tied to one machine.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (name) => readFileSync(path.join(root, name), "utf8");
const readJson = (name) => JSON.parse(read(name));
const exists = (name) => existsSync(path.join(root, name));

const manifest = readJson("package.json");
const notOurs = new Set([
  ".git",
  ".mf",
  "addons",
  "coverage",
  "dist",
  "node_modules",
  "packages",
  "target",
]);
const textFile =
  /(^|\/)(LICENSE|run|\.[a-z]+)$|\.(c?js|mjs|ts|rs|json|toml|lock|lua|md|ya?ml|html|sh)$/;

function filesBelow(folder) {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    // In a worktree .git is a file.
    if (notOurs.has(entry.name)) return [];
    return entry.isDirectory() ? filesBelow(name) : [name];
  });
}

const sources = filesBelow(".").filter((name) => textFile.test(name));
const documents = sources.filter((name) => name.endsWith(".md"));

/** The names in backquotes that can only be paths here: with a slash or the ending of a source file, no spaces. */
function pathsNamedIn(markdown) {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, "");
  const quoted = [...prose.matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);
  const rooms = new RegExp(`^(${topFolders().join("|")})/`);
  const ending = /^[\w.-]+\.(mjs|cjs|js|ts|rs|lua|md|toml)$/;
  return quoted.filter(
    (name) => !/[\s<>*{}…=]/.test(name) && (rooms.test(name) || ending.test(name)),
  );
}

function topFolders() {
  const entries = readdirSync(root, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && !notOurs.has(entry.name));
  return names.map((entry) => entry.name.replaceAll(".", "\\."));
}

test("every file that a document names exists", () => {
  const known = new Set(sources.map((name) => path.posix.basename(name)));
  for (const document of documents) {
    for (const name of pathsNamedIn(read(document))) {
      const found = name.includes("/") ? exists(name) : known.has(name) || madeByUsers.has(name);
      assert.ok(found, `${document} names ${name}, which does not exist`);
    }
  }
});

/** Files of the user's own project that documents speak of. */
const madeByUsers = new Set(["wrangler.toml", "worker.mjs", "jest.config.js", "vitest.config.js"]);

const modules = sources.filter((name) => /^(src|crates\/core\/src|lib)\/.*\.(rs|ts)$/.test(name));

test("the map names every folder of the core, the binding and the face, and what to open first there", () => {
  const map = read("ARCHITECTURE.md");
  for (const folder of new Set(modules.map((name) => path.posix.dirname(name)))) {
    assert.ok(map.includes(`\`${folder}\``), `ARCHITECTURE.md does not name ${folder}`);
  }
  const rows = [...map.matchAll(/^\| `([^|]+)` \| [^|]+ \| `([\w.]+)` \|$/gm)];
  assert.ok(rows.length > 30, "the tables of rooms were found");
  for (const [, folders, first] of rows) {
    for (const folder of folders.split("`, `")) {
      assert.ok(exists(`${folder}/${first}`), `${folder}/${first} does not exist`);
    }
  }
});

test("every module says in its first line what it does", () => {
  for (const name of modules) {
    const [first] = read(name).split("\n");
    assert.match(first, /^(\/\/! \S|\/\*\*( \S|$))/, `${name} begins with: ${first}`);
  }
});

test("every link of a document leads to a file or a section that exists", () => {
  for (const document of documents) {
    const text = read(document);
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file, section] = target.split("#");
      const linked = file ? path.posix.join(path.posix.dirname(document), file) : document;
      assert.ok(exists(linked), `${document} links to ${target}, which does not exist`);
      if (section) assert.ok(sectionsOf(read(linked)).includes(section), `${document}: ${target}`);
    }
  }
});

function sectionsOf(markdown) {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("the README shows the two commands, and documents name no script that package.json lacks", () => {
  const [, commands] = /## Two commands[\s\S]*?```sh\n([\s\S]*?)```/.exec(read("README.md"));
  const shown = commands
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter(Boolean);
  assert.deepEqual(shown, ["npm start", "npm test"]);
  for (const document of documents) {
    for (const [, name] of read(document).matchAll(/npm (?:run )?(start|test|(?<=run )[\w:-]+)/g)) {
      assert.ok(name in manifest.scripts, `${document} names the script ${name}`);
    }
  }
});

test("no file names a folder of a developer's machine", () => {
  const machine = new RegExp(
    `(?<![\\w.:/-])/(?:${["home", "Users", "root", "work"].join("|")})/\\w`,
  );
  for (const name of sources) {
    const at = machine.exec(read(name));
    assert.equal(at, null, `${name} has the machine's path ${at?.[0]}`);
  }
});

test("the lock file names no registry", () => {
  const { packages } = readJson("package-lock.json");
  const pinned = Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined);
  assert.deepEqual(
    pinned.map(([name]) => name),
    [],
  );
});

test("the lock file covers every platform of the tools", () => {
  const { packages } = readJson("package-lock.json");
  for (const [name, entry] of Object.entries(packages)) {
    for (const optional of Object.keys(entry.optionalDependencies ?? {})) {
      const held =
        `node_modules/${optional}` in packages || `${name}/node_modules/${optional}` in packages;
      assert.ok(held, `package-lock.json lacks ${optional} of ${name}: npm ci refuses it`);
    }
  }
});

test("license, change log and the version agree", () => {
  assert.match(read("LICENSE"), /^MIT License/);
  assert.equal(manifest.license, "MIT");
  assert.match(
    read("CHANGELOG.md"),
    new RegExp(`^## ${manifest.version.replaceAll(".", "\\.")}\\b`, "m"),
  );
  const workspace = /\[workspace\.package\]\s+version = "([^"]+)"/.exec(read("Cargo.toml"));
  assert.equal(workspace?.[1], manifest.version);
  assert.equal(readJson("package-lock.json").version, manifest.version);
});

test("everything that the package publishes is there after a build", () => {
  const entries = [manifest.main, manifest.types, ...Object.values(manifest.bin)];
  const exported = Object.values(manifest.exports).flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  for (const name of [...manifest.files, ...entries, ...exported]) {
    assert.ok(exists(name), `package.json names ${name}, which does not exist`);
  }
});

test("each platform has its package, in the version of the main one", () => {
  const platforms = readdirSync(path.join(root, "npm"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  assert.equal(platforms.length, manifest.napi.targets.length);
  for (const platform of platforms) {
    const { name, version, main, files } = readJson(`npm/${platform}/package.json`);
    assert.equal(name, `${manifest.name}-${platform}`);
    assert.equal(version, manifest.version);
    assert.equal(main, `${manifest.napi.binaryName}.${platform}.node`);
    assert.deepEqual(files, [main]);
  }
});
