// What a user has mistyped or cannot have is named at the start, with what was meant.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Log, LogLevel } from "@miniflare/shared";
import { Miniflare } from "ferroflare";
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
