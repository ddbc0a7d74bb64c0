// Every step of the README and of the guides, as it stands there, in fresh projects with the file that `npm run pack` makes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { packageRoot, start, temporaryDirectory, until, VM_MODULES } from "../support/cli.mjs";
import { blockIn, commandsIn } from "../support/documented.mjs";
import { redisServer } from "../support/redis.mjs";

const README = "README.md";
const DIRECT = "docs/direct.md";
const MINIFLARE_4 = "docs/from-miniflare-4.md";
const MIGRATION = "docs/migration.md";
const OVERRIDES = "docs/overrides.md";
const REDIS = "docs/redis.md";
const TESTING = "docs/testing.md";
const PLACEHOLDER = "path/to/clone/packages/ferroflare-0.1.0.tgz";
const STEP_MS_MAX = 300_000;

/** Commands whose tests are elsewhere, or that need a release. */
const ELSEWHERE = {
  "npm run pack": "below, on the existing build",
  "npm start": "examples.test.mjs runs the example that it starts",
  "npm test": "it runs this",
  "npm run bench": "CONTRIBUTING; benchmarks.test.mjs",
  "npm run bench -- files": "the same",
  "npm run bench -- redis": "the same",
  "npm run bench -- modern": "the same",
  "npm install --save-dev ferroflare":
    "needs the release; examples.test.mjs installs from a registry",
  "npm install --save-dev ferroflare esbuild": "the same",
};

const run = new Set();
let tools;
let tarball;

before(async () => {
  tools = await mkdtemp(path.join(os.tmpdir(), "ferroflare-documented-"));
  const pack = ["scripts/pack.mjs", "--no-build", "--out", path.join(tools, "packages")];
  const { code, stdout, stderr } = await start(process.execPath, pack).ended;
  assert.equal(code, 0, stderr);
  const line = /\n {2}npm install --save-dev (\S+)\n$/.exec(stdout);
  assert.ok(line, `npm run pack ends with the line that installs what it made:\n${stdout}`);
  tarball = line[1];
});
after(() => rm(tools, { recursive: true, force: true }));

/** A folder with a command of this name, which runs another one. */
async function shim(name, command) {
  const folder = await mkdtemp(path.join(tools, "bin-"));
  await writeFile(path.join(folder, name), `#!/bin/sh\nexec ${command} "$@"\n`);
  await chmod(path.join(folder, name), 0o755);
  return folder;
}

async function write(directory, files) {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  }
}

/** As in a newcomer's terminal: with CI set, package managers refuse to change their lock files. */
const environment = (bin) => ({
  CI: undefined,
  NODE_ENV: undefined,
  npm_config_user_agent: undefined,
  YARN_CACHE_FOLDER: path.join(tools, "yarn-cache"),
  PATH: [bin, path.dirname(process.execPath), process.env.PATH]
    .filter(Boolean)
    .join(path.delimiter),
});

/** The command as it is typed: only the placeholders of the document are filled in. */
function typed(document, command, redis) {
  assert.ok(commandsIn(document).includes(command), `${document} has no "${command}"`);
  run.add(`${document} ${command}`);
  return command.replace(PLACEHOLDER, tarball).replace(/redis:\/\/(?:host|localhost:6379)$/, redis);
}

/** Runs a documented command to its end in a project. */
async function step(directory, document, command, { bin, code = 0 } = {}) {
  const options = { cwd: directory, env: environment(bin), shell: true, killAfterMs: STEP_MS_MAX };
  const result = await start(typed(document, command), [], options).ended;
  assert.deepEqual([result.code, result.hung], [code, false], result.stdout + result.stderr);
  return result;
}

