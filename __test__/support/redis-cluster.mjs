// Starts Redis Clusters and Sentinels, and waits until they have agreed.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { until } from "./cli.mjs";
import { RedisServer, redisServer, replicaOf } from "./redis.mjs";

const SLOTS = 16_384;
const NODE_TIMEOUT_MS = 1000;
/** What sentinels call the primary that they watch. */
export const SENTINEL_NAME = "mymaster";

/** Several servers that share the slots, each primary with so many replicas. */
export class RedisCluster {
  primaries = [];
  replicas = [];

  static async start({ primaries = 3, replicas = 0, args = [], ...options } = {}) {
    const cluster = new RedisCluster();
    try {
      const count = primaries * (1 + replicas);
      const clustered = [
        ...["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"],
        ...["--cluster-node-timeout", `${NODE_TIMEOUT_MS}`, "--repl-diskless-sync-delay", "0"],
      ];
      const nodes = [];
      for (let i = 0; i < count; i++) nodes.push(await startNode([...clustered, ...args], options));
      cluster.primaries = nodes.slice(0, primaries);
      cluster.replicas = nodes.slice(primaries);
      await cluster.#form();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  get nodes() {
    return [...this.primaries, ...this.replicas];
  }

  /** The URL that names every primary. */
  url() {
    return `redis://${this.primaries.map(({ host }) => host).join(",")}`;
  }

  async #form() {
    const share = Math.ceil(SLOTS / this.primaries.length);
    for (const [i, node] of this.primaries.entries()) {
      const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
      await node.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
      await node.call("CLUSTER", "ADDSLOTS", ...slots.slice(i * share, (i + 1) * share));
    }
    const [first, ...others] = this.nodes;
    for (const { port } of others) await first.call("CLUSTER", "MEET", "127.0.0.1", port);
    await this.#each(async (node) => {
      const known = await node.call("CLUSTER", "NODES");
      return known
        .trim()
        .split("\n")
        .filter((line) => !/handshake|noaddr/.test(line)).length === this.nodes.length
        ? true
        : undefined;
    }, "the nodes to know each other");
    for (const [i, replica] of this.replicas.entries()) {
      const id = await this.primaries[i % this.primaries.length].call("CLUSTER", "MYID");
      await replica.call("CLUSTER", "REPLICATE", id);
    }
    await this.settled();
  }

  /** Waits until every living node says that every slot is served, and every replica is in step. */
  async settled(nodes = this.nodes) {
    const replicas = this.replicas.filter((node) => nodes.includes(node));
    await this.#each(
      async (node) => /cluster_state:ok/.test(await node.call("CLUSTER", "INFO")) || undefined,
      "the cluster to be whole",
      nodes,
    );
    await this.#each(
      async (node) =>
        (await node.info("replication", "role")) === "master" ||
        (await node.info("replication", "master_link_status")) === "up" ||
        undefined,
      "the replicas to be in step",
      replicas,
    );
  }

  async #each(attempt, what, nodes = this.nodes) {
    for (const node of nodes) await until(() => attempt(node), what);
  }

  /** The primary that has a key. */
  async primaryOf(key) {
    const slot = await this.primaries[0].call("CLUSTER", "KEYSLOT", key);
    for (const node of this.nodes) {
      const slots = await node.call("CLUSTER", "SLOTS").catch(() => []);
      for (const [from, to, [, port]] of slots) {
        if (slot >= from && slot <= to) return this.nodes.find((other) => other.port === port);
      }
    }
    throw new Error(`No server serves the slot ${slot}.`);
  }

  close() {
    return Promise.all(this.nodes.map((node) => node.close()));
  }
}

/** Nodes of a cluster talk to each other on their port and 10,000. */
async function startNode(args, options) {
  for (;;) {
    const node = await RedisServer.start({ ...options, args });
    if (node.port + 10_000 <= 65_535) return node;
    await node.close();
  }
}

/** Starts a cluster that the test's end stops. */
export async function redisCluster(t, options) {
  const cluster = await RedisCluster.start(options);
  t.after(() => cluster.close());
  return cluster;
}

/** Starts a primary, a replica, and sentinels that make the replica the primary when the primary is gone. */
export async function redisSentinels(t, { count = 3 } = {}) {
  const primary = await redisServer(t);
  const replica = await replicaOf(t, primary);
  const sentinels = [];
  for (let i = 0; i < count; i++) sentinels.push(await sentinel(t, primary, i, count));
  for (const one of sentinels) {
    await until(async () => {
      const state = pairs(await one.call("SENTINEL", "MASTER", SENTINEL_NAME));
      const agreed = state["num-other-sentinels"] === `${count - 1}` && state["num-slaves"] === "1";
      return agreed || undefined;
    }, "the sentinels to know each other");
  }
  const hosts = sentinels.map(({ host }) => host).join(",");
  return { primary, replica, sentinels, url: `redis://${hosts}/0?sentinel=${SENTINEL_NAME}` };
}

/** A sentinel writes what it knows into its configuration. */
async function sentinel(t, primary, number, count) {
  const quorum = Math.floor(count / 2) + 1;
  const file = path.join(primary.directory, `sentinel-${number}.conf`);
  writeFileSync(
    file,
    [
      `sentinel monitor ${SENTINEL_NAME} 127.0.0.1 ${primary.port} ${quorum}`,
      `sentinel down-after-milliseconds ${SENTINEL_NAME} ${NODE_TIMEOUT_MS}`,
      `sentinel failover-timeout ${SENTINEL_NAME} 5000`,
      "",
    ].join("\n"),
  );
  return redisServer(t, { sentinel: file });
}

function pairs(words) {
  return Object.fromEntries(
    Array.from({ length: words.length / 2 }, (_, i) => [words[2 * i], words[2 * i + 1]]),
  );
}
