// The drop-in: unmodified miniflare on the packed packages, put there by one override, with each package manager.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { bin, start, VM_MODULES } from "../support/cli.mjs";
import { install, makeProject, runIn, runManager } from "../support/projects.mjs";
import { startRegistry } from "../support/registry.mjs";

const node = [process.execPath, "--no-warnings", VM_MODULES];
let registry;

before(async () => {
  registry = await startRegistry();
});
after(() => registry.close());

/** Says what Miniflare 2 runs on, whether everybody shares its classes, and whether an option of ours arrives. */
const probe = `
  import { createRequire } from "node:module";
  import { Miniflare } from "miniflare";
  const require = createRequire(import.meta.url);
  const theirs = createRequire(require.resolve("miniflare"));
  const objects = theirs("@miniflare/durable-objects");
  const ours = createRequire(theirs.resolve("@miniflare/durable-objects"));
  const mf = new Miniflare({
    modules: true,
    durableObjects: { TEST: "Test" },
    durableObjectsMaxValueSize: 100,
    script: \`
    export class Test {
      constructor(state) {
        this.state = state;
        this.storage = state.storage;
      }
      async add() {
        const count = ((await this.storage.get("count")) ?? 0) + 1;
        await this.state.blockConcurrencyWhile(() => scheduler.wait(1));
        await this.storage.put("count", count);
        return count;
      }
      async fetch(request) {
        if (request.method === "PUT") {
          const { 0: client, 1: server } = new WebSocketPair();
          server.accept();
          server.addEventListener("message", async () => server.send(String(await this.add())));
          return new Response(null, { status: 101, webSocket: client });
        }
        if (request.method === "POST") await this.storage.put("key", await request.text());
        return new Response(await this.storage.get("key"));
      }
    }
    export default {
      fetch(request, env) {
        return env.TEST.get(env.TEST.idFromName("a")).fetch(request);
      }
    }\`,
  });
  const post = (body) => mf.dispatchFetch("http://localhost/", { method: "POST", body });
  const namespace = await mf.getDurableObjectNamespace("TEST");
  const response = await post("value");
  const storage = await mf.getDurableObjectStorage(namespace.idFromName("a"));
  const tooLarge = await post("x".repeat(200)).catch((error) => error);
  const { webSocket } = await mf.dispatchFetch("http://localhost/", { method: "PUT" });
  webSocket.accept();
  const counts = [];
  const heard = new Promise((resolve) => {
    webSocket.addEventListener("message", ({ data }) => counts.push(data) === 3 && resolve());
  });
  for (let i = 0; i < 3; i++) webSocket.send("add");
  await heard;
  console.log(JSON.stringify({
    counts,
    core: typeof objects.coreVersion,
    text: await response.text(),
    stored: await storage.get("key"),
    storage: storage instanceof objects.DurableObjectStorage,
    response: response instanceof ours("@miniflare/core").Response,
    shared: theirs("@miniflare/shared") === ours("@miniflare/shared"),
    core2: theirs("@miniflare/core") === ours("@miniflare/core"),
    tooLarge: String(tooLarge),
  }));
  await mf.dispose();
`;

const onOurCore = {
  core: "string",
  text: "value",
  counts: ["1", "2", "3"],
  stored: "value",
  storage: true,
  response: true,
  shared: true,
  core2: true,
  tooLarge: "RangeError: Values cannot be larger than 100 bytes.",
};

const user = { private: true, devDependencies: { miniflare: "2.14.4" } };
const KEY = "@miniflare/durable-objects";
const VALUE = "npm:ferroflare@0.1.0";

async function probed(directory) {
  const { stdout } = await runIn(directory, [...node, "probe.mjs"]);
  return JSON.parse(stdout);
}

for (const [manager, files] of [
  ["npm", { "package.json": { ...user, overrides: { [KEY]: VALUE } } }],
  ["pnpm", { "package.json": user, "pnpm-workspace.yaml": `overrides:\n  '${KEY}': ${VALUE}\n` }],
  ["yarn 1", { "package.json": { ...user, resolutions: { [KEY]: VALUE } } }],
  ["yarn", { "package.json": { ...user, resolutions: { [KEY]: VALUE } }, "yarn.lock": "" }],
]) {
  test(`overrides: one entry puts it under an unmodified miniflare, installed by ${manager}`, async (t) => {
    const directory = await makeProject(t, registry, {
      files: { ...files, "probe.mjs": probe },
    });
    await install(directory, manager);
    assert.deepEqual(await probed(directory), onOurCore);
    const doctor = await start(process.execPath, [bin, "doctor"], { cwd: directory }).ended;
    assert.deepEqual([doctor.code, doctor.stderr], [0, ""]);
    assert.match(doctor.stdout, /^miniflare: +2\.14\.4 in .*, on ferroflare 0\.1\.0$/m);
    assert.match(doctor.stdout, /^native core: .*ferroflare-[\w-]+[\\/]ferroflare\.[\w-]+\.node /m);
    if (manager !== "npm") return;
    const command = await runIn(directory, ["npx", "miniflare", "--help"]);
    assert.match(command.stdout + command.stderr, /--do-max-value-size/, "the miniflare command");
  });
}

