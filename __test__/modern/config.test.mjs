// Configuration files of the `Miniflare` class: their order, their keys, their environments, their errors.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { Miniflare as Miniflare2 } from "miniflare";
import { addFiles, ECHO, LinesLog, projectOf, serveIn } from "../support/configured.mjs";
import { failure } from "../support/modern.mjs";

const CLASSES = {
  migrations: [{ tag: "v1", new_sqlite_classes: ["Room"] }],
  durable_objects: { bindings: [{ name: "ROOM", class_name: "Room" }] },
};

/** The error that a worker of this configuration cannot start for. */
async function startError(t, config, files = {}, options = {}) {
  const file = typeof config === "string" ? config : { main: "worker.mjs", ...config };
  const directory = await projectOf(t, {
    "wrangler.jsonc": file,
    "worker.mjs": ECHO,
    ...files,
  });
  const { mf } = serveIn(t, directory, options);
  const error = await failure(mf.getPlugins());
  return { error, message: error.message.replaceAll(directory, ".") };
}

async function classesOf(t, config, name = "wrangler.jsonc") {
  const directory = await projectOf(t, { [name]: config, "worker.mjs": ECHO });
  const { mf } = serveIn(t, directory);
  const { DurableObjectsPlugin } = await mf.getPlugins();
  return DurableObjectsPlugin.durableObjectsClasses;
}

test("config: of several files the first in wrangler's order counts, and a line says so", async (t) => {
  const directory = await projectOf(t, {
    "worker.mjs": ECHO,
    "wrangler.json": { main: "worker.mjs", vars: { FILE: "json" } },
    "wrangler.jsonc": { main: "worker.mjs", vars: { FILE: "jsonc" } },
    "wrangler.toml": 'main = "worker.mjs"\n[vars]\nFILE = "toml"\n',
  });
  const { json, log } = serveIn(t, directory);
  assert.equal((await json()).env.FILE, "json");
  const about = log.lines.filter((line) => line.includes("beside it"));
  assert.equal(about.length, 1);
  assert.match(
    about[0],
    /wrangler\.json is used, and wrangler\.jsonc and wrangler\.toml beside it/,
  );
  for (const name of ["wrangler.jsonc", "wrangler.toml"]) {
    const given = serveIn(t, directory, { wranglerConfigPath: name });
    assert.equal((await given.json()).env.FILE, name.split(".")[1]);
    assert.deepEqual(
      given.log.lines.filter((line) => line.includes("beside it")),
      [],
    );
  }
});

test("config: comments, trailing commas and a byte order mark are allowed in .json and .jsonc", async (t) => {
  for (const name of ["wrangler.json", "wrangler.jsonc"]) {
    const text = `\uFEFF// a\n{\n  /* b */ "main": "worker.mjs",\n  "vars": { "A": "1", },\n}\n`;
    const directory = await projectOf(t, { "worker.mjs": ECHO, [name]: text });
    const { json } = serveIn(t, directory);
    assert.equal((await json()).env.A, "1", name);
  }
});

test("config: the ending of a path decides how it is read", async (t) => {
  const directory = await projectOf(t, {
    "worker.mjs": ECHO,
    "a.toml": '{ "main": "worker.mjs" }',
    "b.json": 'main = "worker.mjs"\n',
    "c.jsonc": { main: "worker.mjs", vars: { A: 1 } },
  });
  const start = (wranglerConfigPath) => serveIn(t, directory, { wranglerConfigPath });
  assert.equal((await failure(start("a.toml").mf.getPlugins())).name, "TomlError");
  const json = await failure(start("b.json").mf.getPlugins());
  assert.deepEqual([json.name, json.code], ["ConfigError", "ERR_CONFIG"]);
  assert.equal((await start("c.jsonc").json()).env.A, 1);
});

