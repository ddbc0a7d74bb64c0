// `ferroflare init`: which file it changes for which package manager, and that it changes nothing else there.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { bin, start, temporaryDirectory } from "../support/cli.mjs";

const { version } = createRequire(import.meta.url)("ferroflare/package.json");
const KEY = "@miniflare/durable-objects";
const VALUE = `npm:ferroflare@${version}`;

/** Makes a project of these files and runs `ferroflare init` in it, or in a folder of it. */
async function project(t, files) {
  const directory = await temporaryDirectory(t);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, name)), { recursive: true });
    await writeFile(path.join(directory, name), text);
  }
  return {
    directory,
    read: (name) => readFile(path.join(directory, name), "utf8"),
    init(args = [], { folder = ".", env, input, tty } = {}) {
      const terminal = tty ? ["--require", path.join(directory, "tty.cjs")] : [];
      return start(process.execPath, [...terminal, bin, "init", ...args], {
        cwd: path.join(directory, folder),
        // Without a path no package manager of this machine is asked for its version.
        env: { npm_config_user_agent: undefined, PATH: "", Path: undefined, ...env },
        input,
      }).ended;
    },
  };
}

function assertFails({ code, stderr, stdout }, pattern) {
  assert.match(stderr, pattern);
  assert.deepEqual([code, stderr.split("\n").length], [1, 2], stdout);
}

const USER = '{\n  "name": "user"\n}\n';
const npmUser = `{\n  "name": "user",\n  "overrides": {\n    "${KEY}": "${VALUE}"\n  }\n}\n`;
const yarnUser = npmUser.replace("overrides", "resolutions");
const yaml = `overrides:\n  '${KEY}': ${VALUE}\n`;

for (const [what, files, env, changed] of [
  ["nothing: npm", {}, {}, { "package.json": npmUser }],
  ["package-lock.json: npm", { "package-lock.json": "{}" }, {}, { "package.json": npmUser }],
  ["yarn.lock: Yarn", { "yarn.lock": "" }, {}, { "package.json": yarnUser }],
  ["bun.lock: Bun", { "bun.lock": "" }, {}, { "package.json": npmUser }],
  ["pnpm-lock.yaml: pnpm", { "pnpm-lock.yaml": "" }, {}, { "pnpm-workspace.yaml": yaml }],
  [
    "a running Yarn: Yarn",
    {},
    { npm_config_user_agent: "yarn/1.22.22 npm/? node/v20.0.0 linux x64" },
    { "package.json": yarnUser },
  ],
  [
    "a running pnpm 9: pnpm's field in package.json",
    { "pnpm-lock.yaml": "" },
    { npm_config_user_agent: "pnpm/9.15.0 npm/? node/v20.0.0 linux x64" },
    {
      "package.json": `{\n  "name": "user",\n  "pnpm": {\n    "overrides": {\n      "${KEY}": "${VALUE}"\n    }\n  }\n}\n`,
    },
  ],
]) {
  test(`init: writes the entry, tells it from ${what}, and --remove takes it out`, async (t) => {
    const { init, read, directory } = await project(t, { "package.json": USER, ...files });
    const { code, stderr, stdout } = await init(["--yes"], { env });
    assert.deepEqual([code, stderr], [0, ""]);
    for (const [name, text] of Object.entries(changed)) {
      assert.equal(await read(name), text);
      assert.ok(stdout.includes(`+++ ${path.join(directory, name)}`), stdout);
    }
    const again = await init(["--yes"], { env });
    assert.match(again.stdout, /^Nothing to do: [^\n]* already\.$/m);
    for (const [name, text] of Object.entries(changed)) assert.equal(await read(name), text);

    assert.equal((await init(["--remove", "--yes"], { env })).code, 0);
    assert.equal(await read("package.json"), USER);
    assert.equal(existsSync(path.join(directory, "pnpm-workspace.yaml")), false);
    assert.match((await init(["--remove", "--yes"], { env })).stdout, /^Nothing to do: /m);
  });
}