/** Runs a classic class with each way to make it SQLite-backed, and without one. */
const sqlProbe = `
  import { Miniflare } from "miniflare";
  const script = \`
    export class Test {
      constructor({ storage }) { this.sql = storage.sql; }
      fetch() { return Response.json(this.sql?.exec("SELECT 2 AS two").one() ?? "none"); }
    }
    export default { fetch: (request, { TEST }) => TEST.get(TEST.idFromName("a")).fetch(request) };\`;
  const answers = [];
  for (const options of [
    { durableObjects: { TEST: "Test" } },
    { durableObjects: { TEST: { className: "Test", useSQLite: true } } },
    { durableObjects: { TEST: "Test" }, durableObjectsSqlite: ["TEST"], durableObjectsPersist: "./data" },
    { wranglerConfigPath: true },
  ]) {
    const mf = new Miniflare({ modules: true, script, ...options });
    answers.push(await (await mf.dispatchFetch("http://localhost/")).json());
    await mf.dispose();
  }
  console.log(JSON.stringify(answers));
`;

test("overrides: an unmodified miniflare has SQLite-backed classes, by options and by wrangler.toml", async (t) => {
  const toml = `
    [durable_objects]
    bindings = [{ name = "TEST", class_name = "Test" }]
    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Test"]`;
  const files = {
    "package.json": { ...user, overrides: { [KEY]: VALUE } },
    "probe.mjs": sqlProbe,
    "wrangler.toml": toml,
  };
  const directory = await makeProject(t, registry, { files });
  await install(directory, "npm");
  assert.deepEqual(await probed(directory), ["none", { two: 2 }, { two: 2 }, { two: 2 }]);
});

test("overrides: one entry puts it there without node_modules too, in Yarn's Plug'n'Play", async (t) => {
  const pkg = {
    private: true,
    devDependencies: { ...user.devDependencies, ferroflare: "0.1.0" },
    resolutions: { [KEY]: VALUE },
  };
  const files = { "package.json": pkg, "yarn.lock": "", "probe.mjs": probe };
  const directory = await makeProject(t, registry, { files, linker: "pnp" });
  await install(directory, "yarn");
  const flags = ["--no-warnings", VM_MODULES];
  const { stdout } = await runManager(directory, "yarn", ["node", ...flags, "probe.mjs"]);
  assert.deepEqual(JSON.parse(stdout), onOurCore);
  const doctor = await runManager(directory, "yarn", ["ferroflare", "doctor"]);
  assert.match(doctor.stdout, /^miniflare: +2\.14\.4 in .*, on ferroflare 0\.1\.0$/m);
});

test("overrides: init puts it into a project that is installed, with a patched undici, and --remove takes it out", async (t) => {
  const files = { "package.json": user, "probe.mjs": probe };
  const directory = await makeProject(t, registry, { files });
  const doctor = () => start(process.execPath, [bin, "doctor"], { cwd: directory }).ended;
  await install(directory, "npm");
  const before = await doctor();
  assert.equal(before.code, 1);
  assert.match(
    before.stderr,
    /^ferroflare: The override is not in effect: miniflare 2\.14\.4 uses @miniflare\/durable-objects 2\.14\.4 in [^\n]*\. Run "ferroflare init", then install\.\n$/,
  );

  const written = await runIn(directory, [process.execPath, bin, "init", "--yes", "--undici"]);
  const command = /^ {2}(npm install --save-dev miniflare@2\.14\.4)$/m.exec(written.stdout);
  assert.ok(command, written.stdout);
  const pending = await doctor();
  assert.match(pending.stderr, /The entry is written .* but not installed/);
  await runIn(directory, [...command[1].split(" "), "--no-audit", "--no-fund"]);
  assert.deepEqual(await probed(directory), onOurCore);
  const installed = await runIn(directory, ["npx", "ferroflare", "doctor"]);
  assert.match(installed.stdout, /^undici: +5\.29\.0$/m);

  await runIn(directory, [process.execPath, bin, "init", "--remove", "--yes"]);
  await install(directory, "npm");
  assert.equal((await probed(directory)).core, "undefined");
});

test("overrides: two copies of what everybody has to share are named", async (t) => {
  const pkg = {
    private: true,
    devDependencies: { miniflare: "2.14.2" },
    overrides: { [KEY]: VALUE },
  };
  const directory = await makeProject(t, registry, { files: { "package.json": pkg } });
  await install(directory, "npm");
  const { code, stderr } = await start(process.execPath, [bin, "doctor"], { cwd: directory }).ended;
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^ferroflare: There are two copies of @miniflare\/shared, [^\n]*miniflare 2\.14\.2 loads 2\.14\.2 in [^\n]*use that version of miniflare, and install again\.\n$/,
  );
});
