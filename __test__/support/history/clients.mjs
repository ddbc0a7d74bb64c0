// Runs transactions of a plan on a few objects of a directory, one after the other, and tells what happened. They run
// from outside and inside the object.
import { Miniflare } from "../../../index.mjs";
import { random } from "../random.mjs";
import { planner, runPlan } from "./plan.mjs";

const NAME = "HISTORY";
const SCRIPT = `
${runPlan}
export class Historian {
  constructor({ storage }) {
    this.storage = storage;
  }
  async fetch(request) {
    return Response.json(await runPlan(this.storage, await request.json()));
  }
}
export default { fetch: () => new Response("none") };
`;

const now = () => Number(process.hrtime.bigint());

/**
 * Runs `count` transactions, `concurrency` at a time. `say` is called with `invoke <n> <time> <steps>`, and then with
 * `ok <n> <time> <steps>` or `failed <n> <time> <error>`.
 */
export async function runClients({ directory, name, count, concurrency, seed, say, ...how }) {
  const { durability, maxOpen } = how;
  const mf = new Miniflare({
    modules: true,
    script: SCRIPT,
    durableObjects: { [NAME]: "Historian" },
    durableObjectsPersist: directory,
    durableObjectsDurability: durability,
    durableObjectsMaxOpen: maxOpen,
  });
  try {
    const namespace = await mf.getDurableObjectNamespace(NAME);
    const outside = async (plan) =>
      runPlan(await mf.getDurableObjectStorage(namespace.idFromName(plan.object)), plan);
    const inside = async (plan) => {
      const stub = namespace.get(namespace.idFromName(plan.object));
      const response = await stub.fetch("http://x/", {
        method: "POST",
        body: JSON.stringify(plan),
      });
      if (!response.ok) throw new Error(await response.text());
      return response.json();
    };
    const choices = random(seed);
    const next = planner(name, choices);
    say("ready");
    let started = 0;
    const client = async () => {
      while (started < count) {
        const number = started++;
        const plan = next();
        const run = choices.between(1, 3) === 1 ? inside : outside;
        say(`invoke ${number} ${now()} ${JSON.stringify(plan.steps)}`);
        try {
          const steps = await run(plan);
          say(`ok ${number} ${now()} ${JSON.stringify(steps)}`);
        } catch (error) {
          say(`failed ${number} ${now()} ${JSON.stringify(String(error.stack))}`);
        }
      }
    };
    await Promise.all(Array.from({ length: concurrency }, client));
  } finally {
    await mf.dispose();
  }
  say("done");
}

/** The transactions that the lines of one process tell of; those that it was killed in are "unknown". */
export function transactionsOf(process, lines) {
  const transactions = new Map();
  for (const line of lines) {
    const [word, number, at, ...rest] = line.split(" ");
    const told = rest.length > 0 ? JSON.parse(rest.join(" ")) : undefined;
    if (word === "invoke") {
      const steps = told.filter(({ f }) => f !== "pause");
      transactions.set(number, { process, status: "unknown", invoked: Number(at), steps });
    } else if (word === "ok") {
      Object.assign(transactions.get(number), { status: "ok", ended: Number(at), steps: told });
    } else if (word === "failed") {
      Object.assign(transactions.get(number), { status: "failed", ended: Number(at), error: told });
    }
  }
  return [...transactions.values()];
}