test("config: what is no JSON is shown with file, line, column and caret", async (t) => {
  const { message } = await startError(t, '{\n  "main": "worker.mjs"\n  "name": "a"\n}\n');
  assert.equal(
    message,
    'Cannot parse "./wrangler.jsonc": a comma (",") was expected at 3:3.\n\n    "name": "a"\n    ^',
  );
  assert.match((await startError(t, "[1]")).message, /it must hold one object/);
  assert.match((await startError(t, '{ "a": \n')).message, /a value was expected at 2:1|a closing/);
});

test("config: a file that is missing is an error only if it is named", async (t) => {
  const directory = await projectOf(t, { "worker.mjs": ECHO });
  const scriptPath = "worker.mjs";
  const { json } = serveIn(t, directory, { scriptPath });
  assert.deepEqual((await json()).env, {});
  const { mf } = serveIn(t, directory, { scriptPath, wranglerConfigPath: "none.jsonc" });
  assert.equal((await failure(mf.getPlugins())).code, "ENOENT");
});

/** What the options of each plugin are, but for those that name files or that only one of the two has. */
async function optionsOf(mf) {
  const plugins = await mf.getPlugins();
  const shown = {};
  for (const [name, plugin] of Object.entries(plugins)) {
    for (const key of plugin.opts?.keys() ?? []) {
      const value = plugin[key];
      if (value === undefined || key === "wranglerConfigPath" || key === "rootPath") continue;
      shown[`${name}.${String(key)}`] = value;
    }
  }
  return shown;
}

/** Every key that Miniflare 2 reads, as JSON and as TOML. */
const EVERY_KEY = {
  name: "all",
  compatibility_date: "2022-02-02",
  compatibility_flags: ["formdata_parser_supports_files"],
  usage_model: "unbound",
  workers_dev: true,
  route: "a.example/*",
  routes: [{ pattern: "b.example/*" }, { pattern: "c.example/*" }],
  build: {
    command: "true",
    watch_dir: ["src"],
    upload: {
      format: "modules",
      dir: "",
      main: "worker.mjs",
      rules: [{ type: "Text", globs: ["**/*.md"], fallthrough: true }],
    },
  },
  vars: { A: "a", B: "b" },
  kv_namespaces: [{ binding: "KV", id: "1" }],
  r2_buckets: [{ binding: "R2", bucket_name: "r2" }],
  d1_databases: [{ binding: "D1", database_name: "d1", database_id: "1" }],
  site: { bucket: "site", include: ["*.html"], exclude: ["*.txt"] },
  queues: {
    producers: [{ binding: "Q", queue: "q" }],
    consumers: [{ queue: "q", batch_size: 2, batch_timeout: 3, message_retries: 4 }],
  },
  durable_objects: {
    bindings: [
      { name: "ROOM", class_name: "Room" },
      { name: "FAR", class_name: "Far", script_name: "mount" },
    ],
  },
  services: [{ binding: "SVC", service: "mount", environment: "production" }],
  triggers: { crons: ["0 0 * * *"] },
  text_blobs: { TEXT: "text.txt" },
  data_blobs: { DATA: "text.txt" },
  miniflare: {
    globals: { G: 1 },
    upstream: "https://example.com",
    host: "127.0.0.1",
    port: 1234,
    open: false,
    https: false,
    kv_persist: false,
    cache: false,
    cache_persist: "./cache",
    d1_persist: false,
    r2_persist: false,
    durable_objects_persist: "./do",
    durable_objects_alarms: false,
    env_path: ".env.test",
    live_reload: false,
    update_check: false,
    cf_fetch: false,
    mounts: { mount: "./mount" },
    route: "d.example/*",
    global_async_io: true,
    global_timers: true,
    global_random: true,
    actual_time: true,
    inaccurate_cpu: false,
  },
};

