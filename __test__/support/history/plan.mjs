// What the transactions of a history do, and how one is run. `runPlan` stands alone: its text is also part of a worker script.

/** Lists of one key space, and the prefixes of its sets. */
const LISTS = 3;
const SETS = 2;
/** So many transactions of a process use the same objects, before they move on to the next ones. */
const EPOCH = 30;
const OBJECTS = 2;

/**
 * Runs the steps as one transaction over `storage`, or as they are if `plain` is set (one step); gives back what happened.
 */
export async function runPlan(storage, { plain, steps }) {
  const run = async (over) => {
    const happened = [];
    for (const step of steps) {
      const { f, key, value, prefix } = step;
      if (f === "read") {
        happened.push({ f, key, found: (await over.get(key)) ?? [] });
      } else if (f === "append") {
        const found = (await over.get(key)) ?? [];
        await over.put(key, [...found, value]);
        happened.push({ f: "read", key, found }, { f, key, value });
      } else if (f === "scan") {
        happened.push({ f, prefix, found: [...(await over.list({ prefix })).keys()] });
      } else if (f === "insert") {
        await over.put(key, 1);
        happened.push({ f, key });
      } else if (f === "pause") {
        await new Promise((resolve) => setTimeout(resolve, step.ms));
      }
    }
    return happened;
  };
  return plain ? run(storage) : storage.transaction(run);
}

/** Makes the plans of one process: each value and key that it writes is its own. */
export function planner(name, { between, pick }) {
  let made = 0;
  return () => {
    const number = made++;
    const object = `${Math.floor(number / EPOCH)}.${between(1, OBJECTS)}`;
    const list = () => `list:${object}:${between(1, LISTS)}`;
    const set = (place) => `set:${object}:${place}:`;
    const value = (part = 0) => `${name}.${number}.${part}`;
    const own = (place) => `${set(place)}${value()}`;
    const here = between(0, SETS - 1);
    const there = (here + 1) % SETS;
    const pause = between(1, 8) === 1 ? [{ f: "pause", ms: between(0, 3) }] : [];
    const plan = pick([
      // Lost update.
      () => ({ steps: [{ f: "append", key: list(), value: value() }] }),
      () => ({ steps: [{ f: "append", key: list(), value: value() }] }),
      // Write skew.
      () => ({
        steps: [{ f: "read", key: list() }, ...pause, { f: "append", key: list(), value: value() }],
      }),
      // Read skew.
      () => ({
        steps: [
          { f: "read", key: list() },
          ...pause,
          { f: "read", key: list() },
          { f: "scan", prefix: set(here) },
        ],
      }),
      // Atomicity.
      () => ({
        steps: [
          { f: "append", key: `list:${object}:1`, value: value(1) },
          ...pause,
          { f: "append", key: `list:${object}:2`, value: value(2) },
        ],
      }),
      // Phantoms.
      () => ({
        steps: [{ f: "scan", prefix: set(here) }, ...pause, { f: "insert", key: own(there) }],
      }),
      () => ({
        steps: [
          { f: "scan", prefix: set(here) },
          { f: "append", key: list(), value: value() },
          { f: "insert", key: own(here) },
        ],
      }),
      // Outside any transaction.
      () => ({ plain: true, steps: [{ f: "insert", key: own(here) }] }),
      () => ({ plain: true, steps: [{ f: "read", key: list() }] }),
      () => ({ plain: true, steps: [{ f: "scan", prefix: set(here) }] }),
    ])();
    return { object, ...plan };
  };
}
