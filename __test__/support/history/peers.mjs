// Processes with a Miniflare each that do what a test asks of them.
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../child.mjs";

const PEER = fileURLToPath(new URL("peer.mjs", import.meta.url));

/** Runs `use` with the path of a new directory, which goes afterwards. */
export async function withDirectory(use) {
  const directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-peers-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Runs `use` with `count` peers, and kills them. `settings` are those of `start()` in peer.mjs; `child` of `Child`. */
export async function withPeers(count, settings, use, child) {
  const peers = Array.from({ length: count }, () => new Child(PEER, child));
  try {
    for (const peer of peers) {
      peer.say(JSON.stringify(settings));
      await peer.heard("ready");
    }
    return await use(...peers);
  } finally {
    for (const peer of peers) peer.kill();
    await Promise.all(peers.map((peer) => peer.ended));
  }
}

let asked = 0;

/** Asks a peer for an act of peer.mjs, and gives its answer. Rejects with the message and code of its error. */
export async function ask(peer, act, ...given) {
  const number = asked++;
  peer.say(JSON.stringify([number, act, ...given]));
  const line = await peer.heard(`answer-${number}`);
  const { value, error } = JSON.parse(line.slice(line.indexOf(" ") + 1));
  if (error !== undefined) throw Object.assign(new Error(error.message), error);
  return value;
}
