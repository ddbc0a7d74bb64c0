// Watched directories: stored data that lies in them builds and reloads nothing, and a changed source does.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Log, LogLevel } from "@miniflare/shared";
import { Miniflare } from "ferroflare";
import { Watcher } from "../../dist/miniflare/watch/watcher.js";
import { runCli, startCli, temporaryDirectory, until } from "../support/cli.mjs";

const source = (answer) => `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch() {
    const count = ((await this.storage.get("count")) ?? 0) + 1;
    await this.storage.put("count", count);
    return new Response("${answer} " + count);
  }
}
export default {
  async fetch(request, env) {
    await env.KV?.put("key", String(Math.random()));
    const cached = new Request("http://localhost/cached");
    const headers = { "cache-control": "max-age=3600" };
    await caches.default.put(cached, new Response("cached", { headers }));
    return env.COUNTER.get(env.COUNTER.idFromName(request.url)).fetch(request);
  }
}`;

async function project(t) {
  const cwd = await temporaryDirectory(t);
  const outside = await temporaryDirectory(t);
  const log = path.join(outside, "builds.txt");
  const env = path.join(outside, "env");
  await writeFile(env, "A=1");
  await writeFile(path.join(cwd, "worker.mjs"), source("old"));
  await mkdir(path.join(cwd, "src"));
  await writeFile(path.join(cwd, "src", "part.txt"), "a");
  const builds = async () => (existsSync(log) ? (await readFile(log, "utf8")).length : 0);
  /** Changes a watched file outside: what was written before would build or reload first. */
  const touch = () => writeFile(env, "A=2");
  return { cwd, builds, command: `printf x >> ${log}`, env, touch };
}

/** Notes each change of a watched path that Miniflare has been told of. */
class ChangeLog extends Log {
  changes = [];

  constructor() {
    super(LogLevel.DEBUG);
  }

  log(line) {
    const [, file] = /(\S+) changed\.\.\./.exec(line) ?? [];
    if (file !== undefined) this.changes.push(path.basename(file));
  }
}

/** How often a worker has been reloaded, by the log of the command. */
const reloads = ({ output }) => output.stdout.split("Reloaded").length - 1;

/** Writes through five requests, and expects no build; then changes a source in each given place, and expects one. */
async function assertDeaf(t, args, { changes = ["src/part.txt", "src/new/deep.txt"], cwd, ...at }) {
  const build = ["--build-command", at.command, "--build-watch-path", "."];
  const cli = await startCli(
    t,
    [
      "worker.mjs",
      "--watch",
      "--env",
      at.env,
      ...build,
      "--do",
      "COUNTER=Counter",
      "--kv",
      "KV",
      ...args,
    ],
    { cwd },
  );
  const before = { builds: await at.builds(), reloads: reloads(cli) };
  for (let i = 1; i <= 5; i++) assert.match(await cli.text(`/${i}`), /^old 1$/);
  await at.touch();
  await until(() => (reloads(cli) > before.reloads ? true : undefined), "the reload after touch()");
  const expected = { builds: before.builds, reloads: before.reloads + 1 };
  assert.deepEqual({ builds: await at.builds(), reloads: reloads(cli) }, expected, args.join(" "));
  for (const change of changes) {
    const built = await at.builds();
    const reloaded = reloads(cli);
    await mkdir(path.dirname(path.join(cwd, change)), { recursive: true });
    await writeFile(path.join(cwd, change), `changed ${change}`);
    await until(async () => ((await at.builds()) > built ? true : undefined), `build of ${change}`);
    await until(() => (reloads(cli) > reloaded ? true : undefined), `reload after ${change}`);
  }
  await cli.end("SIGTERM");
}

test("watch: objects in the watched directory build nothing when they write, and sources beside them do", async (t) => {
  await assertDeaf(t, ["--do-persist", "./data"], await project(t));
});

test("watch: the default directories of objects, KV and cache build nothing", async (t) => {
  await assertDeaf(t, ["--do-persist", "--kv-persist", "--cache-persist"], await project(t));
});

test("watch: directories of data below a directory of sources build nothing, and sources beside them do", async (t) => {
  const args = [
    "--do-persist",
    "./src/data/do",
    "--kv-persist",
    "./src/data/kv",
    "--cache-persist",
    "./other",
  ];
  const changes = ["src/part.txt", "src/data/source.txt"];
  await assertDeaf(t, args, { ...(await project(t)), changes });
});