const CLASSIC = `export class Room {}\nexport default { fetch: () => new Response("") };`;
const AROUND = {
  "worker.mjs": CLASSIC,
  "text.txt": "text",
  ".env.test": "E=e\n",
  "site/index.html": "",
  "mount/worker.mjs": "export class Far {}\nexport default { fetch: () => new Response() };",
  "mount/package.json": { module: "worker.mjs" },
  "mount/wrangler.toml": '[build.upload]\nformat = "modules"\n',
};

test("config: each key of JSON gives the options that Miniflare 2 takes from TOML", async (t) => {
  const { stringify } = await import("@iarna/toml");
  const toml = (config) => stringify.default?.(config) ?? stringify(config);
  const theirs = await projectOf(t, { ...AROUND, "wrangler.toml": toml(EVERY_KEY) });
  const ours = await projectOf(t, { ...AROUND, "wrangler.jsonc": EVERY_KEY });
  const sameToml = await projectOf(t, { ...AROUND, "wrangler.toml": toml(EVERY_KEY) });
  const reference = new Miniflare2({
    wranglerConfigPath: true,
    rootPath: theirs,
    log: new LinesLog(),
  });
  t.after(() => reference.dispose());
  const relative = (value, directory) =>
    JSON.parse(JSON.stringify(value).replaceAll(directory, "."));
  const expected = relative(await optionsOf(reference), theirs);
  assert.ok(Object.keys(expected).length > 45, String(Object.keys(expected).length));
  for (const directory of [ours, sameToml]) {
    const { mf } = serveIn(t, directory);
    const options = relative(await optionsOf(mf), directory);
    delete options["CorePlugin.configuration"];
    delete options["CorePlugin.mounts"].mount.mountedAs;
    assert.deepEqual(options, expected);
  }
});

test("config: durable objects, variables, rules and mounts of today's keys", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.jsonc": {
      $schema: "node_modules/wrangler/config-schema.json",
      name: "app",
      main: "src/worker.mjs",
      compatibility_date: "2026-04-01",
      observability: { enabled: true },
      rules: [{ type: "Text", globs: ["**/*.md"], fallthrough: true }],
      ...CLASSES,
      vars: { TEXT: "a", JSON: { deep: [1] }, NUMBER: 1 },
      kv_namespaces: [{ binding: "KV" }],
    },
    "src/worker.mjs": `import note from "./note.md";\nimport page from "./page.html";\n${ECHO.replace("now: Date.now() > 0", "note, page")}`,
    "src/note.md": "note",
    "src/page.html": "page",
  });
  const { json, log } = serveIn(t, directory);
  assert.deepEqual(await json(), {
    env: {
      ROOM: "DurableObjectNamespace",
      KV: "KVNamespace",
      TEXT: "a",
      JSON: { deep: [1] },
      NUMBER: 1,
    },
    room: "a",
    note: "note",
    page: "page",
  });
  assert.deepEqual(
    log.lines.filter((line) => line.includes("wrn")),
    [],
  );
});

test("config: main is the worker only without a script option, and is a module", async (t) => {
  const answer = (text) => `export default { fetch: () => new Response("${text}") };`;
  const files = {
    "main.js": answer("main"),
    "other.mjs": answer("other"),
    "package.mjs": answer("package"),
    "package.json": { main: "package.mjs", module: "package.mjs" },
  };
  for (const [name, text] of [
    ["wrangler.jsonc", '{ "main": "main.js" }'],
    ["wrangler.toml", 'main = "main.js"\n'],
  ]) {
    const directory = await projectOf(t, { ...files, [name]: text });
    const body = (options) => serveIn(t, directory, { packagePath: true, ...options }).text();
    assert.equal(await body({}), "main", name);
    assert.equal(await body({ scriptPath: "other.mjs" }), "other", name);
    assert.equal(await body({ script: answer("string") }), "string", name);
  }
});

