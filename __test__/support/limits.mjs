// Disks and processes with limits, for tests of what fails there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** Sets a limit of a running process. */
export function limit(peer, name, value) {
  const { status, stderr } = spawnSync("prlimit", [
    "--pid",
    String(peer.pid),
    `--${name}=${value}:`,
  ]);
  assert.equal(status, 0, String(stderr));
}

/** A command that runs what follows with a file system of 8 MiB mounted on a directory, where that is allowed. */
function smallFileSystem(directory) {
  const script = `mount -t tmpfs -o size=8m tmpfs "${directory}" && exec "$0" "$@"`;
  const ways = [
    ["unshare", "-m"],
    ["unshare", "-rm"],
  ].map((way) => [...way, "sh", "-c", script]);
  return ways.find(([program, ...args]) => spawnSync(program, [...args, "true"]).status === 0);
}

/** An empty directory, and the command that mounts a small file system on it for its own process; nothing where that is not allowed. */
export const mountPoint = mkdtempSync(path.join(os.tmpdir(), "ferroflare-small-"));
export const mounting = smallFileSystem(mountPoint);
process.on("exit", () => rmSync(mountPoint, { recursive: true, force: true }));
