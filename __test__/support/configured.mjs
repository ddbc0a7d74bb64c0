// Projects with a configuration file, for tests: their files, a worker that runs from them, and what it logs.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { Log, LogLevel, Miniflare } from "../../index.mjs";
import { temporaryDirectory } from "./cli.mjs";

/** Makes a directory of files; an object is JSON. */
export async function projectOf(t, files) {
  const directory = await temporaryDirectory(t);
  await addFiles(directory, files);
  return directory;
}

export async function addFiles(directory, files) {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    const text = typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`;
    await writeFile(file, text);
  }
}

/** A log that keeps its lines. */
export class LinesLog extends Log {
  lines = [];

  constructor() {
    super(LogLevel.INFO);
  }

  log(message) {
    this.lines.push(message);
  }
}

/** A `Miniflare` in a directory, with its log. */
export function serveIn(t, rootPath, options = {}) {
  const log = new LinesLog();
  const mf = new Miniflare({ wranglerConfigPath: true, rootPath, log, ...options });
  t.after(() => mf.dispose().catch(() => {}));
  const json = async (pathname = "/") => (await mf.dispatchFetch(`http://a${pathname}`)).json();
  const text = async (pathname = "/") => (await mf.dispatchFetch(`http://a${pathname}`)).text();
  return { mf, log, json, text };
}

/** A worker that answers with what it is asked for: a binding, or a property of the request. */
export const ECHO = `
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject { who() { return this.ctx.id.name; } query() { return this.ctx.storage.sql.exec("SELECT 1").toArray(); } }
export class Other extends Room {}
export default {
  async fetch(request, env) {
    const shown = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, ["Object", "String", "Number"].includes(value.constructor.name) ? value : value.constructor.name]));
    return Response.json({ env: shown, room: await env.ROOM?.getByName("a").who(), now: Date.now() > 0 });
  },
};
`;
