// The `ferroflare` command as a real process: its options, its errors, and its update check.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import {
  bin,
  fakeRegistry,
  fixtures,
  packageRoot,
  runCli,
  start,
  startCli,
  temporaryDirectory,
  until,
  VM_MODULES,
} from "../support/cli.mjs";

const require = createRequire(import.meta.url);
const pkg = require("ferroflare/package.json");
const objects = path.join(fixtures, "objects");
const worker = ["worker.mjs", "--do", "OBJECT1=Object1"];
const HINT = 'Run "ferroflare --help" to see the options.';

/** The option lines of a help text, by the option's name. */
function optionLines(help) {
  const lines = help.split("\n").filter((line) => /^\s+(-\w, +)?--/.test(line));
  return new Map(lines.map((line) => [/--(?:\(no-\))?([\w-]+)/.exec(line)[1], line]));
}

/** Asserts that a run failed with exactly this line. */
function assertFails(result, line) {
  assert.equal(result.stderr, `ferroflare: ${line}\n`);
  assert.deepEqual(
    { code: result.code, signal: result.signal, hung: result.hung },
    { code: 1, signal: null, hung: false },
  );
}

test("cli: --help prints every option of the miniflare command, in the same words", async () => {
  const result = await runCli(["--help"]);
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  assert.match(result.stdout, /^Usage: ferroflare \[script\] \[options\]\n/);
  const theirCli = require.resolve("miniflare/cli");
  const theirs = await start(process.execPath, [VM_MODULES, theirCli, "--help"]).ended;
  const ours = optionLines(result.stdout);
  const names = [...optionLines(theirs.stderr).keys()];
  assert.ok(names.length > 50, "the help text of miniflare was read");
  const missing = names.filter((name) => !ours.has(name));
  assert.deepEqual(missing, []);
  const added = [...ours.keys()].filter((name) => !names.includes(name));
  assert.deepEqual(added, ["do-max-value-size", "do-durability", "do-max-open", "do-sqlite"]);
  for (const name of ["do", "do-persist", "do-alarms"]) {
    const alias = (line) => /^\s+(-\w)?/.exec(line)[1];
    assert.equal(alias(ours.get(name)), alias(optionLines(theirs.stderr).get(name)), name);
  }
});

test("cli: -h is short for --help", async () => {
  const [short, long] = await Promise.all([runCli(["-h"]), runCli(["--help"])]);
  assert.equal(short.stdout, long.stdout);
});

for (const option of ["--version", "-v"]) {
  test(`cli: ${option} prints the version of this package`, async () => {
    const result = await runCli([option]);
    assert.deepEqual([result.code, result.stdout, result.stderr], [0, `${pkg.version}\n`, ""]);
  });
}

for (const [typed, meant] of [
  ["--prot", "--port"],
  ["--do-presist", "--do-persist"],
  ["--do-alarm", "--do-alarms"],
  ["--wrangler-confg", "--wrangler-config"],
  ["--kv-persists", "--kv-persist"],
  ["--no-do-alarm", "--no-do-alarms"],
  ["--WATCH", "--watch"],
]) {
  test(`cli: ${typed} suggests ${meant}`, async () => {
    const result = await runCli(["worker.mjs", typed, "x"]);
    assertFails(result, `Unknown option "${typed}". Did you mean "${meant}"? ${HINT}`);
  });
}

test("cli: an option like no other gets no suggestion", async () => {
  assertFails(await runCli(["--frobnicate=1"]), `Unknown option "--frobnicate". ${HINT}`);
});

for (const [args, line] of [
  [["--port", "x"], 'Unexpected value for --port: "x" (expected number).'],
  [["--do", "OBJECT1"], 'Unexpected value for --do: "OBJECT1" (expected NAME=CLASS[@MOUNT]).'],
  [
    ["--do-max-value-size", "big"],
    'Unexpected value for --do-max-value-size: "big" (expected number).',
  ],
  [["a.mjs", "b.mjs"], 'Unexpected value for script: ["a.mjs","b.mjs"] (expected string).'],
]) {
  test(`cli: ${args.join(" ")} is refused by name`, async () => {
    assertFails(await runCli(args), `${line} ${HINT}`);
  });
}

