// What is tortured: a directory, or a Redis.
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { RedisClient } from "../../dist/cli/import/redis/client.js";
import { sleep } from "../support/child.mjs";
import { CuttingProxy } from "../support/proxy.mjs";
import { RedisServer, redisVersion } from "../support/redis.mjs";
import { CREWS } from "./crew.mjs";
import { NAME } from "./object.mjs";

/** Time between two faults of a server, in milliseconds. */
const FAULTS_APART_MS = [20, 150];

class FilesPlace {
  backend = "file";
  durabilities = ["fsync", "process"];
  crews = CREWS;
  faults = [undefined];
  #directory;

  static async create() {
    return new FilesPlace();
  }

  /** Starts with nothing. */
  async renew() {
    await this.#remove();
    this.#directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-torture-"));
  }

  /** What the Miniflare of a slot, or of no slot, persists to. */
  path() {
    return this.#directory;
  }

  get shown() {
    return this.#directory;
  }

  /** Lets the fault happen again and again until `over`; gives how often. */
  async disturb() {
    return 0;
  }

  async close({ keep }) {
    if (!keep) await this.#remove();
  }

  async #remove() {
    if (this.#directory) await rm(this.#directory, { recursive: true, force: true });
  }

  /** The alarms that will be found, as `time.NAME.id`. */
  static async markers(directory) {
    try {
      return readdirSync(path.join(directory, ".ferroflare", "alarms"));
    } catch {
      return [];
    }
  }
}

/** What can happen to a server; each lasts shorter than operations wait for it. */
const FAULTS = {
  none: () => sleep(50),
  "CLIENT KILL": ({ server }) => server.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
  "CLIENT PAUSE": async ({ server }) => {
    await server.call("CLIENT", "PAUSE", 150);
    await sleep(150);
  },
  "CLIENT PAUSE WRITE": async ({ server }) => {
    await server.call("CLIENT", "PAUSE", 150, "WRITE");
    await sleep(150);
  },
  "DEBUG SLEEP": ({ server }) => server.call("DEBUG", "SLEEP", 0.15),
  "SCRIPT FLUSH": ({ server }) => server.call("SCRIPT", "FLUSH"),
  restart: async ({ server }) => {
    await server.stop("SIGTERM");
    await server.restart();
  },
  crash: async ({ server }) => {
    await server.stop("SIGKILL");
    await server.restart();
  },
  "cut request": ({ proxy }) => cut(proxy.cutRequests(between(0, 4000))),
  "cut reply": ({ proxy }) => cut(proxy.cutReplies(between(0, 400))),
  "lost reply": ({ proxy }) => cut(proxy.cutAfterRequest("EVALSHA")),
};

/** A cut waits for a connection to hit; none may be left. */
const cut = (done) => Promise.race([done, sleep(100)]);
const between = (low, high) => low + Math.floor(Math.random() * (high - low + 1));

class RedisPlace {
  backend = "redis";
  durabilities = ["fsync"];
  crews = CREWS;
  // Redis 6.0 cannot pause writes alone.
  faults = Object.keys(FAULTS).filter(
    (fault) => fault !== "CLIENT PAUSE WRITE" || redisVersion() >= 7,
  );
  #server;
  #proxy;

  static async create() {
    const place = new RedisPlace();
    place.#server = await RedisServer.start({ aof: true });
    place.#proxy = await CuttingProxy.start(place.#server.port);
    return place;
  }

  async renew() {
    await this.#server.call("FLUSHALL");
  }

  /** Every second process goes through the proxy. */
  path(slot = 1) {
    return slot % 2 === 0 ? this.#proxy.url() : this.#server.url();
  }

  get shown() {
    return this.#server.directory;
  }

  async disturb(fault, over) {
    let going = true;
    over
      .finally(() => {
        going = false;
      })
      .catch(() => {});
    let count = 0;
    while (going) {
      await Promise.race([sleep(between(...FAULTS_APART_MS)), over]);
      if (!going) break;
      await FAULTS[fault]({ server: this.#server, proxy: this.#proxy });
      count++;
    }
    this.#proxy.disarm();
    return count;
  }

  async close({ keep }) {
    await this.#proxy.close();
    if (keep) await this.#server.stop();
    else await this.#server.close();
  }

  static async markers(url) {
    const client = await RedisClient.connect(url);
    try {
      const found = await client.call("ZRANGE", `${NAME}:alarms`, "0", "-1", "WITHSCORES");
      const words = found.map(String);
      return words.flatMap((member, i) => {
        const [id] = i % 2 === 0 ? (/[0-9a-f]{64}/.exec(member) ?? []) : [];
        return id ? [`${Number(words[i + 1])}.${NAME}.${id}`] : [];
      });
    } finally {
      client.close();
    }
  }
}

/** By the name of their backend. */
export const PLACES = { file: FilesPlace, redis: RedisPlace };