for (const [what, before, after] of [
  [
    "tabs, CRLF, lists in one line and no newline at the end",
    '{\r\n\t"name": "user",\r\n\t"files": ["a", "b"]\r\n}',
    `{\r\n\t"name": "user",\r\n\t"files": ["a", "b"],\r\n\t"overrides": {\r\n\t\t"${KEY}": "${VALUE}"\r\n\t}\r\n}`,
  ],
  [
    "four spaces, and overrides that are there",
    '{\n    "overrides": {\n        "a": { ".": "1", "b": "2" },\n        "c": "3"\n    },\n    "name": "\\u007b\\"x"\n}\n',
    `{\n    "overrides": {\n        "a": { ".": "1", "b": "2" },\n        "c": "3",\n        "${KEY}": "${VALUE}"\n    },\n    "name": "\\u007b\\"x"\n}\n`,
  ],
  ["one line", '{"name":"user"}', `{"name":"user","overrides":{"${KEY}":"${VALUE}"}}`],
  ["nothing in it", "{}\n", `{\n  "overrides": {\n    "${KEY}": "${VALUE}"\n  }\n}\n`],
]) {
  test(`init: leaves the rest of a package.json alone: ${what}`, async (t) => {
    const { init, read } = await project(t, { "package.json": before });
    const { code, stderr } = await init(["--yes"]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await read("package.json"), after);
    await init(["--remove", "--yes"]);
    const restored = await read("package.json");
    if (before === "{}\n") assert.deepEqual(JSON.parse(restored), {});
    else assert.equal(restored, before);
  });
}

test("init: leaves the rest of a pnpm-workspace.yaml alone", async (t) => {
  const before =
    "# ours\npackages:\n  - a/*\noverrides:\n    # pinned\n    \"b@1\": '2'\n\nother: true\n";
  const { init, read } = await project(t, { "package.json": USER, "pnpm-workspace.yaml": before });
  assert.equal((await init(["--yes"])).code, 0);
  const entry = `    '${KEY}': ${VALUE}\n`;
  assert.equal(await read("pnpm-workspace.yaml"), before.replace("'2'\n", `'2'\n${entry}`));
  assert.equal((await init(["--remove", "--yes"])).code, 0);
  assert.equal(await read("pnpm-workspace.yaml"), before);
});

test("init: a pnpm-workspace.yaml that it cannot change is named, and left alone", async (t) => {
  const before = "overrides: { a: '1' }\n";
  const { init, read } = await project(t, { "package.json": USER, "pnpm-workspace.yaml": before });
  assertFails(
    await init(["--yes"]),
    /^ferroflare: [^\n]*pnpm-workspace\.yaml writes its overrides/,
  );
  assert.equal(await read("pnpm-workspace.yaml"), before);
});

test("init: writes to the root of the workspace", async (t) => {
  const { init, read } = await project(t, {
    "package.json": '{\n  "workspaces": ["packages/*"]\n}\n',
    "packages/a/package.json": USER,
  });
  assert.equal((await init(["--yes"], { folder: "packages/a" })).code, 0);
  assert.ok((await read("package.json")).includes(VALUE));
  assert.equal(await read("packages/a/package.json"), USER);
});

for (const [manager, lock, target, line] of [
  ["npm", "package-lock.json", "package.json", '"undici@5.28.4": "5.29.0"'],
  ["pnpm", "pnpm-lock.yaml", "pnpm-workspace.yaml", "undici@5.28.4: '5.29.0'"],
  ["Yarn 1", "yarn.lock", "package.json", '"undici": "5.29.0"'],
  ["Yarn", ".yarnrc.yml", "package.json", '"undici@npm:5.28.4": "5.29.0"'],
]) {
  test(`init: --undici replaces the undici that Miniflare 2 pins: ${manager}`, async (t) => {
    const { init, read } = await project(t, { "package.json": USER, [lock]: "" });
    const offered = await init(["--yes"]);
    assert.match(
      offered.stdout,
      /To replace it as well:\n\n {2}\S+(?: dlx)? ferroflare init --undici\n/,
    );
    assert.equal((await init(["--yes", "--undici"])).code, 0);
    assert.ok((await read(target)).includes(line));
    assert.equal((await init(["--yes", "--remove"])).code, 0);
    assert.equal(await read("package.json"), USER);
  });
}