test("cli: a script that does not exist is named", async (t) => {
  const cwd = await temporaryDirectory(t);
  const file = path.join(cwd, "missing.mjs");
  assertFails(
    await runCli(["missing.mjs", "--no-cf-fetch"], { cwd }),
    `Cannot read the worker's script "${file}": it does not exist. It is the option scriptPath (on the command line, the script). ` +
      "Correct that path, or create the file.",
  );
});

test("cli: a directory in place of the script is named", async (t) => {
  const cwd = await temporaryDirectory(t);
  const result = await runCli([".", "--no-cf-fetch"], { cwd });
  assert.match(result.stderr, /^ferroflare: [^\n]*it is a directory[^\n]*\n$/);
  assert.equal(result.code, 1);
});

test("cli: no script at all is one line that says where it may be named", async (t) => {
  const cwd = await temporaryDirectory(t);
  const result = await runCli(["--no-cf-fetch"], { cwd });
  const names = "wrangler.json, wrangler.jsonc, wrangler.toml";
  assert.ok(
    result.stderr.startsWith(
      `ferroflare: No worker script. Looked in "${cwd}": no ${names}, and no package.json. Name it`,
    ),
    result.stderr,
  );
  assert.match(result.stderr, /ferroflare worker\.mjs/);
  assert.equal(result.code, 1);
  // `npm init` writes this.
  await writeFile(path.join(cwd, "package.json"), '{ "main": "index.js" }');
  const { stderr } = await runCli(["--no-cf-fetch"], { cwd });
  assert.equal(
    stderr,
    `ferroflare: Cannot read the worker's script "${path.join(cwd, "index.js")}": it does not exist. ` +
      `It is "main" in "${path.join(cwd, "package.json")}". "${cwd}" has no ${names}. ` +
      'Create the file, or name another script: as "main" in wrangler.jsonc, as scriptPath, or on the command line.\n',
  );
});

test("cli: a config file that does not exist is named with its option", async (t) => {
  const cwd = await temporaryDirectory(t);
  const file = path.join(cwd, "other.toml");
  assertFails(
    await runCli(["--wrangler-config", "other.toml", "--no-cf-fetch"], { cwd }),
    `Cannot read "${file}" (--wrangler-config): no such file or directory.`,
  );
});

test("cli: a broken wrangler.toml is named with the place in it", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(path.join(cwd, "wrangler.toml"), 'name = "a"\nbroken = = 1\n');
  const result = await runCli(["--no-cf-fetch"], { cwd });
  assert.match(
    result.stderr,
    /^ferroflare: Cannot parse "[^"]*wrangler\.toml" \(--wrangler-config\): [^\n]*row 2[^\n]*\n$/,
  );
  assert.equal(result.code, 1);
});

test("cli: a broken package.json is named", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(path.join(cwd, "package.json"), '{ "main": ');
  const result = await runCli(["--no-cf-fetch"], { cwd });
  assert.match(
    result.stderr,
    /^ferroflare: Cannot parse "[^"]*package\.json" \(--package\): [^\n]*\n$/,
  );
  assert.equal(result.code, 1);
});

test("cli: a mount that does not exist is named", async () => {
  const args = [...worker, "--mount", "api=./missing", "--no-cf-fetch"];
  const result = await runCli(args, { cwd: objects });
  assert.match(result.stderr, /^ferroflare: Error mounting "api": [^\n]*\n$/);
  assert.equal(result.code, 1);
});

