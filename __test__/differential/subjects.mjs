/** The two sides of the differential test behind one face: run a program in a fresh object, return its records. */
import { fileURLToPath } from "node:url";
import { withDefect } from "./defects.mjs";
import { describeThrown } from "./describe.mjs";
import { interpret } from "./interpret.mjs";
import { look } from "./look.mjs";

const OUTSIDE_LIMIT_MS = 30_000;

export const options = {
  modules: true,
  scriptPath: fileURLToPath(new URL("worker.mjs", import.meta.url)),
  durableObjects: { ALARMED: "Alarmed", PLAIN: "Plain", OTHER: "Alarmed" },
};

async function orHang(promise) {
  let timer;
  const hang = new Promise((resolve) => {
    timer = setTimeout(() => resolve([{ path: "hang", text: "did not finish" }]), OUTSIDE_LIMIT_MS);
  });
  return Promise.race([promise, hang]).finally(() => clearTimeout(timer));
}

export class Subject {
  #miniflare;
  #defect;
  #objects = 0;

  constructor(name, Miniflare, { extra = {}, defect } = {}) {
    this.name = name;
    this.#miniflare = new Miniflare({ ...options, ...extra });
    this.#defect = defect;
  }

  /** Runs the program in an object of its own and ends with a look at what it left behind. */
  async run(program) {
    const namespace = await this.#miniflare.getDurableObjectNamespace(program.object ?? "ALARMED");
    const id = namespace.idFromName(`object ${this.#objects++}`);
    return orHang(this.#records(program, namespace, id));
  }

  async #records(program, namespace, id) {
    const storage = withDefect(await this.#miniflare.getDurableObjectStorage(id), this.#defect);
    const records = program.inside
      ? await this.#inside(program, namespace.get(id))
      : await interpret(program, {
          storage,
          namespace: await this.#miniflare.getDurableObjectNamespace("ALARMED"),
          other: await this.#miniflare.getDurableObjectNamespace("OTHER"),
        });
    return [...records, ...(await look(storage))];
  }

  async #inside(program, stub) {
    const body = JSON.stringify({ program, defect: this.#defect });
    const fetched = { path: "fetch", target: "stub", call: "fetch" };
    try {
      const response = await stub.fetch("https://object/", { method: "POST", body });
      Object.assign(fetched, { how: "resolved", text: await response.text() });
    } catch (error) {
      Object.assign(fetched, { how: "rejected", text: describeThrown(error) });
    }
    const response = await stub.fetch("https://object/records");
    return [...((await response.json()) ?? []), fetched];
  }

  dispose() {
    return this.#miniflare.dispose();
  }
}

/** The limits are made equal: the reference knows no other than 128 KiB. */
export const ours = { extra: { durableObjectsMaxValueSize: 131_072 } };

export async function openReference(settings = {}) {
  const { Miniflare } = await import("miniflare");
  return new Subject("miniflare@2.14.4", Miniflare, settings);
}

export async function openOurs(settings = {}) {
  const { Miniflare } = await import("../../index.mjs");
  return new Subject("ferroflare", Miniflare, { ...ours, ...settings });
}
