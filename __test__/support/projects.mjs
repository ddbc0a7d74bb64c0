// Projects of users: made in empty directories, installed by real package managers from the packed packages.
import { cp, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { packageRoot, start, temporaryDirectory } from "./cli.mjs";

/** Downloads of a slow registry are part of what these processes wait for. */
const KILL_AFTER_MS = 300_000;

/** What runs each package manager; npm runs those that are not on the machine. */
const COMMANDS = {
  npm: ["npm"],
  pnpm: ["npx", "--yes", "pnpm@12.21.0"],
  "yarn 1": ["npx", "--yes", "yarn@1.22.22"],
  yarn: ["npx", "--yes", "--package", "@yarnpkg/cli-dist@4.18.1", "yarn"],
};

const INSTALL = {
  npm: ["install", "--no-audit", "--no-fund", "--prefer-offline"],
  pnpm: ["install"],
  "yarn 1": ["install", "--non-interactive"],
  yarn: ["install"],
};

const NPM_ON_WINDOWS = { npm: "npm.cmd", npx: "npx.cmd" };

/**
 * Makes a project of some files (an object is JSON), or of a folder of the repository, that installs from `registry`.
 * `linker` is how Yarn 4 lays packages out.
 */
export async function makeProject(t, registry, { files = {}, example, linker = "node-modules" }) {
  const directory = await temporaryDirectory(t);
  if (example) {
    const filter = (source) => !/[\\/]node_modules$/.test(source);
    await cp(path.join(packageRoot, "examples", example), directory, { recursive: true, filter });
  }
  const yarnrc = [
    `nodeLinker: ${linker}`,
    "enableTelemetry: false",
    "enableImmutableInstalls: false",
    `npmRegistryServer: "${registry.url}"`,
    'unsafeHttpWhitelist: ["127.0.0.1"]',
    `globalFolder: "${path.join(directory, ".yarn-global").replaceAll("\\", "/")}"`,
    "",
  ].join("\n");
  const all = { ".npmrc": `registry=${registry.url}\n`, ".yarnrc.yml": yarnrc, ...files };
  for (const [name, content] of Object.entries(all)) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    const text = typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`;
    await writeFile(file, text);
  }
  return directory;
}

/** Runs a program in a project to its end; the test fails with its output if that is not a good one. */
export async function runIn(directory, [command, ...args], { env, code = 0 } = {}) {
  const windows = process.platform === "win32";
  const file = (windows && NPM_ON_WINDOWS[command]) || command;
  const options = { cwd: directory, env: { CI: undefined, ...env }, killAfterMs: KILL_AFTER_MS };
  const result = await start(file, args, { ...options, shell: windows }).ended;
  if (result.code === code && !result.hung) return result;
  const shown = `${command} ${args.join(" ")} ended with ${result.code ?? result.signal}`;
  throw new Error(`${shown}${result.hung ? " (it hung)" : ""}:\n${result.stdout}${result.stderr}`);
}

/** Runs a package manager in a project. */
export function runManager(directory, manager, args) {
  const [command, ...rest] = COMMANDS[manager];
  return runIn(directory, [command, ...rest, ...args], {
    env: { npm_config_registry: undefined, npm_config_user_agent: undefined },
  });
}

/** Installs a project with a package manager. */
export function install(directory, manager) {
  return runManager(directory, manager, INSTALL[manager]);
}
