/** What tests of persistence look at: a directory of objects as it is on disk, and the files a process has open. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";

/** A worker whose object counts, stores what it is told and says what it has; `OBJECT` is its binding. */
export const script = `
export class Counter {
  constructor(state) {
    this.storage = state.storage;
  }
  async fetch(request) {
    const count = ((await this.storage.get("count")) ?? 0) + 1;
    await this.storage.put("count", count);
    return new Response(String(count));
  }
  alarm() {}
}
export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.slice(1) || "a";
    return env.OBJECT.get(env.OBJECT.idFromName(name)).fetch(request);
  }
}`;

export const options = { modules: true, script, durableObjects: { OBJECT: "Counter" } };

export async function count(mf, name = "a") {
  const response = await mf.dispatchFetch(`http://localhost:8787/${name}`);
  return Number(await response.text());
}

/** The storage of the object of that name, and its id. */
export async function storageOf(mf, name = "a", binding = "OBJECT") {
  const namespace = await mf.getDurableObjectNamespace(binding);
  const id = namespace.idFromName(name);
  return { id: String(id), storage: await mf.getDurableObjectStorage(id) };
}

/** The directories of objects in a root, as `NAME/id`. */
export function objectsIn(root) {
  return list(root)
    .filter(({ name }) => name !== ".ferroflare")
    .flatMap(({ name }) => list(path.join(root, name)).map((entry) => `${name}/${entry.name}`))
    .sort();
}

/** Every file below a directory that is there; none if it is not. */
export function filesIn(directory) {
  return list(directory).flatMap((entry) => {
    const file = path.join(directory, entry.name);
    return entry.isDirectory() ? filesIn(file) : [file];
  });
}

/** Whether a text occurs in any file below a directory. */
export function isOnDisk(directory, text) {
  return filesIn(directory).some((file) => readFileSync(file).includes(text));
}

/** The files of a directory that a process has open, where the system tells. */
export function openFiles(directory, pid = "self") {
  const links = `/proc/${pid}/fd`;
  return list(links)
    .map(({ name }) => {
      try {
        return readlinkSync(path.join(links, name));
      } catch {
        return "";
      }
    })
    .filter((file) => file.startsWith(directory));
}

function list(directory) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  }
}