/** Makes a program take its standard input for a terminal. */
const TTY = 'Object.defineProperty(process.stdin, "isTTY", { value: true });';

test("init: asks before it writes, and takes only yes for it", async (t) => {
  const { init, read } = await project(t, { "package.json": USER, "tty.cjs": TTY });
  for (const input of ["n\n", "\n", ""]) {
    const { code, stdout } = await init([], { tty: true, input });
    assert.match(stdout, /Write this\? \[y\/N\][\s\S]*Nothing was written\.\n$/);
    assert.equal(code, 0);
    assert.equal(await read("package.json"), USER);
  }
  const { stdout } = await init(["--undici"], { tty: true, input: "y\n" });
  assert.match(stdout, /^ {2}npm install\n {2}npx ferroflare doctor\n/m);
  assert.ok((await read("package.json")).includes(VALUE));
});

test("init: without a terminal to ask on it shows the change and writes nothing", async (t) => {
  const { init, read } = await project(t, { "package.json": USER });
  const result = await init();
  assertFails(result, /^ferroflare: Nothing was written, [^\n]*add --yes\./);
  assert.ok(result.stdout.includes(`+     "${KEY}": "${VALUE}"`), result.stdout);
  assert.equal(await read("package.json"), USER);
});

test("init: leaves an entry of another tool where it is, and replaces it only when asked to write", async (t) => {
  const foreign = npmUser.replace(VALUE, "2.14.2");
  const { init, read } = await project(t, { "package.json": foreign });
  const kept = await init(["--remove", "--yes"]);
  assert.match(kept.stdout, /"@miniflare\/durable-objects" is set to "2\.14\.2", which is left/);
  assert.equal(await read("package.json"), foreign);
  const { stdout } = await init(["--yes"]);
  assert.ok(stdout.includes(`-     "${KEY}": "2.14.2"`), stdout);
  assert.equal(await read("package.json"), npmUser);
});

test("init: says when there is nothing for the entry to have an effect on", async (t) => {
  const pkg = '{ "devDependencies": { "miniflare": "^4.0.0" } }\n';
  const { init } = await project(t, { "package.json": pkg });
  const { stdout } = await init(["--yes"]);
  assert.match(stdout, /^Note: miniflare \^4\.0\.0 does not use @miniflare\/durable-objects/m);
});

test("init: says when no miniflare 2 is there, and nothing of it when one is", async (t) => {
  const note = /^Note: there is no miniflare 2 here: /m;
  const none = await (await project(t, { "package.json": USER })).init(["--yes"]);
  assert.match(none.stdout, note);
  const pkg = '{ "devDependencies": { "jest-environment-miniflare": "2.14.4" } }\n';
  const one = await (await project(t, { "package.json": pkg })).init(["--yes"]);
  assert.doesNotMatch(one.stdout, /^Note:/m);
});

const TARBALL = "file:../packages/ferroflare-0.1.0.tgz";