test("watch: objects that lie beside the sources, in the root itself, build nothing", async (t) => {
  await assertDeaf(t, ["--do-persist", ".", "--no-kv-persist"], await project(t));
});

test("watch: data behind a symbolic link builds nothing", async (t) => {
  const made = await project(t);
  await mkdir(path.join(made.cwd, "real"));
  await symlink("real", path.join(made.cwd, "link"));
  await assertDeaf(t, ["--do-persist", "./link/data"], made);
});

test("watch: data in the directory of a site reloads nothing, and a changed file of the site does", async (t) => {
  const { cwd, env, touch } = await project(t);
  const site = path.join(cwd, "site");
  await mkdir(site);
  await writeFile(path.join(site, "page.txt"), "old");
  let reloaded = 0;
  const log = new ChangeLog();
  const mf = new Miniflare({
    log,
    rootPath: cwd,
    scriptPath: "worker.mjs",
    modules: true,
    watch: true,
    sitePath: "site",
    envPath: env,
    durableObjects: { COUNTER: "Counter" },
    durableObjectsPersist: "./site/data",
  });
  t.after(() => mf.dispose());
  mf.addEventListener("reload", () => reloaded++);
  await mf.getPlugins();
  const before = reloaded;
  for (let i = 1; i <= 5; i++) {
    assert.equal(await (await mf.dispatchFetch(`http://localhost/${i}`)).text(), "old 1");
  }
  await touch();
  await until(() => (reloaded > before ? true : undefined), "the reload after touch()");
  assert.deepEqual(log.changes, ["env"]);
  await writeFile(path.join(site, "page.txt"), "new");
  await until(
    () => (reloaded > before + 1 ? true : undefined),
    "a reload after a file of the site",
  );
});

test("watch: a mount that keeps data in its own directory reloads nothing, and its changed script does", async (t) => {
  const { cwd, env, touch } = await project(t);
  const directory = path.join(cwd, "mounted");
  await mkdir(directory);
  const script = path.join(directory, "worker.mjs");
  await writeFile(script, source("old"));
  const mount = {
    rootPath: directory,
    scriptPath: "worker.mjs",
    modules: true,
    buildCommand: "true",
    buildWatchPaths: ["."],
    durableObjects: { COUNTER: "Counter" },
    durableObjectsPersist: "./data",
    routes: ["localhost/*"],
    envPath: env,
  };
  const log = new ChangeLog();
  const mf = new Miniflare({
    log,
    rootPath: cwd,
    modules: true,
    script: "export default {}",
    watch: true,
    mounts: { mount },
  });
  t.after(() => mf.dispose());
  let reloaded = 0;
  mf.addEventListener("reload", () => reloaded++);
  const ask = async (name) => (await mf.dispatchFetch(`http://localhost/${name}`)).text();
  assert.equal(await ask("first"), "old 1");
  const before = reloaded;
  for (let i = 1; i <= 5; i++) assert.equal(await ask(i), "old 1");
  await touch();
  await until(() => (reloaded > before ? true : undefined), "the reload after touch()");
  assert.deepEqual(log.changes, ["env"]);
  await writeFile(script, source("new"));
  await until(
    async () => ((await ask(Math.random())).startsWith("new") ? true : undefined),
    "the new script",
  );
});

/** A worker of two modules, which `fetch` needs. */
const SPLIT = `
import { greeting } from "./part.mjs";
export class Counter {}
export default { fetch: () => new Response(greeting) };
`;
const greeting = (text) => `export const greeting = "${text}";\n`;

/** Asks until the answer has the text; resolves with the answer. */
const answers = (cli, text, init = { headers: { accept: "application/json" } }) =>
  until(async () => {
    const answer = await cli.text("/", init);
    return answer.includes(text) ? answer : undefined;
  }, text);

