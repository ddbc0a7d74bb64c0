// Starts real Redis servers on free loopback ports, each in a temporary folder of its own, and talks to them.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { RedisClient } from "../../dist/cli/import/redis/client.js";
import { until } from "./cli.mjs";

const PROGRAM = "redis-server";
const HOST = "127.0.0.1";
/** Another program may take a free port before the server does. */
const PORT_TRIES = 5;

const living = new Set();
process.on("exit", endAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    endAll();
    process.kill(process.pid, signal);
  });
}

function endAll() {
  for (const child of living) child.kill("SIGKILL");
}

let version;
/** The major version of the server; throws what to install if there is none. */
export function redisVersion() {
  if (version === undefined) {
    const { status, stdout, error } = spawnSync(PROGRAM, ["--version"], { encoding: "utf8" });
    if (status !== 0) {
      throw new Error(
        `${PROGRAM} cannot be run (${error?.message ?? `exit code ${status}`}): these tests need a real server. Run \`npm run setup\`.`,
      );
    }
    version = Number(/v=(\d+)/.exec(stdout)[1]);
  }
  return version;
}

export async function freePort() {
  const server = net.createServer().listen(0, HOST);
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A reply with its bytes as text. */
export function textOf(reply) {
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(textOf) : reply;
}

/** One server. It keeps its port and its folder when it is restarted. */
export class RedisServer {
  #options;
  #child;
  #output = "";
  #client;

  /**
   * `options` are `args` for the server, the `password` that it asks for, a `user` (of an ACL, with that password),
   * `tls` as `makeCertificates()` gives it. `aof` has every write on disk before it is answered. A `sentinel` is
   * another configuration.
   */
  static async start(options = {}) {
    const server = new RedisServer();
    server.#options = options;
    server.directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-redis-"));
    for (let tries = 1; ; tries++) {
      server.port = await freePort();
      try {
        await server.restart();
        return server;
      } catch (error) {
        if (tries < PORT_TRIES && /Address already in use/.test(error.message)) continue;
        await rm(server.directory, { recursive: true, force: true });
        throw error;
      }
    }
  }

  get host() {
    return `${HOST}:${this.port}`;
  }

  /** The URL of a database, as a user would write it. */
  url(database = 0) {
    const { user = "", password, tls } = this.#options;
    const login = password === undefined ? "" : `${user}:${encodeURIComponent(password)}@`;
    const scheme = tls ? "rediss" : "redis";
    const ca = tls ? `?ca=${encodeURIComponent(tls.ca)}` : "";
    return `${scheme}://${login}${this.host}/${database}${ca}`;
  }

  get pid() {
    return this.#child.pid;
  }

  #arguments() {
    const { args = [], aof, tls, password, user, sentinel } = this.#options;
    if (sentinel) return [sentinel, "--sentinel", "--port", `${this.port}`, "--bind", HOST];
    const port = tls
      ? ["--port", "0", "--tls-port", `${this.port}`, "--tls-auth-clients", "no"]
      : ["--port", `${this.port}`];
    const files = tls
      ? ["--tls-cert-file", tls.cert, "--tls-key-file", tls.key, "--tls-ca-cert-file", tls.ca]
      : [];
    return [
      ...[...port, ...files, "--bind", HOST, "--dir", this.directory, "--save", ""],
      ...["--appendonly", aof ? "yes" : "no", "--appendfsync", "always"],
      ...(redisVersion() >= 7 ? ["--enable-debug-command", "local"] : []),
      ...(password !== undefined && user === undefined ? ["--requirepass", password] : []),
      ...(user === undefined
        ? []
        : ["--user", user, "on", `>${password}`, "~*", "+@all", "--user", "default", "off"]),
      ...args,
    ];
  }

  /** Starts the server that was stopped, and waits until it accepts connections. */
  async restart() {
    redisVersion();
    this.#output = "";
    const child = spawn(PROGRAM, this.#arguments(), { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    living.add(child);
    const ended = new Promise((resolve) => {
      child.once("error", resolve);
      child.once("close", resolve);
    });
    this.ended = ended.then(() => living.delete(child));
    const ready = new Promise((resolve) => {
      const listen = (chunk) => {
        this.#output += chunk;
        if (/Ready to accept connections|Sentinel ID is/.test(this.#output)) resolve(true);
      };
      child.stdout.on("data", listen);
      child.stderr.on("data", listen);
    });
    if (!(await Promise.race([ready, ended.then(() => false)]))) {
      throw new Error(`${PROGRAM} did not start:\n${this.#output}`);
    }
    return this;
  }

  /** Ends the server; its folder stays. SIGKILL is a crash, SIGTERM an orderly end. */
  async stop(signal = "SIGTERM") {
    this.#client?.close();
    this.#client = undefined;
    this.#child.kill(signal);
    this.#child.kill("SIGCONT");
    await this.ended;
  }

  /** Stops the server in its tracks, or lets it go on. */
  freeze() {
    this.#child.kill("SIGSTOP");
  }

  thaw() {
    this.#child.kill("SIGCONT");
  }

  /** Sends a command on a connection of the test's own, and gives the reply with its bytes as text. */
  async call(...words) {
    this.#client ??= await this.client();
    return textOf(await this.#client.call(...words.map(String)));
  }

  client(database = 0) {
    return RedisClient.connect(this.url(database));
  }

  /** Every key of the database that `call` uses, in order. */
  async keys(pattern = "*") {
    return (await this.call("KEYS", pattern)).sort();
  }

  /** A field of INFO. */
  async info(section, field) {
    const text = await this.call("INFO", section);
    return new RegExp(`^${field}:(.*?)\r?$`, "m").exec(text)?.[1];
  }

  /** The connections of others than the test. */
  async connections() {
    const lines = (await this.call("CLIENT", "LIST")).trim().split("\n");
    const own = await this.call("CLIENT", "ID");
    return lines.filter((line) => !line.startsWith(`id=${own} `));
  }

  async close() {
    await this.stop("SIGKILL");
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Starts a server that the test's end, or the file's, stops. */
export async function redisServer(t, options) {
  const server = await RedisServer.start(options);
  t.after(() => server.close());
  return server;
}

/** Starts a server that copies another, and waits until it has. */
export async function replicaOf(t, primary, { args = [], ...options } = {}) {
  const link = ["--replicaof", HOST, `${primary.port}`, "--repl-diskless-sync-delay", "0"];
  const replica = await redisServer(t, { args: [...link, ...args], ...options });
  await until(
    async () => (await replica.info("replication", "master_link_status")) === "up" || undefined,
    "the replica to be in step",
  );
  return replica;
}

/** How often each command was called while `use` ran, without those of the test's own. */
export async function callsDuring(server, use) {
  await server.call("CONFIG", "RESETSTAT");
  await use();
  const text = await server.call("INFO", "commandstats");
  const calls = {};
  for (const [, name, count] of text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    calls[name] = Number(count);
  }
  delete calls.info;
  delete calls["config|resetstat"];
  delete calls.config;
  return calls;
}