test("config: a script that imports or exports is a module without the option, another one is not", async (t) => {
  const directory = await projectOf(t, {
    "module.js": 'export default { fetch: () => new Response("module") };',
    "script.js":
      '// export default\naddEventListener("fetch", (e) => e.respondWith(new Response("script")));',
  });
  await addFiles(directory, {
    // What only a script may have makes it one, whatever its comments look like.
    "sloppy.js": `/*\nexport default {}\n*/\nconst eight = 010;\naddEventListener("fetch", (e) => e.respondWith(new Response("sloppy")));`,
  });
  for (const name of ["module", "script", "sloppy"]) {
    assert.equal(await serveIn(t, directory, { scriptPath: `${name}.js` }).text(), name);
  }
  const { mf } = serveIn(t, directory, { scriptPath: "module.js", modules: false });
  assert.equal((await failure(mf.getPlugins())).name, "SyntaxError");
});

test("config: an environment has what it says, and in JSON inherits no bindings and variables", async (t) => {
  const config = {
    main: "worker.mjs",
    compatibility_date: "2026-04-01",
    ...CLASSES,
    vars: { A: "top" },
    env: {
      staging: { vars: { A: "staging" }, main: "staging.mjs" },
      same: { durable_objects: CLASSES.durable_objects, vars: {} },
    },
  };
  const directory = await projectOf(t, {
    "wrangler.jsonc": config,
    "worker.mjs": ECHO,
    "staging.mjs": ECHO,
  });
  const top = serveIn(t, directory);
  assert.deepEqual((await top.json()).env, { A: "top", ROOM: "DurableObjectNamespace" });
  const staging = serveIn(t, directory, { wranglerConfigEnv: "staging" });
  assert.deepEqual((await staging.json()).env, { A: "staging" });
  assert.equal((await staging.mf.getPlugins()).CorePlugin.compatibilityDate, "2026-04-01");
  assert.match((await staging.mf.getPlugins()).CorePlugin.scriptPath, /staging\.mjs$/);
  const about = staging.log.lines.filter((line) => line.includes("does not inherit"));
  assert.equal(about.length, 1);
  assert.match(about[0], /"durable_objects" exists at the top level, but not in "env\.staging"/);
  const same = serveIn(t, directory, { wranglerConfigEnv: "same" });
  assert.deepEqual((await same.json()).env, { ROOM: "DurableObjectNamespace" });
});

test("config: an environment of TOML inherits all, as in Miniflare 2", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.toml": 'main = "worker.mjs"\n[vars]\nA = "top"\n[env.staging]\nname = "staging"\n',
    "worker.mjs": ECHO,
  });
  const { json } = serveIn(t, directory, { wranglerConfigEnv: "staging" });
  assert.deepEqual((await json()).env, { A: "top" });
});

test("config: an environment that JSON lacks is named with those that exist", async (t) => {
  const of = async (env) =>
    (await startError(t, { env }, {}, { wranglerConfigEnv: "nope" })).message;
  assert.equal(
    await of({ a: {}, b: {} }),
    'There is no environment "nope" in "./wrangler.jsonc". It has "a", "b".',
  );
  assert.equal(
    await of(undefined),
    'There is no environment "nope" in "./wrangler.jsonc". Add "env": { "nope": {} }.',
  );
  assert.match(await of("a"), /"env" in "[^"]*" must be an object/);
  assert.equal(await of({ nope: "a" }), '"env.nope" must be an object of settings.');
});