test("watch: a script that a change has broken answers with file, line and caret, until it is fixed", async (t) => {
  const cwd = await temporaryDirectory(t);
  const write = (name, content) => writeFile(path.join(cwd, name), content);
  await write("part.mjs", greeting("old"));
  await write("worker.mjs", SPLIT);
  const cli = await startCli(t, ["worker.mjs", "--watch", "--do", "COUNTER=Counter"], { cwd });
  assert.equal(await cli.text(), "old");

  await write("part.mjs", 'export const greeting = "a" b;\n');
  const broken = await answers(cli, "SyntaxError");
  assert.match(
    broken,
    /part\.mjs:1\nexport const greeting = "a" b;\n {28}\^\n\nSyntaxError: Unexp/,
  );
  assert.doesNotMatch(broken, /node_modules|dist/);
  const page = await answers(cli, "SyntaxError", { headers: { accept: "text/html" } });
  assert.match(page, /part\.mjs/);
  await write("part.mjs", greeting("new"));
  await answers(cli, "new");

  await write("worker.mjs", SPLIT.replace("greeting }", "nothing }"));
  assert.match(
    await answers(cli, "SyntaxError"),
    /worker\.mjs:2\nimport \{ nothing \} from ".\/part\.mjs";\n {9}\^{7}\n\nSyntaxError: The requested/,
  );
  await write("worker.mjs", `null.value;\n${SPLIT}`);
  assert.match(await answers(cli, "TypeError"), /\n {4}at .*worker\.mjs:1:6/);

  // A module that did not exist before is watched too.
  await write("late.mjs", "export const = 1;\n");
  await write("worker.mjs", `import "./late.mjs";\n${SPLIT}`);
  await answers(cli, "late.mjs:1");
  await write("late.mjs", "");
  await answers(cli, "new");
  assert.match(cli.output.stdout + cli.output.stderr, /late\.mjs:1\nexport const = 1;/);
});

test("watch: a broken script without modules answers with its error, and one that a caller sets rejects", async (t) => {
  const cwd = await temporaryDirectory(t);
  const script = path.join(cwd, "worker.js");
  const listener = 'addEventListener("fetch", (event) => event.respondWith(new Response("old")));';
  await writeFile(script, listener);
  const mf = new Miniflare({ scriptPath: script, watch: true, log: new ChangeLog() });
  t.after(() => mf.dispose());
  const ask = async () => (await mf.dispatchFetch("http://localhost/")).text();
  assert.equal(await ask(), "old");
  await assert.rejects(mf.setOptions({ script: "const a b;", scriptPath: undefined }), {
    name: "SyntaxError",
  });
  await mf.setOptions({ script: undefined, scriptPath: script });
  await writeFile(script, `const a b;\n${listener}`);
  const error = await until(
    () =>
      ask().then(
        () => undefined,
        (thrown) => thrown,
      ),
    "an error",
  );
  assert.match(error.stack, /worker\.js:1\nconst a b;\n {6}\^/);
  await writeFile(script, listener.replace("old", "new"));
  await until(
    () =>
      ask().then(
        (text) => text === "new" || undefined,
        () => undefined,
      ),
    "new",
  );
});

test("watch: a build that fails leaves the worker that runs, and says so", async (t) => {
  const cwd = await temporaryDirectory(t);
  const script = path.join(cwd, "worker.ts");
  const source = (text) => `export default { fetch: (): Response => new Response("${text}") };\n`;
  await writeFile(script, source("old"));
  const cli = await startCli(t, ["worker.ts", "--watch"], { cwd });
  await writeFile(script, "export default { fetch() }\n");
  const said = () => cli.output.stdout + cli.output.stderr;
  await until(() => /goes on answering/.test(said()) || undefined, "the error of the build");
  assert.match(said(), /worker\.ts:1:26: Expected "\{" but found "\}"/);
  assert.equal(await cli.text(), "old");
  await writeFile(script, source("new"));
  await answers(cli, "new");
});

test("watch: files and directories are noticed when they come, change, go and come again", async (t) => {
  const directory = await temporaryDirectory(t);
  const heard = [];
  const watcher = new Watcher((file) => heard.push(path.basename(file)));
  t.after(() => watcher.dispose());
  const at = (name) => path.join(directory, name);
  const after = async (name, change) => {
    heard.length = 0;
    await change();
    await until(() => (heard.includes(name) ? true : undefined), `a change of ${name}`);
  };
  await writeFile(at("file"), "a");
  await mkdir(at("folder"));
  watcher.watch([at("file"), at("folder"), at("later"), at("late")]);
  await after("file", () => writeFile(at("file"), "b"));
  await after("file", () => rm(at("file")));
  await after("file", () => writeFile(at("file"), "c"));
  await after("folder", () => writeFile(path.join(at("folder"), "x"), "1"));
  await after("folder", () =>
    mkdir(path.join(at("folder"), "deep", "deeper"), { recursive: true }),
  );
  await after("folder", () => writeFile(path.join(at("folder"), "deep", "deeper", "y"), "1"));
  await after("folder", () => rm(path.join(at("folder"), "deep"), { recursive: true }));
  await after("folder", () => rm(at("folder"), { recursive: true }));
  await after("folder", () => mkdir(at("folder")));
  await after("folder", () => writeFile(path.join(at("folder"), "z"), "1"));
  await after("later", () => writeFile(at("later"), "1"));
  await after("late", () => mkdir(at("late")));
  await after("late", () => writeFile(path.join(at("late"), "x"), "1"));
  watcher.unwatch(at("late"));
  heard.length = 0;
  await writeFile(path.join(at("late"), "x"), "2");
  await after("folder", () => writeFile(path.join(at("folder"), "z"), "2"));
  assert.ok(!heard.includes("late"));
});

