// What a user has mistyped or cannot have is named at the start, with what was meant.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Log, LogLevel } from "@miniflare/shared";
import { Miniflare } from "ferroflare";
import { ScriptRunner } from "../../dist/miniflare/script-runner.js";
import { TestEnvironment } from "../../dist/testing/environment.js";
import { runCli, temporaryDirectory } from "../support/cli.mjs";

const script = `
export class Counter { fetch() { return new Response("counted"); } }
export class Room {}
export const notes = "no class";
export default {};
`;

/** How an instance with these options fails at the start. */
async function failure(t, options) {
  let error;
  try {
    const mf = new Miniflare({ modules: true, script, ...options });
    t.after(() => mf.dispose().catch(() => {}));
    await mf.getPlugins();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, "no error");
  return error;
}

class WarningLog extends Log {
  warnings = [];

  constructor() {
    super(LogLevel.WARN);
  }

  log() {}

  warn(message) {
    this.warnings.push(message);
  }
}

async function warnings(t, options) {
  const log = new WarningLog();
  const mf = new Miniflare({ modules: true, script, log, ...options });
  t.after(() => mf.dispose());
  await mf.getPlugins();
  return log.warnings;
}

test("limits: a class that does not exist comes with those that do, and the nearest one", async (t) => {
  const missing = (name) => failure(t, { durableObjects: { COUNTER: name } });
  assert.equal(
    (await missing("counter")).message,
    'Class "counter" for Durable Object "COUNTER" not found. Did you mean "Counter"? The script exports "Counter", "Room".',
  );
  assert.equal(
    (await missing("Elsewhere")).message,
    'Class "Elsewhere" for Durable Object "COUNTER" not found. The script exports "Counter", "Room".',
  );
  const mounts = { api: { modules: true, script } };
  const durableObjects = { COUNTER: { className: "Romo", scriptName: "api" } };
  assert.match(
    (await failure(t, { mounts, durableObjects, script: "export default {};" })).message,
    /^Class "Romo" in script "api" for Durable Object "COUNTER" not found\. Did you mean "Room"\?/,
  );
});

test("limits: the nearest binding is named for one that does not exist", async (t) => {
  const mf = new Miniflare({ modules: true, script, durableObjects: { COUNTER: "Counter" } });
  t.after(() => mf.dispose());
  const namespace = await mf.getDurableObjectNamespace("CONUTER");
  await assert.rejects(namespace.get(namespace.idFromName("a")).fetch("http://localhost/"), {
    code: "ERR_CLASS_NOT_FOUND",
    message: /^No class is bound to Durable Object "CONUTER"\. Did you mean "COUNTER"\? Add /,
  });
});

test("limits: an option that is nearly one is refused, and others are left alone", async (t) => {
  const message = async (options) => (await failure(t, options)).message;
  assert.equal(
    await message({ durableObject: { COUNTER: "Counter" } }),
    'Unknown option "durableObject". Did you mean "durableObjects"?',
  );
  assert.equal(
    await message({ durableObjectspersist: true }),
    'Unknown option "durableObjectspersist". Did you mean "durableObjectsPersist"?',
  );
  assert.equal(
    await message({ mounts: { api: { scriptpath: "a.mjs" } } }),
    'Unknown option "mounts.api.scriptpath". Did you mean "mounts.api.scriptPath"?',
  );
  assert.equal(
    await message({ durableObjects: { COUNTER: { className: "Counter", useSqlite: true } } }),
    'Unknown option "durableObjects.COUNTER.useSqlite". Did you mean "durableObjects.COUNTER.useSQLite"?',
  );
  assert.equal(
    await message({ durableObjects: { COUNTER: { useSQLite: true } } }),
    "Invalid value for durableObjects.COUNTER.className: undefined (expected the name of a class)",
  );
  const unsafeUniqueKey = "key";
  const more = { durableObjects: { COUNTER: { className: "Counter", unsafeUniqueKey } } };
  assert.deepEqual(await warnings(t, { ...more, somethingElse: 1, unsafeEval: true }), []);
  const mf = new Miniflare({ modules: true, script });
  t.after(() => mf.dispose());
  await assert.rejects(mf.setOptions({ kvNamespace: ["KV"] }), /Did you mean "kvNamespaces"\?$/);
});