test("config: mounts have configuration files too, by directory and by options", async (t) => {
  const mount = {
    "wrangler.jsonc": {
      name: "far",
      main: "far.mjs",
      vars: { A: "far" },
      migrations: [{ tag: "v1", new_sqlite_classes: ["Far"] }],
      durable_objects: { bindings: [{ name: "FAR", class_name: "Far" }] },
      env: { b: { vars: { A: "b" } } },
    },
    "far.mjs": `import { DurableObject } from "cloudflare:workers";
      export class Far extends DurableObject { where() { return "far " + this.env.A; } }
      export default { fetch: (request, env) => new Response(env.A) };`,
  };
  const directory = await projectOf(t, {
    "wrangler.jsonc": {
      main: "worker.mjs",
      durable_objects: { bindings: [{ name: "FAR", class_name: "Far", script_name: "far" }] },
      services: [{ binding: "SVC", service: "far" }],
      miniflare: { mounts: { far: "./far@b" } },
    },
    "worker.mjs": `export default { fetch: async (request, { FAR, SVC }) =>
      Response.json([await FAR.getByName("a").where(), await (await SVC.fetch(request)).text()]) };`,
  });
  const mounted = path.join(directory, "far");
  await addFiles(mounted, mount);
  const inFile = serveIn(t, directory);
  assert.deepEqual(await inFile.json(), ["far b", "b"]);
  for (const far of [mounted, { rootPath: mounted, wranglerConfigPath: true }]) {
    const byOption = serveIn(t, directory, { mounts: { far } });
    assert.deepEqual(await byOption.json(), ["far far", "far"]);
    const { DurableObjectsPlugin } = await (await byOption.mf.getMount("far")).getPlugins();
    assert.deepEqual(DurableObjectsPlugin.durableObjectsClasses, { Far: { sqlite: true } });
  }
});

test("config: reload() and setOptions() read the file that counts then", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.toml": 'main = "worker.mjs"\n[vars]\nA = "toml"\n',
    "worker.mjs": ECHO,
  });
  const { mf, json } = serveIn(t, directory);
  assert.equal((await json()).env.A, "toml");
  await addFiles(directory, { "wrangler.jsonc": { main: "worker.mjs", vars: { A: "1" } } });
  await mf.reload();
  assert.equal((await json()).env.A, "1");
  await addFiles(directory, { "wrangler.jsonc": { main: "worker.mjs", vars: { A: "2" } } });
  await mf.setOptions({ bindings: { B: "b" } });
  assert.deepEqual((await json()).env, { A: "2", B: "b" });
  await addFiles(directory, { "other.json": { main: "worker.mjs", vars: { A: "3" } } });
  await mf.setOptions({ wranglerConfigPath: "other.json" });
  assert.deepEqual((await json()).env, { A: "3", B: "b" });
});

test("config: migrations give each class and whether it is SQLite-backed, in the order of the steps", async (t) => {
  const migrations = [
    { tag: "v1", new_classes: ["Kv", "Gone"], new_sqlite_classes: ["Sql", "Old"] },
    // The steps of one migration do not depend on their order in the file.
    {
      tag: "v2",
      new_sqlite_classes: ["Gone"],
      renamed_classes: [{ from: "Old", to: "New" }],
      deleted_classes: ["Gone"],
    },
    { tag: "v3", transferred_classes: [{ from: "X", from_script: "y", to: "Z" }] },
  ];
  const expected = {
    Kv: { sqlite: false },
    Sql: { sqlite: true },
    New: { sqlite: true },
    Gone: { sqlite: true },
  };
  assert.deepEqual(await classesOf(t, { main: "worker.mjs", migrations }), expected);
  const toml = 'main = "worker.mjs"\n[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Room"]\n';
  assert.deepEqual(await classesOf(t, toml, "wrangler.toml"), { Room: { sqlite: true } });
  assert.equal(await classesOf(t, { main: "worker.mjs" }), undefined);
});

