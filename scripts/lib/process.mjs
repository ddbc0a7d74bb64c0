/**
 * Runs programs: with a time limit, and never left behind.
 *
 * Each program leads a process group of its own, so that ending it ends what it started (Cargo's compilers, test
 * files). SIGINT, SIGTERM and SIGHUP of the script end every group. So does the end of the shell through which npm
 * starts a script, because that shell passes no signals on.
 */
import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";
import { root } from "./paths.mjs";
import { Failure } from "./program.mjs";

const windows = process.platform === "win32";
const graceMillis = 5_000;
const parentCheckMillis = 1_000;
const running = new Set();
let ending = false;

/**
 * Runs a program to its end; resolves with its standard output (empty when it went to the terminal).
 *
 * - `name` is what messages call it; `minutesMax` ends it with an error that names it.
 * - `cwd` is where it runs, by default in the root of the repository.
 * - `stdout`, `stderr`: `"inherit"` (default), `"pipe"` (kept, shown only in a failure) or a function that gets each chunk.
 *
 * Throws a `Failure` when it cannot start, fails or takes too long.
 */
export function run(
  command,
  args,
  { name, minutesMax, env, cwd = root, stdout = "inherit", stderr = "inherit" },
) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: !windows,
      stdio: ["ignore", stdioOf(stdout), stdioOf(stderr)],
    });
    running.add(child);
    let output = "";
    let kept = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
      if (typeof stdout === "function") stdout(chunk);
      else kept += chunk;
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk) => {
      if (typeof stderr === "function") stderr(chunk);
      else kept += chunk;
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      endGroup(child);
    }, minutesMax * 60_000);
    const settle = (problem) => {
      clearTimeout(timer);
      running.delete(child);
      if (!problem) resolve(output);
      else
        reject(
          new Failure(`${kept}${kept && !kept.endsWith("\n") ? "\n" : ""}${name}: ${problem}`),
        );
    };
    child.once("error", (error) => settle(`cannot start \`${command}\`: ${error.message}`));
    child.once("close", (code, signal) => {
      if (late || ending) signalGroup(child, "SIGKILL");
      if (late) settle(`stopped: not done after ${minutesMax} minutes`);
      else if (signal) settle(`ended by ${signal}`);
      else settle(code === 0 ? null : `failed with exit code ${code}`);
    });
  });
}

/** Runs a Node.js program with the Node.js that runs this script. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** The trimmed standard output of a quick command, or null when it is missing or fails. */
export function outputOf(command, args) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
  });
  return status === 0 ? stdout.trim() : null;
}

function stdioOf(choice) {
  return choice === "inherit" ? "inherit" : "pipe";
}

function endGroup(child) {
  signalGroup(child, "SIGTERM");
  setTimeout(() => signalGroup(child, "SIGKILL"), graceMillis).unref();
}

function signalGroup(child, signal) {
  if (windows) {
    spawnSync("taskkill", ["/pid", String(child.pid), "/T", "/F"], { stdio: "ignore" });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

function endEverything(code) {
  if (ending || running.size === 0) process.exit(code);
  ending = true;
  for (const child of running) {
    child.once("close", () => running.size === 0 && process.exit(code));
    endGroup(child);
  }
  setTimeout(() => process.exit(code), graceMillis + 1_000).unref();
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => endEverything(128 + constants.signals[signal]));
}

if (process.env.npm_lifecycle_event) {
  const shell = process.ppid;
  setInterval(() => process.ppid !== shell && endEverything(1), parentCheckMillis).unref();
}
