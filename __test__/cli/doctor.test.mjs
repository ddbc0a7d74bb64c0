// `ferroflare doctor` outside a project that is installed: what it tries, and its one clear reason when it fails.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { runCli, temporaryDirectory } from "../support/cli.mjs";

const { version } = createRequire(import.meta.url)("ferroflare/package.json");

/** What the doctor says, by label. */
function facts({ stdout }) {
  return Object.fromEntries(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.match(/^([^:]+): +(.*)$/).slice(1)),
  );
}

test("doctor: prints versions, the native core and the backends that it has tried", async (t) => {
  const result = await runCli(["doctor"], { cwd: await temporaryDirectory(t) });
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  const said = facts(result);
  assert.ok(said.ferroflare.startsWith(`${version} in `), said.ferroflare);
  assert.ok(said["Node.js"].startsWith(`${process.versions.node} on ${process.platform}-`));
  assert.match(said["native core"], /ferroflare\.[\w-]+\.node \(\d+\.\d MiB\)$/);
  assert.deepEqual([said.memory, said.files], ["written and read back", "written and read back"]);
  assert.match(said.data, /^in memory/);
});

test("doctor: tries the directory of wrangler.toml, and leaves no object there", async (t) => {
  const cwd = await temporaryDirectory(t);
  const toml = '[miniflare]\ndurable_objects_persist = "./data"\n';
  await writeFile(path.join(cwd, "wrangler.toml"), toml);
  const result = await runCli(["doctor"], { cwd });
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  const expected = `${path.join(cwd, "data")} (durable_objects_persist in wrangler.toml): written and read back`;
  assert.equal(facts(result).data, expected);
  const listed = await runCli(["objects", "list", "--do-persist", "./data"], { cwd });
  assert.deepEqual([listed.code, listed.stdout], [0, ""]);
});

test("doctor: a place that cannot hold data is named, and left as it is", async (t) => {
  const cwd = await temporaryDirectory(t);
  const file = path.join(cwd, "file");
  await writeFile(file, "mine");
  const { code, stderr } = await runCli(["doctor", "--do-persist", "./file"], { cwd });
  assert.equal(code, 1);
  const lines = stderr.split("\n");
  assert.ok(
    lines[0].startsWith(`ferroflare: data ${file} (--do-persist): ${file} is not a directory`),
  );
  assert.equal(lines.length, 2);
  assert.equal(await readFile(file, "utf8"), "mine");
  assert.deepEqual(await readdir(cwd), ["file"]);
});

test("doctor: a password in a URL is not shown", async (t) => {
  const cwd = await temporaryDirectory(t);
  const url = "redis://user:secret@127.0.0.1:1";
  const { code, stderr, stdout } = await runCli(["doctor", "--do-persist", url], { cwd });
  assert.equal(code, 1);
  assert.match(stderr, /^ferroflare: data redis:\/\/user:\*\*\*@127\.0\.0\.1:1 \(--do-persist\): /);
  assert.equal((stderr + stdout).includes("secret"), false);
});

test("doctor: a broken package.json or wrangler.toml is named", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(path.join(cwd, "wrangler.toml"), "broken = = 1\n");
  const toml = await runCli(["doctor"], { cwd });
  assert.deepEqual([toml.code, toml.stderr.split("\n").length], [1, 2]);
  assert.match(toml.stderr, /^ferroflare: Cannot parse [^\n]*wrangler\.toml: /);
  await writeFile(path.join(cwd, "package.json"), "{ broken");
  const pkg = await runCli(["doctor"], { cwd });
  assert.equal(pkg.code, 1);
  assert.match(pkg.stderr, /^ferroflare: Cannot read [^\n]*package\.json: [^\n]*\n$/);
});

test("doctor: the command that it proposes is one of the project's package manager", async (t) => {
  const cwd = await temporaryDirectory(t);
  const pkg = { private: true, devDependencies: { ferroflare: "0.1.0" } };
  await writeFile(path.join(cwd, "package.json"), JSON.stringify(pkg));
  for (const [manager, runner] of Object.entries({ npm: "npx", pnpm: "pnpm exec", yarn: "yarn" })) {
    const { stdout } = await runCli(["doctor", "--manager", manager], { cwd });
    assert.match(stdout, new RegExp(`^undici: .* fewer: ${runner} ferroflare init --undici$`, "m"));
  }
});