test("cli: a class that the script does not export is named", async () => {
  const args = ["worker.mjs", "--do", "OBJECT1=Missing", "--no-cf-fetch"];
  assertFails(
    await runCli(args, { cwd: objects }),
    'Class "Missing" for Durable Object "OBJECT1" not found. The script exports "Object1", "Object2".',
  );
});

test("cli: a syntax error in the script is shown with its place", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(path.join(cwd, "worker.mjs"), "export default {};\nlet let = 1;\n");
  const result = await runCli(["worker.mjs", "--modules", "--no-cf-fetch"], { cwd });
  assert.match(result.stderr, /^ferroflare: .*worker\.mjs:2\n[\s\S]*SyntaxError: /);
  assert.equal(result.code, 1);
});

test("cli: an error that the script throws at start is shown with its place", async (t) => {
  const cwd = await temporaryDirectory(t);
  await writeFile(path.join(cwd, "worker.mjs"), '\nthrow new TypeError("mine");\n');
  const result = await runCli(["worker.mjs", "--modules", "--no-cf-fetch"], { cwd });
  assert.match(result.stderr, /^ferroflare: TypeError: mine\n\s+at .*worker\.mjs:2:7/);
  assert.equal(result.code, 1);
});

test("cli: a port that is in use is named", async (t) => {
  const first = await startCli(t, worker, { cwd: objects });
  const args = [...worker, "--host", "127.0.0.1", "--port", String(first.port), "--no-cf-fetch"];
  assertFails(
    await runCli(args, { cwd: objects }),
    `Cannot listen on port ${first.port}: it is already in use. Choose another port (--port, port).`,
  );
  assert.equal(await first.text("/1"), "Object1 1");
});

test("cli: a port that cannot be is named", async () => {
  assertFails(
    await runCli([...worker, "--port", "70000", "--no-cf-fetch"], { cwd: objects }),
    "Cannot listen on port 70000: ports are 0 to 65535. Choose another port (--port, port).",
  );
});

test("cli: a host that is not this machine is named", async () => {
  assertFails(
    await runCli([...worker, "--host", "203.0.113.1", "--port", "0", "--no-cf-fetch"], {
      cwd: objects,
    }),
    'Cannot listen on host "203.0.113.1": it is not an address of this machine. Choose another host (--host, host).',
  );
});

test("cli: --verbose adds the stack to the error", async () => {
  const args = ["worker.mjs", "--do", "OBJECT1=Missing", "--verbose", "--no-cf-fetch"];
  const { stderr } = await runCli(args, { cwd: objects });
  assert.match(stderr, /^ferroflare: Class "Missing" [^\n]*\nDurableObjectError [^\n]*\n\s+at /);
});

const colourCode = "\u001b[";

test("cli: output that is not to a terminal has no colours", async () => {
  const [help, failure] = await Promise.all([runCli(["--help"]), runCli(["--prot"])]);
  for (const text of [help.stdout, failure.stderr]) assert.equal(text.includes(colourCode), false);
});

test("cli: FORCE_COLOR turns colours on, NO_COLOR off again", async () => {
  const forced = { FORCE_COLOR: "1" };
  const [help, failure] = await Promise.all([
    runCli(["--help"], { env: forced }),
    runCli(["--prot"], { env: forced }),
  ]);
  for (const text of [help.stdout, failure.stderr]) assert.equal(text.includes(colourCode), true);
  const refused = { ...forced, NO_COLOR: "1" };
  const [plainHelp, plainFailure] = await Promise.all([
    runCli(["--help"], { env: refused }),
    runCli(["--prot"], { env: refused }),
  ]);
  for (const text of [plainHelp.stdout, plainFailure.stderr]) {
    assert.equal(text.includes(colourCode), false);
  }
});

test("cli: --repl evaluates in the worker's scope and ends with it", async () => {
  const result = await start(process.execPath, [bin, ...worker, "--repl", "--no-cf-fetch"], {
    cwd: objects,
    env: { MINIFLARE_REPL_HISTORY: "" },
    input: 'env.OBJECT1.idFromName("test").toString().length\n.exit\n',
  }).ended;
  assert.match(result.stdout, /> 64\n/);
  assert.deepEqual([result.code, result.hung, result.stderr], [0, false, ""]);
});