/** Starts a project that cannot run, sees its error, then repairs it. */
async function assertRepaired(t, { files, args = ["worker.mjs"], error, page, repair }) {
  const cwd = await temporaryDirectory(t);
  const write = async (all) => {
    for (const [name, text] of Object.entries(all)) {
      await mkdir(path.dirname(path.join(cwd, name)), { recursive: true });
      await writeFile(path.join(cwd, name), text);
    }
  };
  await write(files);
  const ended = await runCli([...args, "--port", "0"], { cwd });
  assert.equal(ended.code, 1, ended.stdout);
  const cli = await startCli(t, [...args, "--watch"], { cwd });
  const said = () => cli.output.stdout + cli.output.stderr;
  await until(() => (error.test(said()) ? true : undefined), `${error} in ${said()}`);
  assert.doesNotMatch(said(), /Ready|reloaded/i);
  if (page) {
    const html = await cli.text("/", { headers: { accept: "text/html" } });
    assert.ok(html.includes(page), html.slice(0, 500));
    assert.match(await cli.text("/", { headers: { accept: "application/json" } }), error);
  }
  await write(repair);
  await answers(cli, "repaired");
  await until(() => (/Ready \(/.test(said()) ? true : undefined), "Ready");
  assert.doesNotMatch(said(), /reloaded/i);
}

test("watch: a first start that fails shows the error, answers with it, and is ready when it is repaired", async (t) => {
  const repaired = 'export const greeting = "repaired";\n';
  const good = { "part.mjs": repaired, "worker.mjs": SPLIT };
  const broken = (name, text, error) => ({
    files: { ...good, [name]: text },
    error,
    page: name,
    repair: { [name]: good[name] },
  });
  await assertRepaired(
    t,
    broken("worker.mjs", `${SPLIT}a b\n`, /worker\.mjs:5\na b\n {2}\^\n\nSyntaxError: Unexp/),
  );
  await assertRepaired(
    t,
    broken("part.mjs", "export const = 1;\n", /part\.mjs:1\nexport const = 1;/),
  );
  await assertRepaired(
    t,
    broken("part.mjs", "export {};\n", /worker\.mjs:2\nimport \{ greeting \}/),
  );
  await assertRepaired(t, broken("worker.mjs", `null.value;\n${SPLIT}`, /worker\.mjs:1:6/));
});

test("watch: so does one whose class does not exist, whose build fails, or whose mount is broken", async (t) => {
  const script =
    'export class Counter {}\nexport default { fetch: () => new Response("repaired") };\n';
  await assertRepaired(t, {
    files: { "worker.mjs": script },
    args: ["worker.mjs", "--do", "COUNTER=Conuter"],
    error: /Class "Conuter" for Durable Object "COUNTER" not found\. Did you mean "Counter"\?/,
    repair: { "worker.mjs": script.replace("Counter", "Conuter") },
  });
  const typed =
    'import { text } from "./part";\nexport default { fetch: () => new Response(text) };\n';
  await assertRepaired(t, {
    files: { "worker.ts": typed, "part.ts": "export const text = ;\n" },
    args: ["worker.ts"],
    error: /part\.ts:1:21: Unexpected ";"/,
    page: "part.ts:1:21",
    repair: { "part.ts": 'export const text: string = "repaired";\n' },
  });
  await assertRepaired(t, {
    files: {
      "worker.mjs": script,
      "api/package.json": '{ "main": "worker.mjs" }',
      "api/worker.mjs": `${script}a b\n`,
    },
    args: ["worker.mjs", "--do", "COUNTER=Counter@api", "--mount", "api=./api"],
    error: /api[/\\]worker\.mjs:3\na b\n/,
    repair: { "api/worker.mjs": script },
  });
});
