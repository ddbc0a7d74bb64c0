// A load on one object that notices what is lost, applied twice, applied late, or never answered.
import { Miniflare } from "../../index.mjs";

const NAME = "LOAD";
const SCRIPT = `
export class Loaded {}
export default { fetch() {} }`;
const CLIENTS = 3;
/** No answer takes as long. */
const ANSWER_MS_MAX = 60_000;

function open(url) {
  return new Miniflare({
    modules: true,
    script: SCRIPT,
    durableObjects: { [NAME]: "Loaded" },
    durableObjectsPersist: url,
    durableObjectsAlarms: false,
  });
}

async function storageOf(mf, object) {
  const namespace = await mf.getDurableObjectNamespace(NAME);
  return mf.getDurableObjectStorage(namespace.idFromName(object));
}

/**
 * Clients of several instances, each with a connection of its own. They do two things again and again: count in a
 * transaction and leave a receipt, and put a new key with its number.
 */
export class Load {
  #instances;
  #object;
  #working = true;
  #running;
  #watching = new Set();
  /** Receipts and puts, by client. */
  acknowledged = new Map();
  issued = new Map();
  failures = [];
  done = 0;

  constructor(urls, object = "object") {
    this.#instances = urls.map(open);
    this.#object = object;
    this.#running = this.#run();
    this.#running.catch(() => {});
  }

  async #run() {
    const clients = this.#instances.map(async (mf, instance) => {
      const storage = await storageOf(mf, this.#object);
      const each = Array.from({ length: CLIENTS }, (_, client) => {
        const name = `${instance}.${client}`;
        return client === 0 ? this.#put(storage, name) : this.#count(storage, name);
      });
      await Promise.all(each);
    });
    await Promise.all(clients);
  }

  #count(storage, client) {
    return this.#each(client, (number) =>
      storage.transaction(async (txn) => {
        const count = ((await txn.get("count")) ?? 0) + 1;
        await txn.put({ count, [`receipt:${client}:${number}`]: count });
      }),
    );
  }

  #put(storage, client) {
    return this.#each(client, (number) =>
      storage.put({ [`put:${client}:${number}`]: number, [`last:${client}`]: number }),
    );
  }

  async #each(client, run) {
    const acknowledged = new Set();
    this.acknowledged.set(client, acknowledged);
    for (let number = 1; this.#working; number++) {
      this.issued.set(client, number);
      try {
        await inTime(run(number), `operation ${number} of client ${client}`);
        acknowledged.add(number);
      } catch (error) {
        this.failures.push(error);
        // An error that comes at once would never let anything else run.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      this.done++;
      for (const watch of this.#watching) watch();
    }
  }

  /** Waits until each client has had so many more operations acknowledged. */
  async goesOn(more = 5) {
    const wanted = new Map();
    for (const [client, acknowledged] of this.acknowledged) {
      wanted.set(client, acknowledged.size + more);
    }
    const clients = this.#instances.length * CLIENTS;
    const there = () =>
      this.acknowledged.size === clients &&
      [...this.acknowledged].every(([client, { size }]) => size >= (wanted.get(client) ?? more));
    let watch;
    const reached = new Promise((resolve) => {
      watch = () => there() && resolve();
      this.#watching.add(watch);
      watch();
    });
    try {
      await inTime(Promise.race([reached, this.#running]), "the load to go on");
    } finally {
      this.#watching.delete(watch);
    }
    if (!there()) throw new Error("the load has ended");
  }

  /** Ends the load. */
  async stop() {
    this.#working = false;
    await this.#running;
    for (const mf of this.#instances) await mf.dispose();
  }

  /**
   * What is wrong with what is there, as texts; read by an instance of its own. `forgetful` is a server that may forget
   * the newest writes, as one does that dies before its replica has them: the others must fit together.
   */
  async problems(url, { forgetful = false } = {}) {
    const mf = open(url);
    try {
      const found = await (await storageOf(mf, this.#object)).list();
      if (forgetful) for (const numbers of this.acknowledged.values()) numbers.clear();
      return [...this.#wrongCounts(found), ...this.#wrongPuts(found)];
    } finally {
      await mf.dispose();
    }
  }

  #wrongCounts(found) {
    const problems = [];
    const receipts = [...found].filter(([key]) => key.startsWith("receipt:"));
    const count = found.get("count") ?? 0;
    if (receipts.length !== count) {
      problems.push(`the count is ${count}, but there are ${receipts.length} receipts`);
    }
    const counts = new Set(receipts.map(([, value]) => value));
    if (counts.size !== receipts.length) problems.push("two receipts are for the same count");
    for (const [client, numbers] of this.acknowledged) {
      if (client.endsWith(".0")) continue;
      for (const number of numbers) {
        if (!found.has(`receipt:${client}:${number}`)) {
          problems.push(`increment ${number} of client ${client} was acknowledged and is lost`);
        }
      }
    }
    return problems;
  }

  #wrongPuts(found) {
    const problems = [];
    for (const [client, numbers] of this.acknowledged) {
      if (!client.endsWith(".0")) continue;
      for (const number of numbers) {
        if (found.get(`put:${client}:${number}`) !== number) {
          problems.push(`put ${number} of client ${client} was acknowledged and is lost`);
        }
      }
      const last = found.get(`last:${client}`) ?? 0;
      const known = Math.max(0, ...numbers);
      if (last < known || last > this.issued.get(client)) {
        problems.push(`the last put of client ${client} is ${last}, after ${known}`);
      }
    }
    return problems;
  }
}

function inTime(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`gave up waiting for ${what}`)), ANSWER_MS_MAX);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