test("config: a migration that cannot be applied is an error with its step and class", async (t) => {
  const texts = [
    [
      [{ deleted_classes: ["A"] }],
      "Cannot apply deleted_classes migration to non-existent class A",
    ],
    [
      [{ renamed_classes: [{ from: "A", to: "B" }] }],
      "Cannot apply renamed_classes migration to non-existent class A",
    ],
    [
      [{ new_classes: ["A"] }, { new_classes: ["A"] }],
      "Cannot apply new_classes migration to existing class A",
    ],
    [
      [{ new_classes: ["A"], new_sqlite_classes: ["A"] }],
      "Cannot apply new_sqlite_classes migration to existing class A",
    ],
    [
      [{ new_classes: ["A"], deleted_classes: ["A"] }],
      "Cannot apply deleted_classes migration to non-existent class A",
    ],
    [{}, '"migrations" must be an array of steps, such as [{ "tag": "v1", … }].'],
    [
      [{ tag: "v1", new_sqlite_clases: ["A"] }],
      '"new_sqlite_clases" in "migrations" has no effect. Did you mean "new_sqlite_classes"?',
    ],
    [[1], 'A step of "migrations" must be an object, not 1.'],
    [
      [{ new_classes: "A" }],
      '"new_classes" in "migrations" must be an array of class names, not "A".',
    ],
    [
      [{ renamed_classes: ["A"] }],
      '"renamed_classes" in "migrations" must be an array of { "from": "Old", "to": "New" }, not ["A"].',
    ],
  ];
  for (const [migrations, text] of texts) {
    const { error, message } = await startError(t, { migrations });
    assert.deepEqual([error.name, error.code, message], ["ConfigError", "ERR_CONFIG", text]);
  }
});

test("config: exports of classes that live give the same, others are passed over", async (t) => {
  const exports = {
    Room: { type: "durable-object", storage: "sqlite" },
    Kv: { type: "durable-object", storage: "legacy-kv", state: "created" },
    Coming: {
      type: "durable-object",
      storage: "sqlite",
      state: "expecting-transfer",
      transfer_from: "a",
    },
    Gone: { type: "durable-object", state: "deleted" },
    Old: { type: "durable-object", state: "renamed", renamed_to: "Room" },
    Away: { type: "durable-object", state: "transferred", transferred_to: "b" },
    default: { type: "worker" },
  };
  assert.deepEqual(await classesOf(t, { main: "worker.mjs", exports }), {
    Room: { sqlite: true },
    Kv: { sqlite: false },
    Coming: { sqlite: true },
  });
});

test("config: exports that cannot be are an error", async (t) => {
  const of = async (config) => (await startError(t, config)).message;
  assert.equal(
    await of({ exports: {}, migrations: [] }),
    '"exports" and "migrations" exclude each other: a configuration has one of them. Delete "migrations" to use "exports".',
  );
  assert.equal(
    await of({ exports: { A: { type: "durable-object" } } }),
    '"exports.A.storage" must be one of "sqlite", "legacy-kv", not undefined.',
  );
  assert.match(
    await of({ exports: { A: { type: "durable-object", storage: "sqlite", state: "x" } } }),
    /^"exports\.A\.state" must be one of "created", [^\n]* not "x"\.$/,
  );
  assert.match(await of({ exports: [] }), /^"exports" must be an object/);
});

test("config: a class of new_sqlite_classes is SQLite-backed, and keeps keys and values beside its tables", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.jsonc": { main: "worker.mjs", ...CLASSES },
    "worker.mjs": ECHO,
  });
  const { mf } = serveIn(t, directory);
  const stub = (await mf.getDurableObjectNamespace("ROOM")).getByName("a");
  const storage = await mf.getDurableObjectStorage(stub.id);
  await storage.put("key", "value");
  assert.equal(await storage.get("key"), "value");
  assert.deepEqual(await stub.query(), [{ 1: 1 }]);
});

test("config: values of the wrong kind are named with their key", async (t) => {
  const of = async (config) => (await startError(t, config)).message;
  assert.equal(
    await of({ main: 1 }),
    '"main" in wrangler.jsonc must be the path of the worker\'s script, not 1.',
  );
  assert.match(
    await of({ main: "src/entry.py" }),
    /^"main" in wrangler\.jsonc is "src\/entry\.py": only JavaScript and TypeScript can be run\./,
  );
  assert.match(await of({ rules: {} }), /^"rules" in wrangler\.jsonc must be an array/);
  assert.match(await of({ vars: [] }), /^"vars" must be an object/);
  for (const bindings of ["a", [{ name: "A" }], [null]]) {
    assert.match(
      await of({ durable_objects: { bindings } }),
      /^"durable_objects\.bindings" must be an array of \{ "name": "ROOM", "class_name": "Room" \}, not /,
    );
  }
  assert.match(
    await of({ main: "none.mjs" }),
    /none\.mjs": it does not exist\. It is "main" in wrangler\.jsonc/,
  );
});

