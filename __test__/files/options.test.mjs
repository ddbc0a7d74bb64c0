// The options of data in files, each on the command line, in wrangler.toml and in the API, and what they refuse.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { Miniflare } from "ferroflare";
import { runCli, startCli, temporaryDirectory, VM_MODULES } from "../support/cli.mjs";
import { count, openFiles, options, script, storageOf } from "../support/files.mjs";

const onLinux = process.platform === "linux";
const args = ["worker.mjs", "--do", "OBJECT=Counter", "--do-persist", "data"];
const toml = `
[build.upload]
format = "modules"
main = "./worker.mjs"
dir = "."

[durable_objects]
bindings = [{ name = "OBJECT", class_name = "Counter" }]

[miniflare]
durable_objects_persist = "data"
`;

async function project(t, lines) {
  const directory = await temporaryDirectory(t);
  await writeFile(path.join(directory, "worker.mjs"), script);
  if (lines !== undefined) await writeFile(path.join(directory, "wrangler.toml"), toml + lines);
  return directory;
}

/** How many objects a process has open in a directory. */
const openObjects = (directory, pid) =>
  openFiles(directory, pid).filter((file) => path.basename(file) === "LOCK").length;

/** Uses twelve objects, one after the other and then all at once, twice. */
async function useMany(use) {
  const names = Array.from({ length: 12 }, (_, i) => `object${i}`);
  for (const name of names) assert.equal(await use(name), 1, name);
  const counts = await Promise.all(names.map(use));
  assert.deepEqual(counts, new Array(12).fill(2));
  for (const name of names) assert.equal(await use(name), 3, name);
}

/** Asks until the last eviction has ended. */
async function assertOpen(directory, pid, most) {
  if (!onLinux) return;
  let open;
  for (let tries = 0; tries < 200; tries++) {
    open = openObjects(directory, pid);
    if (open > 0 && open <= most) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`${open} objects are open, at most ${most} may be`);
}

describe("durableObjectsMaxOpen", () => {
  test("--do-max-open is the most objects that the command has open", async (t) => {
    const cwd = await project(t);
    const cli = await startCli(t, [...args, "--do-max-open", "3"], {
      cwd,
      nodeArguments: [VM_MODULES, "--no-warnings"],
    });
    await useMany(async (name) => Number(await cli.text(`/${name}`)));
    await assertOpen(path.join(cwd, "data"), cli.child.pid, 3);
  });

  test("durable_objects_max_open in wrangler.toml", async (t) => {
    const rootPath = await project(t, "durable_objects_max_open = 3\n");
    const mf = new Miniflare({ rootPath, wranglerConfigPath: true });
    t.after(() => mf.dispose());
    await useMany((name) => count(mf, name));
    await assertOpen(path.join(rootPath, "data"), "self", 3);
  });

  for (const most of [1, 5]) {
    test(`durableObjectsMaxOpen: ${most}`, async (t) => {
      const root = await temporaryDirectory(t);
      const mf = new Miniflare({
        ...options,
        durableObjectsPersist: root,
        durableObjectsMaxOpen: most,
      });
      t.after(() => mf.dispose());
      await useMany((name) => count(mf, name));
      await assertOpen(root, "self", most);
    });
  }

  test("setOptions() may raise it while objects are in use", async (t) => {
    const root = await temporaryDirectory(t);
    const mf = new Miniflare({
      ...options,
      durableObjectsPersist: root,
      durableObjectsMaxOpen: 2,
    });
    t.after(() => mf.dispose());
    await useMany((name) => count(mf, name));
    await mf.setOptions({ durableObjectsMaxOpen: 8 });
    for (let i = 0; i < 12; i++) assert.equal(await count(mf, `object${i}`), 4);
    await assertOpen(root, "self", 8);
    if (onLinux) assert.ok(openObjects(root, "self") > 2);
    await mf.dispose();
    assert.deepEqual(openFiles(root), []);
  });
});