test("limits: a URL of another kind is no place for data", async (t) => {
  const objects = { durableObjects: { COUNTER: "Counter" } };
  for (const [url, hint] of [
    ["postgres://user:secret@host/db", /its scheme is "postgres"\. A place is a path/],
    ["redi://localhost", /its scheme is "redi"\. Did you mean "redis:\/\/"\? A place/],
    ["file:///tmp/data", /Give the path without its scheme\./],
  ]) {
    const error = await failure(t, { ...objects, durableObjectsPersist: url });
    assert.equal(error.code, "ERR_OPTION");
    assert.match(error.message, hint);
    assert.doesNotMatch(error.message, /secret/);
    const listed = await runCli(["objects", "list", "--do-persist", url]);
    assert.match(listed.stderr, hint);
    assert.equal(listed.code, 1);
  }
});

test("limits: a directory that cannot be created fails at the start", async (t) => {
  const objects = { durableObjects: { COUNTER: "Counter" } };
  const persist = process.platform === "linux" ? "/proc/none/data" : "/\0/data";
  const error = await failure(t, { ...objects, durableObjectsPersist: persist });
  if (process.platform !== "linux") return;
  assert.equal(error.code, "ERR_OPTION");
  assert.match(
    error.message,
    /^Cannot create the directory \/proc\/none\/data \(durableObjectsPersist, --do-persist\): .*\/proc.*Choose another directory/,
  );
  const cwd = await temporaryDirectory(t);
  await writeFile(path.join(cwd, "worker.mjs"), script);
  const args = ["worker.mjs", "--do", "COUNTER=Counter", "--do-persist", persist];
  const run = await runCli(args, { cwd });
  assert.match(run.stderr, /^ferroflare: Cannot create the directory \/proc\/none\/data/);
  assert.equal(run.code, 1);
});

test("limits: what the runtime lacks is one warning at the start, with the key and a link", async (t) => {
  const directory = await temporaryDirectory(t);
  await mkdir(path.join(directory, "src"));
  await writeFile(path.join(directory, "src", "index.mjs"), "export default {};");
  const toml = `
[ai]
binding = "AI"

[[workflows]]
name = "w"
binding = "W"
class_name = "W"

[[queues.producers]]
queue = "q"
binding = "Q"
delivery_delay = 60

[[queues.consumers]]
queue = "q"
retry_delay = 5

[miniflare]
durable_object_persist = true
`;
  const about = async (text) => {
    await writeFile(path.join(directory, "wrangler.toml"), text);
    const options = { rootPath: directory, wranglerConfigPath: true, script: undefined };
    const all = await warnings(t, { ...options, scriptPath: "src/index.mjs" });
    return all.filter((line) => line.includes("wrangler.toml"));
  };
  const expected = [
    /^"ai" in/,
    /^"workflows" in/,
    /^"delivery_delay" of "queues"/,
    /^"retry_delay" of/,
  ];
  const lacking = await about(toml);
  assert.equal(lacking.length, expected.length, lacking.join("\n"));
  for (const [i, line] of lacking.entries()) {
    assert.match(line, expected[i]);
    assert.match(line, /https:\/\/developers\.cloudflare\.com\/\S+$/);
  }
  const today = await about(`main = "src/index.mjs"\n${toml}`);
  assert.deepEqual(today.slice(0, -1), lacking);
  assert.match(
    today.at(-1),
    /^"miniflare\.durable_object_persist" .* Did you mean "miniflare\.durable_objects_persist"\?$/,
  );
  const [option] = await warnings(t, { workflows: { W: {} } });
  assert.match(option, /^The option "workflows" is not supported.*https:\/\/\S+$/);
});