test("config: what cannot be had is one line that names the key, and unknown keys do not stop it", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.jsonc": {
      main: "worker.mjs",
      ai: { binding: "AI" },
      assets: { directory: "public" },
      durable_object: {},
      something_else: true,
    },
    "worker.mjs": ECHO,
  });
  const { json, log } = serveIn(t, directory);
  assert.deepEqual((await json()).env, {});
  const warnings = log.lines.filter((line) => line.includes("wrangler.jsonc"));
  assert.deepEqual(
    warnings.map((line) => line.replace(/^.*?(?=")/, "")),
    [
      '"ai" in wrangler.jsonc is not supported: its bindings are missing. Give stand-ins with the option "bindings", or run "wrangler dev": https://developers.cloudflare.com/workers/development-testing/bindings-per-env/',
      '"assets" in wrangler.jsonc is not supported: no files are served. Serve them from the worker, or run "wrangler dev": https://developers.cloudflare.com/workers/development-testing/bindings-per-env/',
      '"durable_object" in wrangler.jsonc is not known. Did you mean "durable_objects"?',
    ],
  );
});

test("config: an unmodified Miniflare 2 in the same process reads TOML as before, and no JSON", async (t) => {
  const directory = await projectOf(t, {
    "wrangler.jsonc": { main: "worker.mjs", vars: { A: "json" } },
    "other.toml": '[vars]\nA = "toml"\n',
    "other.json": "{}",
    "worker.mjs": CLASSIC,
  });
  await serveIn(t, directory, { script: ECHO }).json();
  const bindings = async (wranglerConfigPath) => {
    const mf = new Miniflare2({
      rootPath: directory,
      wranglerConfigPath,
      scriptPath: "worker.mjs",
      modules: true,
    });
    t.after(() => mf.dispose().catch(() => {}));
    return mf.getBindings();
  };
  assert.deepEqual(await bindings("other.toml"), { A: "toml" });
  assert.equal((await failure(bindings("other.json"))).name, "TomlError");
});

test("config: a class of migrations that the configured script does not export is one warning", async (t) => {
  const migrations = [
    { tag: "v1", new_sqlite_classes: ["Old", "Othr"], new_classes: ["Gone", "Alone"] },
    { tag: "v2", renamed_classes: [{ from: "Old", to: "Room" }], deleted_classes: ["Gone"] },
  ];
  const file = { main: "worker.mjs", compatibility_date: "2026-04-01", migrations };
  const warnings = async (config, options) => {
    const root = await projectOf(t, { "worker.mjs": ECHO, "b.mjs": ECHO, "wrangler.json": config });
    const { mf, log, json } = serveIn(t, root, options);
    await json();
    await mf.reload();
    return log.lines.filter((line) => line.includes("migrations"));
  };
  const warned = await warnings(file);
  assert.equal(warned.length, 2, warned.join("\n"));
  assert.match(
    warned.join("\n"),
    /"Othr" \(new_sqlite_classes of "migrations" in wrangler\.json\) is missing: the script does not export it\. Did you mean "Other"\? Export/,
  );
  assert.match(warned.join("\n"), /"Alone" \(new_classes of .* export it\. Export it, or correct/);
  assert.deepEqual(await warnings(file, { scriptPath: "b.mjs" }), []);
  assert.deepEqual(await warnings({ ...file, migrations: undefined }), []);
});
