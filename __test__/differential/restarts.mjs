/**
 * Our side of the differential test with its data in a place that lasts. Where a program says `restarts: [steps]`, the
 * Miniflare is disposed before that step. Another one goes on in the same place.
 */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describeThrown } from "./describe.mjs";
import { interpret } from "./interpret.mjs";
import { look } from "./look.mjs";
import { options, ours } from "./subjects.mjs";

/** What later steps refer to does not outlive the process that it stands for. */
const refersBack = (program) => /"(as|leak)":/.test(JSON.stringify(program));

/** Draws where to restart: at up to two of the program's steps, and before the look at what it has left behind. */
export function withRestarts(program, random) {
  if (refersBack(program)) return program;
  const restarts = random.many(0, 2, () => random.between(1, program.steps.length));
  return { ...program, restarts: [...new Set(restarts)].sort((a, b) => a - b) };
}

/** A program's steps in parts, each with the index of its first step. */
function parts({ steps, restarts = [] }) {
  const starts = [0, ...restarts.filter((index) => index < steps.length)];
  return starts.map((from, i) => ({ from, steps: steps.slice(from, starts[i + 1]) }));
}

/** Gives the records of a part the paths that they have in the whole program. */
function shifted(records, from) {
  return records.map((record) => {
    const [first, ...rest] = record.path.split(".");
    return { ...record, path: [Number(first) + from, ...rest].join(".") };
  });
}

export class RestartingSubject {
  #Miniflare;
  #extra;
  #remove;
  #miniflare;
  #objects = 0;
  restarts = 0;

  /** `extra` are further options, among them the place; `remove` ends the place. */
  constructor(name, Miniflare, extra, remove) {
    this.name = name;
    this.#Miniflare = Miniflare;
    this.#extra = extra;
    this.#remove = remove;
    this.#open();
  }

  #open() {
    this.#miniflare = new this.#Miniflare({ ...options, ...ours.extra, ...this.#extra });
  }

  async #restart() {
    await this.#miniflare.dispose();
    this.#open();
    this.restarts++;
  }

  /** Runs the program in an object of its own and ends with a look at what it left behind. */
  async run(program) {
    const object = `object ${this.#objects++}`;
    const records = [];
    let fetched;
    for (const { from, steps } of parts(program)) {
      if (from > 0) await this.#restart();
      const part = { ...program, steps };
      const reached = await this.#reach(program, object);
      if (!program.inside) {
        records.push(...shifted(await interpret(part, reached), from));
        continue;
      }
      const answer = await inside(part, reached.stub);
      records.push(...shifted(answer.records, from));
      if (fetched === undefined || fetched.how === "resolved") fetched = answer.fetched;
    }
    if (fetched !== undefined) records.push(fetched);
    // An object without alarm() says so only after it has been started.
    const startedPlain = program.inside && program.object === "PLAIN";
    if (program.restarts?.includes(program.steps.length) && !startedPlain) await this.#restart();
    const { storage } = await this.#reach(program, object);
    return [...records, ...(await look(storage))];
  }

  async #reach(program, object) {
    const namespaceOf = (name) => this.#miniflare.getDurableObjectNamespace(name);
    const own = await namespaceOf(program.object ?? "ALARMED");
    const id = own.idFromName(object);
    return {
      stub: own.get(id),
      storage: await this.#miniflare.getDurableObjectStorage(id),
      namespace: await namespaceOf("ALARMED"),
      other: await namespaceOf("OTHER"),
    };
  }

  async dispose() {
    await this.#miniflare.dispose();
    await this.#remove();
  }
}

async function inside(program, stub) {
  const fetched = { path: "fetch", target: "stub", call: "fetch" };
  try {
    const body = JSON.stringify({ program });
    const response = await stub.fetch("https://object/", { method: "POST", body });
    Object.assign(fetched, { how: "resolved", text: await response.text() });
  } catch (error) {
    Object.assign(fetched, { how: "rejected", text: describeThrown(error) });
  }
  const response = await stub.fetch("https://object/records");
  return { fetched, records: (await response.json()) ?? [] };
}

/** `extra` is further options. The directory is new, and goes when the subject is disposed. */
export async function openOursOnFiles(extra) {
  const { Miniflare } = await import("../../index.mjs");
  const directory = await mkdtemp(path.join(os.tmpdir(), "ferroflare-differential-"));
  const name = `ferroflare on files, ${extra.durableObjectsDurability}`;
  const place = { durableObjectsPersist: directory, ...extra };
  const remove = () => rm(directory, { recursive: true, force: true });
  return new RestartingSubject(name, Miniflare, place, remove);
}

/** On the server, or the servers, of that URL. */
export async function openOursOnRedis(durableObjectsPersist) {
  const { Miniflare } = await import("../../index.mjs");
  const name = "ferroflare on Redis";
  return new RestartingSubject(name, Miniflare, { durableObjectsPersist }, async () => {});
}