describe("durableObjectsDurability", () => {
  for (const durability of ["fsync", "process"]) {
    test(`--do-durability ${durability}`, async (t) => {
      const cwd = await project(t);
      for (const expected of ["1", "2"]) {
        const cli = await startCli(t, [...args, "--do-durability", durability], { cwd });
        assert.equal(await cli.text("/a"), expected);
        await cli.end("SIGKILL");
      }
    });

    test(`durable_objects_durability = "${durability}"`, async (t) => {
      const rootPath = await project(t, `durable_objects_durability = "${durability}"\n`);
      for (const expected of [1, 2]) {
        const mf = new Miniflare({ rootPath, wranglerConfigPath: true });
        assert.equal(await count(mf), expected);
        await mf.dispose();
      }
    });

    test(`durableObjectsDurability: "${durability}"`, async (t) => {
      const more = {
        durableObjectsPersist: await temporaryDirectory(t),
        durableObjectsDurability: durability,
      };
      for (const expected of [1, 2]) {
        const mf = new Miniflare({ ...options, ...more });
        assert.equal(await count(mf), expected);
        await (await storageOf(mf)).storage.sync();
        await mf.dispose();
      }
    });
  }
});

const persist = "durableObjectsPersist";
const durability = "durableObjectsDurability (--do-durability)";
const most = "durableObjectsMaxOpen (--do-max-open)";
const either = '(expected "fsync" or "process")';
const whole = "(expected a whole number from 1)";

describe("values that the options refuse", () => {
  for (const [given, message] of [
    [
      { durableObjectsPersist: 5 },
      `${persist}: 5 (expected true, false, a path or a redis:// URL)`,
    ],
    [
      { durableObjectsPersist: "" },
      `${persist}: "" (expected true, false, a path or a redis:// URL)`,
    ],
    [{ durableObjectsDurability: "full" }, `${durability}: "full" ${either}`],
    [{ durableObjectsDurability: "fsync " }, `${durability}: "fsync " ${either}`],
    [{ durableObjectsDurability: true }, `${durability}: true ${either}`],
    [{ durableObjectsMaxOpen: 0 }, `${most}: 0 ${whole}`],
    [{ durableObjectsMaxOpen: -1 }, `${most}: -1 ${whole}`],
    [{ durableObjectsMaxOpen: 1.5 }, `${most}: 1.5 ${whole}`],
    [{ durableObjectsMaxOpen: Number.NaN }, `${most}: NaN ${whole}`],
    [{ durableObjectsMaxOpen: "7" }, `${most}: "7" ${whole}`],
  ]) {
    test(`${Object.keys(given)}: ${JSON.stringify(Object.values(given)[0])}`, async (t) => {
      const mf = new Miniflare({ ...options, ...given });
      t.after(() => mf.dispose().catch(() => {}));
      await assert.rejects(mf.getPlugins(), {
        code: "ERR_OPTION",
        message: `Invalid value for ${message}`,
      });
    });
  }

  for (const [flags, message] of [
    [["--do-durability", "full"], `${durability}: "full" ${either}`],
    [["--do-max-open", "0"], `${most}: 0 ${whole}`],
  ]) {
    test(`${flags.join(" ")}: one line`, async (t) => {
      const cwd = await project(t);
      const { code, stderr } = await runCli([...args, ...flags, "--port", "0"], { cwd });
      assert.deepEqual(
        { code, stderr },
        { code: 1, stderr: `ferroflare: Invalid value for ${message}\n` },
      );
    });
  }

  for (const [line, message] of [
    ['durable_objects_durability = "full"', `${durability}: "full" ${either}`],
    ["durable_objects_max_open = 0", `${most}: 0 ${whole}`],
    ['durable_objects_max_open = "many"', `${most}: "many" ${whole}`],
  ]) {
    test(`${line}: one line`, async (t) => {
      const cwd = await project(t, `${line}\n`);
      const { code, stderr } = await runCli(["--port", "0"], { cwd });
      assert.deepEqual(
        { code, stderr },
        { code: 1, stderr: `ferroflare: Invalid value for ${message}\n` },
      );
    });
  }
});
