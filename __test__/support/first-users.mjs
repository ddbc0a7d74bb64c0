/** Two first users of one new directory, of every kind that there is. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Child } from "./child.mjs";
import { packageRoot } from "./cli.mjs";
import { INCREMENTS, LONG_NAME, loadPackage, loadUser, storageIn } from "./first-user.mjs";
import { copyPackage } from "./package-copy.mjs";

const USER = fileURLToPath(new URL("first-user.mjs", import.meta.url));
const NAMES = ["one", "other"];

/** The ways to have a process id that another process has too. */
const NAMESPACES = [[], ["-Ur"]].map((rights) => [
  "unshare",
  ...rights,
  "--pid",
  "--fork",
  "--kill-child",
]);

/** What makes a process the first of its own numbering; none where the system forbids it. */
export const ownNumbering = NAMESPACES.find(
  ([program, ...args]) => spawnSync(program, [...args, "true"]).status === 0,
);

class ProcessUser {
  #child;

  constructor(command) {
    this.#child = new Child(USER, { command });
    this.#child.say(JSON.stringify({ package: packageRoot }));
  }

  ready = () => this.#child.heard("ready");

  async use(directory, name) {
    this.#child.say(JSON.stringify({ directory, name }));
    const { lines } = this.#child;
    const said = await Promise.race([this.#child.heard("done"), this.#child.heard("failed")]);
    assert.equal(said, "done", lines.join("\n"));
  }

  async end() {
    this.#child.kill();
    await this.#child.ended;
  }
}

class ThreadUser {
  #worker = new Worker(USER);
  #ready;

  constructor() {
    this.#worker.postMessage({ package: packageRoot });
    this.#ready = once(this.#worker, "message");
  }

  ready = () => this.#ready;

  async use(directory, name) {
    this.#worker.postMessage({ directory, name });
    const [said] = await once(this.#worker, "message");
    assert.equal(said, "done");
  }

  end = () => this.#worker.terminate();
}

class CopyUser {
  #use;

  constructor(packageDirectory) {
    this.#use = loadUser(packageDirectory);
  }

  ready = () => this.#use;
  use = async (directory, name) => (await this.#use)(directory, name);
  async end() {}
}

const copies = () => NAMES.map(() => new CopyUser(copyPackage()));

/** By what they are: makes two users. Where processes cannot have the same id, copies in one process always do. */
export const KINDS = {
  "two copies of the package in one process": copies,
  "two worker threads": () => NAMES.map(() => new ThreadUser()),
  "two processes": () => NAMES.map(() => new ProcessUser()),
  "two processes with the same process id": () =>
    ownNumbering ? NAMES.map(() => new ProcessUser(ownNumbering)) : copies(),
};

/** Kinds whose users are new ones for each directory: what they count begins at 0 again. */
const RENEWED = new Set(["two processes", "two processes with the same process id"]);

/** Has two users of a kind use `rounds` new directories, each at the same moment; throws what went wrong. */
export async function useFirst(kind, rounds) {
  let users = KINDS[kind]();
  try {
    for (let round = 1; round <= rounds; round++) {
      if (RENEWED.has(kind) && round > 1) {
        await Promise.all(users.map((user) => user.end()));
        users = KINDS[kind]();
      }
      await Promise.all(users.map((user) => user.ready()));
      await useOnce(users).catch((error) => {
        throw new Error(`Start ${round} of ${kind}: ${error.message}`, { cause: error });
      });
    }
  } finally {
    await Promise.all(users.map((user) => user.end()));
  }
}

async function useOnce(users) {
  const parent = await mkdtemp(path.join(os.tmpdir(), "ferroflare-first-"));
  try {
    const directory = path.join(parent, "data");
    const used = users.map((user, place) => user.use(directory, NAMES[place]));
    const ends = await Promise.allSettled(used);
    for (const { reason } of ends) if (reason) throw reason;
    await check(directory);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

/** Looks for everything that both have written, and that nothing else is left. */
async function check(directory) {
  const mf = (await loadPackage(packageRoot))(directory);
  try {
    const count = await (await storageIn(mf, "SHARED", "counter")).get("count");
    assert.equal(count, NAMES.length * INCREMENTS, "an update is lost");
    const long = await (await storageIn(mf, LONG_NAME, "names")).list();
    assert.deepEqual([...long.keys()], NAMES);
  } finally {
    await mf.dispose();
  }
  const corner = path.join(directory, ".ferroflare");
  const files = readdirSync(corner);
  const known = ["format", "locks", "names", "trash", "wanted"];
  assert.deepEqual(
    files.filter((file) => !known.includes(file)),
    [],
    "a draft is left",
  );
  assert.equal(readdirSync(path.join(corner, "names")).length, 1);
  for (const room of ["trash", "wanted"]) {
    const place = path.join(corner, room);
    assert.deepEqual(existsSync(place) ? readdirSync(place) : [], [], room);
  }
}