test("limits: a script that cannot be read is told with what names it, in the class and in test runners", async (t) => {
  const rootPath = await temporaryDirectory(t);
  const file = (name) => path.join(rootPath, name);
  const missing = (name) => `Cannot read the worker's script "${file(name)}": it does not exist. `;
  const objects = { durableObjects: { COUNTER: "Counter" } };
  const cases = [
    [
      { scriptPath: "none.mjs" },
      `${missing("none.mjs")}It is the option scriptPath (on the command line, the script). Correct that path, or create the file.`,
    ],
    [
      { wranglerConfigPath: "wrangler.jsonc" },
      `${missing("src/index.mjs")}It is "main" in wrangler.jsonc. Correct that path, or create the file.`,
    ],
    [
      { wranglerConfigPath: "old.toml" },
      `${missing("dist/old.mjs")}It is "build.upload.main" in old.toml. Correct that path, or create the file.`,
    ],
    [
      { packagePath: "package.json" },
      `${missing("index.js")}It is "main" in "${file("package.json")}". `,
    ],
    [{ scriptPath: "." }, `Cannot read the worker's script: it is a directory. It is the option`],
  ];
  await writeFile(file("wrangler.jsonc"), '{ "main": "src/index.mjs" }');
  await writeFile(file("old.toml"), '[build.upload]\nmain = "old.mjs"\nformat = "modules"\n');
  await writeFile(file("package.json"), '{ "main": "index.js" }');
  for (const [options, message] of cases) {
    const given = { rootPath, script: undefined, ...objects, ...options };
    const error = await failure(t, { ...given, modules: undefined });
    assert.ok(error.message.startsWith(message), error.message);
    const test = { wranglerConfigPath: false, packagePath: false, ...given };
    await assert.rejects(TestEnvironment.create(new ScriptRunner(), test), ({ message: told }) => {
      assert.ok(told.startsWith(message), told);
      return true;
    });
  }
});

test("limits: a mount says which directory does not exist, or what is missing in it", async (t) => {
  const root = await temporaryDirectory(t);
  const cause = async (mount) => {
    const { code, cause: told } = await failure(t, { mounts: { api: mount } });
    assert.equal(code, "ERR_MOUNT");
    return told.message;
  };
  const gone = path.join(root, "gone");
  const what = `Correct the path of the mount (mounts.api, --mount api=…), or add a wrangler.jsonc with "main", or a package.json with "main".`;
  const isGone = `The mount "api" has no script. The directory "${gone}" does not exist. ${what}`;
  assert.equal(await cause(gone), isGone);
  assert.equal(await cause({ rootPath: gone }), isGone);
  const names = "wrangler.json, wrangler.jsonc, wrangler.toml";
  assert.equal(
    await cause(root),
    `The mount "api" has no script. Looked in "${root}": no ${names}, and no package.json. ${what}`,
  );
  await writeFile(path.join(root, "package.json"), '{ "module": "worker.mjs" }');
  await writeFile(path.join(root, "wrangler.jsonc"), "{}");
  assert.equal(
    await cause(root),
    `The mount "api" has no script. Looked in "${root}": wrangler.jsonc has no "main", and package.json has no "main" ("module" is for modules: true). ${what}`,
  );
  assert.match(
    await cause({ rootPath: root, scriptPath: "none.mjs" }),
    /none\.mjs": it does not exist\. It is the option mounts\.api\.scriptPath /,
  );
  const { stderr } = await runCli(["worker.mjs", "--mount", "api=./gone"], { cwd: root });
  assert.match(stderr, /worker\.mjs": it does not exist/);
  await writeFile(path.join(root, "worker.mjs"), script);
  const ran = await runCli(["worker.mjs", "--mount", "api=./gone"], { cwd: root });
  assert.ok(ran.stderr.includes(`Error mounting "api": ${isGone}`), ran.stderr);
});
