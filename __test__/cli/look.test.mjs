// What the command shows: the start of a worker, and on a terminal tables, marks, questions and progress.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Miniflare } from "ferroflare";
import { withProgress } from "../../dist/cli/progress.js";
import { bin, start, temporaryDirectory, until } from "../support/cli.mjs";
import { options, storageOf } from "../support/files.mjs";

const WORKER = `
export class Counter {}
export default { fetch: () => new Response("served") };
`;
/** What begins the control sequences of a terminal. */
const ESCAPE = "\x1b";
/** Makes a program take its streams for a terminal. */
const TTY = `for (const name of ["stdin", "stdout"]) Object.defineProperty(process[name], "isTTY", { value: true });`;

async function project(t, files = {}) {
  const cwd = await temporaryDirectory(t);
  const all = { "worker.mjs": WORKER, "tty.cjs": TTY, ...files };
  for (const [name, text] of Object.entries(all)) await writeFile(path.join(cwd, name), text);
  const onTerminal = (args, more) =>
    start(process.execPath, ["--require", path.join(cwd, "tty.cjs"), bin, ...args], {
      cwd,
      ...more,
    }).ended;
  return { cwd, onTerminal };
}

/** Starts a worker as a user does, with no more options than these; resolves when it listens. */
async function serve(t, cwd, args) {
  const running = start(process.execPath, [bin, ...args, "--port", "0"], { cwd });
  t.after(() => {
    running.child.kill("SIGKILL");
    return running.ended;
  });
  const found = await until(
    () => /Listening on (\S*):(\d+)/.exec(running.output.stdout) ?? undefined,
    "the server to listen",
  );
  return { ...running, host: found[1], port: Number(found[2]) };
}

test("look: a start says the version, the bindings, where data is, and the address, and later that it has reloaded", async (t) => {
  const { cwd } = await project(t);
  const args = ["worker.mjs", "--do", "COUNTER=Counter", "--kv", "CACHE", "--binding", "A=1"];
  const running = await serve(t, cwd, [...args, "--do-persist", "./data", "--watch"]);
  const lines = running.output.stdout.split("\n");
  assert.match(lines[0], /^ferroflare \d+\.\d+\.\d+$/);
  assert.deepEqual(lines.slice(1, 6), [
    "  Bindings  COUNTER  Durable Object, class Counter",
    "            CACHE    KV namespace",
    "            A        variable",
    `  Data      ${path.join(cwd, "data")}`,
    "",
  ]);
  assert.match(lines[6], /^\[mf:inf\] Ready \(\d+B\)$/);
  assert.equal(lines[7], `[mf:inf] Listening on 127.0.0.1:${running.port}`);
  assert.equal(lines[8], `[mf:inf] - http://127.0.0.1:${running.port}`);
  assert.doesNotMatch(running.output.stdout, /reloaded/i);
  assert.ok(!running.output.stdout.includes(ESCAPE));
  await writeFile(path.join(cwd, "worker.mjs"), `${WORKER}\n`);
  const reloaded = () => /^\[mf:inf\] Reloaded \(\d+B\)$/m.test(running.output.stdout) || undefined;
  await until(reloaded, "the reload");
});

test("look: a start says which classes are SQLite-backed, and of each mount that it is ready", async (t) => {
  const { cwd } = await project(t);
  await mkdir(path.join(cwd, "api"));
  const mounted = {
    "package.json": '{ "main": "worker.mjs" }',
    "worker.mjs": "export class Room {}\nexport default {};\n",
    "wrangler.jsonc":
      '{ "main": "worker.mjs", "migrations": [{ "new_sqlite_classes": ["Room"] }] }',
  };
  for (const [name, text] of Object.entries(mounted)) {
    await writeFile(path.join(cwd, "api", name), text);
  }
  const bound = ["--do", "COUNTER=Counter", "--do", "KEPT=Kept", "--do", "ROOM=Room@api"];
  await writeFile(path.join(cwd, "worker.mjs"), `${WORKER}export class Kept {}\n`);
  const args = ["worker.mjs", ...bound, "--do-sqlite", "KEPT", "--mount", "api=./api", "--watch"];
  const running = await serve(t, cwd, args);
  const lines = running.output.stdout.split("\n");
  assert.deepEqual(lines.slice(2, 5), [
    "  Bindings  COUNTER  Durable Object, class Counter",
    "            KEPT     Durable Object, class Kept (SQLite)",
    "            ROOM     Durable Object, class Room of api (SQLite)",
  ]);
  const all = () => running.output.stdout;
  assert.match(all(), /\[mf:inf:api\] Ready \(\d+B\)\n\[mf:inf\] Ready \(\d+B\)\n/);
  assert.doesNotMatch(all(), /reloaded/i);
  await writeFile(path.join(cwd, "api", "worker.mjs"), "export class Room {}\nexport default {}\n");
  const reloaded = /\[mf:inf:api\] Reloaded \(\d+B\)\n\[mf:inf\] Reloaded \(\d+B\)\n/;
  await until(() => reloaded.test(all()) || undefined, "the reload of the mount");
});

test("look: the help says what is off unless it is asked for", async (t) => {
  const { cwd } = await project(t);
  const { stdout } = await start(process.execPath, [bin, "--help"], { cwd }).ended;
  assert.match(
    stdout,
    /--\(no-\)update-check Look for a new version at the start \(off by default\)/,
  );
  assert.match(stdout, /--\(no-\)cf-fetch +Fetch Request\.cf .*\(off by default\)/);
});