for (const [manager, lock, target, line] of [
  ["npm", "package-lock.json", "package.json", `"${KEY}": "$ferroflare"`],
  ["pnpm", "pnpm-lock.yaml", "pnpm-workspace.yaml", `'${KEY}': ${TARBALL}`],
  ["Yarn", "yarn.lock", "package.json", `"${KEY}": "${TARBALL}"`],
  ["Bun", "bun.lock", "package.json", `"${KEY}": "${TARBALL}"`],
]) {
  test(`init: where the project depends on a packed file, the entry is that file: ${manager}`, async (t) => {
    const pkg = `{\n  "devDependencies": {\n    "ferroflare": "${TARBALL}",\n    "miniflare": "2.14.4"\n  }\n}\n`;
    const { init, read } = await project(t, { "package.json": pkg, [lock]: "" });
    assert.equal((await init(["--yes"])).code, 0);
    assert.ok((await read(target)).includes(line), await read(target));
    assert.match((await init(["--yes"])).stdout, /^Nothing to do: /m);
    assert.equal((await init(["--yes", "--remove"])).code, 0);
    assert.equal(await read("package.json"), pkg);
  });
}

test("init: a packed file of a project in a workspace is named by its absolute path", async (t) => {
  const { init, read, directory } = await project(t, {
    "package.json": '{ "workspaces": ["a"] }\n',
    "a/package.json": `{ "devDependencies": { "ferroflare": "${TARBALL}" } }\n`,
  });
  assert.equal((await init(["--yes"], { folder: "a" })).code, 0);
  const file = path.join(directory, "packages", "ferroflare-0.1.0.tgz");
  assert.equal(JSON.parse(await read("package.json")).overrides[KEY], `file:${file}`);
});

test("init: leaves an entry that works as it is", async (t) => {
  for (const [value, more] of [
    ["file:./ferroflare-0.1.0.tgz", { "ferroflare-0.1.0.tgz": "" }],
    ["$ferroflare", {}],
  ]) {
    const pkg = `{ "devDependencies": { "ferroflare": "file:x.tgz" }, "overrides": { "${KEY}": "${value}" } }\n`;
    const { init, read } = await project(t, { "package.json": pkg, ...more });
    assert.match((await init(["--yes"])).stdout, /^Nothing to do: /m);
    assert.equal(await read("package.json"), pkg);
  }
  const pkg = `{ "overrides": { "${KEY}": "file:./gone/ferroflare-0.1.0.tgz" } }\n`;
  const { init, read } = await project(t, { "package.json": pkg });
  assert.equal((await init(["--yes"])).code, 0);
  assert.ok((await read("package.json")).includes(VALUE));
});

for (const [what, files, args, pattern] of [
  ["no package.json", {}, ["--yes"], /^ferroflare: There is no package\.json in [^\n]*npm init/],
  [
    "a broken package.json",
    { "package.json": "{ broken" },
    ["--yes"],
    /^ferroflare: Cannot read [^\n]*package\.json: /,
  ],
  [
    "lock files of two package managers",
    { "package.json": USER, "package-lock.json": "{}", "yarn.lock": "" },
    ["--yes"],
    /^ferroflare: [^\n]* has lock files of several package managers: package-lock\.json, yarn\.lock\. [^\n]*--manager npm\|yarn/,
  ],
  [
    "a direct dependency, which npm does not override",
    { "package.json": `{ "devDependencies": { "${KEY}": "2.14.4" } }` },
    ["--yes"],
    /^ferroflare: [^\n]*npm does not override what a project itself depends on/,
  ],
  [
    "an unknown package manager",
    { "package.json": USER },
    ["--manager", "pmpm"],
    /^ferroflare: --manager "pmpm": choose one of npm, pnpm, yarn, bun\. Did you mean "pnpm"\?/,
  ],
  [
    "an unknown option",
    { "package.json": USER },
    ["--undicy"],
    /^ferroflare: Unknown option "--undicy"\. Did you mean "--undici"\?/,
  ],
]) {
  test(`init: ${what} is one clear error`, async (t) => {
    assertFails(await (await project(t, files)).init(args), pattern);
  });
}

test("init: --manager decides between several lock files", async (t) => {
  const locks = { "package-lock.json": "{}", "yarn.lock": "" };
  const { init, read } = await project(t, { "package.json": USER, ...locks });
  assert.equal((await init(["--yes", "--manager", "yarn"])).code, 0);
  assert.equal(await read("package.json"), yarnUser);
});
