// Child processes that are warmed up first, are told what to do in one line, and report in lines.
import { spawn } from "node:child_process";

const FLAGS = ["--experimental-vm-modules", "--no-warnings"];
/** No process of ours runs nearly this long; it only keeps a hanging one from hanging its parent. */
const LIFETIME_MS = 120_000;

const living = new Set();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

function environment(changes) {
  const env = { ...process.env, ...changes };
  for (const name of ["NODE_OPTIONS", "NODE_TEST_CONTEXT"]) delete env[name];
  return env;
}

/** A Node process that runs `file`. It loads its modules at once, and reads its orders when `go()` sends them. */
export class Child {
  #onLine = () => {};
  #lines = [];

  /** `command` goes before Node, for example `["prlimit", "--nofile=100"]`. */
  constructor(file, { env, command = [] } = {}) {
    const [program, ...args] = [...command, process.execPath, ...FLAGS, file];
    this.process = spawn(program, args, { env: environment(env), stdio: "pipe" });
    living.add(this.process);
    this.stderr = "";
    this.process.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr += text;
    });
    let rest = "";
    this.process.stdout.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        this.#lines.push(line);
        this.#onLine();
      }
    });
    // A killed process cannot read its orders.
    this.process.stdin.on("error", () => {});
    const timer = setTimeout(() => {
      this.stderr += `\nkilled after ${LIFETIME_MS} ms`;
      this.process.kill("SIGKILL");
    }, LIFETIME_MS);
    /** How it ended, once everything that it has said is here. */
    this.ended = new Promise((resolve, reject) => {
      this.process.on("error", reject);
      this.process.on("close", (code, signal) => {
        clearTimeout(timer);
        living.delete(this.process);
        resolve({ code, signal });
        this.#onLine();
      });
    });
  }

  get pid() {
    return this.process.pid;
  }

  /** Gives it its orders; nothing more can be said to it. */
  go(orders) {
    this.process.stdin.end(`${JSON.stringify(orders)}\n`);
    return this;
  }

  /** Says one line to it, and leaves room for more. */
  say(line) {
    this.process.stdin.write(`${line}\n`);
  }

  kill(signal = "SIGKILL") {
    return this.process.kill(signal);
  }

  /** Everything that it has said so far. */
  get lines() {
    return this.#lines;
  }

  /** Calls `listen` with each line, those of the past included. */
  listen(listen) {
    let heard = 0;
    this.#onLine = () => {
      while (heard < this.#lines.length) listen(this.#lines[heard++]);
    };
    this.#onLine();
  }

  /** The first line that starts with `word`, as soon as it is there. */
  async heard(word) {
    const find = () => this.#lines.find((line) => line.split(" ", 1)[0] === word);
    const ended = this.ended.then(() => "ended");
    for (;;) {
      const line = find();
      if (line !== undefined) return line;
      const end = await Promise.race([ended, sleep(2)]);
      if (end === "ended" && find() === undefined) {
        throw new Error(`The process ended before it said "${word}".\n${this.stderr}`);
      }
    }
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A few processes that are warm before they are needed. */
export class Pool {
  #file;
  #options;
  #warm = [];

  /** `options` are those of `Child`. */
  constructor(file, size, options) {
    this.#file = file;
    this.#options = options;
    for (let count = 0; count < size; count++) this.#warm.push(new Child(file, options));
  }

  /** A process that has probably loaded its modules. */
  take() {
    this.#warm.push(new Child(this.#file, this.#options));
    return this.#warm.shift();
  }

  /** Kills those that no test has taken. */
  async close() {
    for (const child of this.#warm) child.kill();
    await Promise.all(this.#warm.map((child) => child.ended));
    this.#warm = [];
  }
}