test("look: the command listens for this machine alone, unless a host is named", async (t) => {
  const { cwd } = await project(t);
  const { host, port } = await serve(t, cwd, ["worker.mjs"]);
  assert.equal(host, "127.0.0.1");
  const addresses = Object.values(os.networkInterfaces()).flat();
  const outside = addresses.find(({ internal, family }) => !internal && family === "IPv4");
  if (outside) {
    const code = await new Promise((resolve) => {
      const socket = net.connect(port, outside.address);
      socket.on("connect", () => resolve("connected")).on("error", (error) => resolve(error.code));
      t.after(() => socket.destroy());
    });
    assert.notEqual(code, "connected");
  }
  assert.equal((await serve(t, cwd, ["worker.mjs", "--host", "0.0.0.0"])).host, "0.0.0.0");
  await writeFile(path.join(cwd, "wrangler.toml"), '[miniflare]\nhost = "0.0.0.0"\n');
  assert.equal((await serve(t, cwd, ["worker.mjs"])).host, "0.0.0.0");
});

async function withObjects(t) {
  const made = await project(t);
  const root = path.join(made.cwd, "data");
  const mf = new Miniflare({ ...options, durableObjectsPersist: root });
  const { id, storage } = await storageOf(mf, "a");
  await storage.put("key", 1);
  await mf.dispose();
  return { ...made, root, id };
}

test("look: objects list has a header, columns, a count and the next command on a terminal", async (t) => {
  const { onTerminal, root, id } = await withObjects(t);
  const place = ["--do-persist", root];
  const { code, stdout } = await onTerminal(["objects", "list", "OBJECT", "--keys", ...place], {
    env: { NO_COLOR: "1" },
  });
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `BINDING  ${"ID".padEnd(64)}  KEYS       NAME
OBJECT   ${id}  1 key

1 object in ${root}. To see what one holds:

  npx ferroflare objects show OBJECT ${id} --do-persist ${root}

Where idFromName() has made the id, --id-from-name NAME stands for it.
`,
  );
  const coloured = await onTerminal(["objects", "list", ...place], { env: { FORCE_COLOR: "1" } });
  assert.ok(coloured.stdout.startsWith(`${ESCAPE}[1mBINDING`), coloured.stdout);
  const none = await onTerminal(["objects", "list", "OBJCET", ...place]);
  assert.match(none.stderr, /^There are no objects of OBJCET in .*\. Did you mean "OBJECT"\?\n$/);
  const piped = await start(process.execPath, [bin, "objects", "list", "OBJECT", ...place]).ended;
  assert.equal(piped.stdout, `OBJECT ${id}\n`);
});

test("look: objects delete asks on a terminal, and takes only yes for it", async (t) => {
  const { onTerminal, root, id } = await withObjects(t);
  const place = ["--do-persist", root];
  for (const args of [["OBJECT", id], ["--all"]]) {
    const { code, stdout } = await onTerminal(["objects", "delete", ...args, ...place], {
      input: "n\n",
    });
    assert.equal(code, 0);
    assert.match(stdout, /Delete .*\? \[y\/N\][\s\S]*Nothing was deleted\.\n$/);
  }
  const deleted = await onTerminal(["objects", "delete", "OBJECT", id, ...place], { input: "y\n" });
  assert.match(deleted.stdout, /Deleted OBJECT/);
  const left = await start(process.execPath, [bin, "objects", "list", ...place]).ended;
  assert.equal(left.stdout, "");
});

test("look: doctor and init have marks on a terminal, and doctor ends with a line", async (t) => {
  const { onTerminal } = await project(t, { "package.json": '{ "name": "user" }\n' });
  const env = { NO_COLOR: "1", npm_config_user_agent: undefined };
  const doctor = await onTerminal(["doctor"], { env });
  assert.equal(doctor.code, 0);
  const lines = doctor.stdout.trimEnd().split("\n");
  assert.equal(lines.at(-1), "Everything works.");
  assert.ok(
    lines.slice(0, -2).every((line) => line.startsWith("✔ ")),
    doctor.stdout,
  );
  const init = await onTerminal(["init", "--yes"], { env });
  assert.match(init.stdout, /^✔ Wrote .*package\.json\.$/m);
  assert.match(init.stdout, /\nNext, [^\n]*:\n\n {2}npm install\n {2}npx ferroflare doctor\n$/);
});

test("look: work that takes longer than a second says on a terminal how far it is", async (t) => {
  const written = [];
  const { isTTY, write } = process.stderr;
  t.after(() => Object.assign(process.stderr, { isTTY, write }));
  const run = async (terminal) => {
    written.length = 0;
    let told;
    const asked = new Promise((resolve) => {
      told = resolve;
    });
    process.stderr.isTTY = terminal;
    process.stderr.write = (text) => written.push(text);
    const text = () => {
      told();
      return "Imported 5 objects";
    };
    const result = await withProgress(text, async () => (terminal ? asked : undefined));
    Object.assign(process.stderr, { isTTY, write });
    return result;
  };
  await run(true);
  assert.deepEqual(written, ["\r\x1b[KImported 5 objects …", "\r\x1b[K"]);
  await run(false);
  assert.deepEqual(written, []);
});
