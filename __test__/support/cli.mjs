// Starts the `ferroflare` command and Node scripts as real processes, each with a timer that kills it.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
export const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
export const bin = path.join(packageRoot, "bin", "ferroflare.js");
export const VM_MODULES = "--experimental-vm-modules";

/** No process of these tests needs nearly this long; it only keeps a hanging one from hanging the tests. */
const KILL_AFTER_MS = 60_000;
const ORPHANED_AFTER_MS = 10_000;
const POLL_MS = 25;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function environment(changes = {}) {
  const env = { ...process.env, NODE_ENV: "test", ...changes };
  for (const name of ["NODE_OPTIONS", "NODE_TEST_CONTEXT", "FORCE_COLOR", "NO_COLOR"]) {
    if (!(name in changes)) delete env[name];
  }
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  return env;
}

/** Starts a process; `ended` resolves with how it ended and what it printed; `hung` if it, or one of its own, did not. */
export function start(file, args, options = {}) {
  const { cwd = packageRoot, env, input, killAfterMs = KILL_AFTER_MS, shell } = options;
  const child = spawn(file, args, {
    cwd,
    env: environment(env),
    shell,
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.end(input);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) {
    child[name].setEncoding("utf8").on("data", (text) => {
      output[name] += text;
    });
  }
  let hung = false;
  const killer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, killAfterMs);
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    // Only a process that it left behind can still hold the pipes.
    child.on("exit", () => {
      const orphaned = setTimeout(() => {
        hung = true;
        child.stdout.destroy();
        child.stderr.destroy();
      }, ORPHANED_AFTER_MS);
      child.on("close", () => clearTimeout(orphaned));
    });
    child.on("close", (code, signal) => {
      clearTimeout(killer);
      resolve({ code, signal, hung, ...output });
    });
  });
  return { child, output, ended };
}

/** Runs the command to its end. */
export function runCli(args, options) {
  return start(process.execPath, [bin, ...args], options).ended;
}

/** Runs an ES module given as text, which may import "ferroflare", to its end. */
export function runModule(source, options) {
  const args = [VM_MODULES, "--no-warnings", "--input-type=module", "--eval", source];
  return start(process.execPath, args, options).ended;
}

/** Calls `attempt` until it returns something other than `undefined`, for as long as a process may live. */
export async function until(attempt, what) {
  const deadline = Date.now() + KILL_AFTER_MS;
  while (Date.now() < deadline) {
    const result = await attempt();
    if (result !== undefined) return result;
    await sleep(POLL_MS);
  }
  throw new Error(`gave up waiting for ${what}`);
}

/**
 * Starts the command on a free loopback port and waits until it listens. The test's end kills it.
 * `nodeArguments` are for the Node.js that runs the command, which is `command`, or that of this repository.
 */
export async function startCli(t, args, options = {}) {
  const { nodeArguments = [], command = bin } = options;
  const loopback = ["--host", "127.0.0.1", "--port", "0", "--no-cf-fetch"];
  const running = start(
    process.execPath,
    [...nodeArguments, command, ...args, ...loopback],
    options,
  );
  t.after(() => {
    running.child.kill("SIGKILL");
    return running.ended;
  });
  let over = false;
  running.ended.then(() => {
    over = true;
  });
  const port = await until(() => {
    const listening = /Listening on 127\.0\.0\.1:(\d+)/.exec(running.output.stdout);
    if (listening !== null) return Number(listening[1]);
    if (over) {
      throw new Error(`ended early:\n${running.output.stdout}${running.output.stderr}`);
    }
    return undefined;
  }, "the server to listen");
  return {
    ...running,
    port,
    async text(pathname = "/", init = {}) {
      const response = await fetch(new URL(pathname, `http://127.0.0.1:${port}`), {
        ...init,
        headers: { connection: "close", ...init.headers },
      });
      return response.text();
    },
    async end(signal) {
      running.child.kill(signal);
      return running.ended;
    },
  };
}

/** Whether something accepts connections on a loopback port. */
export function isListening(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Makes an empty directory that the test's end removes. */
export async function temporaryDirectory(t) {
  const directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-test-"));
  // Under an unmodified Miniflare, dispose() does not wait until the files are closed.
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  return directory;
}

/** Answers as the package registry does, and remembers what it was asked. */
export async function fakeRegistry(t, answer) {
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(request.url);
    response.setHeader("connection", "close");
    answer(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${server.address().port}` };
}