/** Runs a documented command that serves, asks it once, and ends it as Ctrl-C does: with all that it has started. */
async function serve(t, directory, document, command, { redis } = {}) {
  const line = typed(document, command, redis);
  const options = { cwd: directory, env: { ...process.env, ...environment() }, detached: true };
  const child = spawn("sh", ["-c", line], { ...options, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  }
  let over = false;
  const ended = once(child, "close").then(() => {
    over = true;
  });
  const end = (signal) => over || process.kill(-child.pid, signal);
  t.after(() => end("SIGKILL"));
  const port = await until(() => {
    if (over) throw new Error(`${command} ended:\n${said}`);
    return /Listening on 127\.0\.0\.1:(\d+)/.exec(said)?.[1];
  }, command);
  const headers = { connection: "close" };
  const text = await (await fetch(`http://127.0.0.1:${port}/`, { headers })).text();
  end("SIGINT");
  await ended;
  return text;
}

/** A new project, as \`npm init\` makes it, with these files. */
async function project(t, files = {}, manifest = {}) {
  const directory = await temporaryDirectory(t);
  await write(directory, {
    "package.json": { name: "newcomer", private: true, ...manifest },
    ...files,
  });
  return directory;
}

/** A port that is free, in the way that a project says it. */
const FREE_PORT = { "wrangler.jsonc": { dev: { port: 0 } } };
/** The worker in the README's program. */
const workerOf = (block) => /const script = `\n([\s\S]*?)`;/.exec(block)[1];
const INSTALL = `npm install --save-dev ${PLACEHOLDER}`;

test("documented: the README's program, commands and test runners, with npm", async (t) => {
  const program = blockIn(README, "js", 'from "ferroflare"');
  const cwd = await project(t, {
    ...FREE_PORT,
    "program.mjs": program,
    "worker.mjs": workerOf(program),
  });
  await step(cwd, README, INSTALL);
  const printed = await start(process.execPath, ["program.mjs"], { cwd }).ended;
  assert.deepEqual([printed.stdout, printed.stderr, printed.code], ["1\n", "", 0]);

  const base = "npx ferroflare worker.mjs --do COUNTER=Counter";
  assert.equal(await serve(t, cwd, README, base), "1");
  const inFiles = `${base} --do-persist ./data`;
  assert.equal(await serve(t, cwd, README, inFiles), "1");
  assert.equal(await serve(t, cwd, README, inFiles), "2");
  const redis = (await redisServer(t)).url();
  assert.equal(await serve(t, cwd, README, `${base} --do-persist redis://host`, { redis }), "1");
  const inRedis =
    "npx ferroflare worker.mjs --do OBJECT=Object --do-persist redis://localhost:6379";
  const listed = await step(cwd, README, "npx ferroflare objects list --do-persist ./data");
  assert.match(listed.stdout, /^COUNTER [0-9a-f]{64}\n$/);
  await write(cwd, {
    "worker.mjs": `export class Object { fetch() { return new Response("object"); } }\n${workerOf(program).replaceAll("COUNTER", "OBJECT")}`,
  });
  assert.equal(await serve(t, cwd, REDIS, inRedis, { redis }), "object");

  await writeByMiniflare2(cwd, program);
  const imported = await step(cwd, README, "npx ferroflare import .mf/durableobjects ./data");
  assert.match(imported.stdout, /^Imported from .*: 1 object, 1 key/m);
  const migrated = await step(cwd, MIGRATION, "npx ferroflare import .mf/durableobjects .mf/do");
  assert.match(migrated.stdout, /: 1 object, 1 key/);

  await write(cwd, {
    "worker.mjs": workerOf(program),
    "wrangler.jsonc": {
      main: "worker.mjs",
      dev: { port: 0 },
      durable_objects: { bindings: [{ name: "COUNTER", class_name: "Counter" }] },
    },
  });
  assert.equal(await serve(t, cwd, README, "npx ferroflare"), "1");
  assert.equal(await serve(t, cwd, MINIFLARE_4, "npx ferroflare"), "1");
  assert.equal(await serve(t, cwd, MINIFLARE_4, "npx ferroflare --watch"), "1");
  assert.equal(await serve(t, cwd, MINIFLARE_4, "npx ferroflare --do-persist"), "1");
  assert.deepEqual((await readdir(path.join(cwd, ".mf", "do"))).includes("COUNTER"), true);
});

test("documented: the guide on direct use, with its configuration, TypeScript and strict types", async (t) => {
  const object1 = `export class Object1 {
  constructor(state) { this.storage = state.storage; }
  async fetch() { await this.storage.put("key", "stored"); return new Response("object"); }
}
export default { fetch: (request, env) => env.OBJECT1.get(env.OBJECT1.idFromName("test")).fetch(request) };
`;
  const object2 = "export class Object2 {}\nexport default {};\n";
  const cwd = await project(t, {
    ...FREE_PORT,
    "program.mjs": blockIn(DIRECT, "js", 'from "ferroflare"'),
    "worker.mjs": object1,
    "api/worker.mjs": object2,
    "api/wrangler.jsonc": { main: "worker.mjs" },
  });
  await start("npm", ["install", "--save-dev", tarball, "esbuild", "@types/node@20", "@types/ws"], {
    cwd,
    killAfterMs: STEP_MS_MAX,
  }).ended;
  assert.equal((await step(cwd, DIRECT, "node program.mjs")).stdout, "object\nstored\n");
  const one = "npx ferroflare worker.mjs --do OBJECT1=Object1";
  assert.equal(await serve(t, cwd, DIRECT, one), "object");
  assert.equal(
    await serve(t, cwd, DIRECT, `${one} --do OBJECT2=Object2@api --mount api=./api`),
    "object",
  );
  const configuration = blockIn(DIRECT, "jsonc", '"main"').replace(
    "{\n",
    '{\n  "dev": { "port": 0 },\n',
  );
  await write(cwd, {
    "wrangler.jsonc": configuration,
    "src/index.ts": object1
      .replace("(state)", "(state: any)")
      .replace(
        "this.storage = state.storage;",
        "this.storage = state.storage; } storage: any; private unused() {",
      ),
  });
  assert.equal(await serve(t, cwd, DIRECT, "npx ferroflare"), "object");

  await write(cwd, {
    "strict.ts":
      'import { Miniflare } from "ferroflare";\nexport const mf = new Miniflare({ script: "" });\n',
    "tsconfig.json": {
      compilerOptions: {
        strict: true,
        module: "nodenext",
        noEmit: true,
        types: ["node", "ferroflare/cron-schedule"],
      },
      include: ["strict.ts"],
    },
  });
  assert.ok(
    (await readFile(path.join(packageRoot, DIRECT), "utf8")).includes(
      '"types": ["node", "ferroflare/cron-schedule"]',
    ),
  );
  const tsc = path.join(packageRoot, "node_modules", "typescript", "bin", "tsc");
  const checked = await start(process.execPath, [tsc, "-p", "."], { cwd, killAfterMs: STEP_MS_MAX })
    .ended;
  assert.deepEqual([checked.stdout, checked.code], ["", 0]);
});

test("documented: the guide on testing, and the README's configurations, in Jest and Vitest", async (t) => {
  const worker = blockIn(TESTING, "js", "export class Counter");
  const jestTest = blockIn(TESTING, "js", 'test("counts"');
  const vitest = Number.parseInt(process.versions.node, 10) < 20 ? "vitest@3" : "vitest@4";
  const cwd = await project(t, { "src/worker.mjs": worker, "worker.mjs": worker });
  await start("npm", ["install", "--save-dev", tarball, "jest@30", vitest], {
    cwd,
    killAfterMs: STEP_MS_MAX,
  }).ended;
  const passes = async (name) => {
    const command = name === "jest" ? ["npx", "jest"] : ["npx", "vitest", "run"];
    const options = { cwd, env: environment(), killAfterMs: STEP_MS_MAX };
    const { stdout, stderr } = await start(command[0], command.slice(1), options).ended;
    const said = stripVTControlCharacters(stdout + stderr);
    assert.match(said, /Tests:?\s+1 passed/, said);
  };
  for (const document of [TESTING, README]) {
    await write(cwd, {
      "counter.test.js": jestTest,
      "jest.config.js": blockIn(document, "js", 'testEnvironment: "ferroflare/jest"'),
    });
    await passes("jest");
    await rm(path.join(cwd, "jest.config.js"));
    await write(cwd, {
      "counter.test.js": `import { expect, test } from "vitest";\n${jestTest}`,
      "vitest.config.mjs": blockIn(document, "js", "plugins: ["),
    });
    await passes("vitest");
  }
});

const MANAGERS = {
  npm: {
    commands: [
      INSTALL,
      "npx ferroflare init --yes",
      "npm install --save-dev miniflare@2.14.4",
      "npx ferroflare doctor",
    ],
  },
  pnpm: {
    name: "pnpm",
    runs: "npx --yes pnpm@12.21.0",
    commands: [
      `pnpm add --save-dev ${PLACEHOLDER}`,
      "pnpm exec ferroflare init --yes",
      "pnpm install",
      "pnpm exec ferroflare doctor",
    ],
  },
  "Yarn 1": { name: "yarn", runs: "npx --yes yarn@1.22.22" },
  "Yarn 4": {
    name: "yarn",
    runs: "npx --yes --package @yarnpkg/cli-dist@4.18.1 yarn",
    files: { "yarn.lock": "" },
  },
};
const YARN = [
  `yarn add --dev ferroflare@file:${PLACEHOLDER}`,
  "yarn ferroflare init --yes",
  "yarn install",
  "yarn ferroflare doctor",
];

/** The registry of this machine, for Yarn 4, which does not read npm's settings. */
async function yarnrc() {
  const { npm_config_registry: given } = process.env;
  const { stdout } = given
    ? { stdout: given }
    : await start("npm", ["config", "get", "registry"]).ended;
  return `nodeLinker: node-modules\nenableTelemetry: false\nenableImmutableInstalls: false\nnpmRegistryServer: "${stdout.trim()}"\n`;
}

for (const [manager, { name, runs, commands = YARN, files = {} }] of Object.entries(MANAGERS)) {
  test(`documented: the drop-in before a release, with ${manager}`, async (t) => {
    const bin = runs && (await shim(name, runs));
    const more = manager === "Yarn 4" ? { ".yarnrc.yml": await yarnrc() } : {};
    const cwd = await project(
      t,
      { ...files, ...more },
      { devDependencies: { miniflare: "2.14.4" } },
    );
    const installed = await start(`${name ?? "npm"} install`, [], {
      cwd,
      env: environment(bin),
      shell: true,
      killAfterMs: STEP_MS_MAX,
    }).ended;
    assert.equal(installed.code, 0, installed.stdout + installed.stderr);
    for (const command of commands) {
      const result = await step(cwd, OVERRIDES, command, { bin });
      if (command.endsWith("doctor")) {
        assert.match(result.stdout, /^miniflare: +2\.14\.4 in .*, on ferroflare 0\.1\.0$/m);
      }
    }
    if (manager !== "npm") return;
    // The three commands at the top of the guide, of which the first has nothing left to do.
    assert.match((await step(cwd, OVERRIDES, "npx ferroflare init")).stdout, /^Nothing to do/m);
    await step(cwd, OVERRIDES, "npm install");
    await step(cwd, MIGRATION, "npm uninstall miniflare");
  });
}

test("documented: no command of a document is without a test", () => {
  const documents = [
    README,
    DIRECT,
    MINIFLARE_4,
    MIGRATION,
    OVERRIDES,
    REDIS,
    TESTING,
    "docs/benchmarks.md",
  ];
  const missing = documents.flatMap((document) =>
    commandsIn(document)
      .filter((command) => !(command in ELSEWHERE) && !run.has(`${document} ${command}`))
      .map((command) => `${document}: ${command}`),
  );
  assert.deepEqual(missing, []);
});

/** Lets Miniflare 2 itself store an object where it does if no place is named. */
async function writeByMiniflare2(cwd, program) {
  const miniflare = pathToFileURL(createRequire(import.meta.url).resolve("miniflare")).href;
  const source = program
    .replace('"ferroflare"', JSON.stringify(miniflare))
    .replace("modules: true,", "modules: true, durableObjectsPersist: true,")
    .replace('idFromName("a")', 'idFromName("old")');
  const args = [VM_MODULES, "--no-warnings", "--input-type=module", "--eval", source];
  const { stdout, stderr } = await start(process.execPath, args, { cwd }).ended;
  assert.deepEqual([stdout, stderr], ["1\n", ""]);
}