/** Starts a worker in a project of its own, with a registry in place of npm's. */
async function startWithRegistry(t, registry, env = {}, args = ["--update-check"]) {
  const cwd = await temporaryDirectory(t);
  await mkdir(path.join(cwd, "node_modules"));
  await writeFile(path.join(cwd, "worker.js"), 'addEventListener("fetch", () => {});');
  return startCli(t, ["worker.js", ...args], {
    cwd,
    env: {
      CI: undefined,
      NODE_ENV: undefined,
      NO_UPDATE_NOTIFIER: undefined,
      npm_config_registry: registry.url,
      ...env,
    },
  });
}

const newer = (response) => response.end('{ "version": "999.0.0" }');

test("cli: the update check asks for this package by its own name and reports a newer one", async (t) => {
  const registry = await fakeRegistry(t, newer);
  const cli = await startWithRegistry(t, registry);
  await until(() => /999\.0\.0 is available/.exec(cli.output.stdout) ?? undefined, "the report");
  assert.deepEqual(registry.asked, [`/${pkg.name}/latest`]);
});

test("cli: a registry that never answers delays neither the start nor the end", async (t) => {
  const registry = await fakeRegistry(t, () => {});
  const cli = await startWithRegistry(t, registry);
  await until(() => (registry.asked.length > 0 ? true : undefined), "the question");
  const { signal, hung, stderr } = await cli.end("SIGINT");
  assert.deepEqual({ signal, hung, stderr }, { signal: "SIGINT", hung: false, stderr: "" });
});

test("cli: a registry that answers nonsense is not reported", async (t) => {
  const registry = await fakeRegistry(t, (response) => response.end("<html>"));
  const cli = await startWithRegistry(t, registry);
  await until(() => (registry.asked.length > 0 ? true : undefined), "the question");
  const { stdout, stderr } = await cli.end("SIGINT");
  assert.equal(stderr, "");
  assert.doesNotMatch(stdout, /\[mf:(wrn|err)\]/);
});

test("cli: there is no update check unless it is asked for", async (t) => {
  const registry = await fakeRegistry(t, newer);
  const cli = await startWithRegistry(t, registry, {}, []);
  // A check would begin when the server listens, and be done long before these are answered.
  for (let i = 0; i < 20; i++) await cli.text();
  await cli.end("SIGINT");
  assert.deepEqual(registry.asked, []);
});

for (const [name, env] of [
  ["CI", { CI: "true" }],
  ["NODE_ENV=test", { NODE_ENV: "test" }],
  ["NO_UPDATE_NOTIFIER", { NO_UPDATE_NOTIFIER: "1" }],
]) {
  test(`cli: there is no update check with ${name}`, async (t) => {
    const registry = await fakeRegistry(t, newer);
    const cli = await startWithRegistry(t, registry, env);
    await cli.end("SIGINT");
    assert.deepEqual(registry.asked, []);
  });
}

test("cli: it runs from any directory", async (t) => {
  const cwd = await temporaryDirectory(t);
  assert.notEqual(cwd, packageRoot);
  const cli = await startCli(t, [path.join(objects, "worker.mjs"), "--do", "OBJECT1=Object1"], {
    cwd,
  });
  assert.equal(await cli.text("/1"), "Object1 1");
});

test("cli: a mistyped command is no missing script", async (t) => {
  const cwd = await temporaryDirectory(t);
  for (const [typed, meant] of [
    ["objcts", "objects"],
    ["doctr", "doctor"],
  ]) {
    assertFails(
      await runCli([typed], { cwd }),
      `There is no script "${typed}", and no such command. Did you mean "${meant}"? Run "ferroflare --help" to see the commands.`,
    );
  }
});
