/** Programs that show starvation, needless retries and endless ones; see programs.mjs for what they return. */
import { ATTEMPTS_MAX, attemptsOf, counted, increment } from "./attempts.mjs";
import { pause } from "./serializability.mjs";

/** A transaction that reads for long commits while others write what it reads all the time. */
async function starvedReader(storage) {
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
  await storage.put(Object.fromEntries(keys.map((key) => [key, 0])));
  let running = true;
  let writes = 0;
  const writer = async (offset) => {
    while (running && writes < 20_000) {
      await storage.put(keys[(writes++ * 7 + offset) % 50], writes);
      await pause();
    }
  };
  const writers = [0, 1, 2, 3].map(writer);
  const before = writes;
  const { attempts } = await counted(storage, async (txn) => {
    for (const key of keys) {
      await txn.get(key);
      await pause();
    }
    await txn.put("read", true);
  });
  const wentOn = writes > before && writes < 20_000;
  running = false;
  await Promise.all(writers);
  const shown = attempts > ATTEMPTS_MAX || !wentOn;
  return { shown, detail: `${attempts} attempts, ${writes} writes` };
}

/** 64 counters, each incremented by 64 transactions at once. */
async function counters(storage) {
  const keys = Array.from({ length: 64 }, (_, i) => `counter ${i}`);
  const all = await Promise.all(
    keys.flatMap((key) => Array.from({ length: 64 }, () => increment(storage, key))),
  );
  const values = [...(await storage.get(keys)).values()];
  const attempts = attemptsOf(all);
  const wrong = values.filter((value) => value !== 64).length;
  const shown = wrong > 0 || Math.max(...all.map((one) => one.attempts)) > ATTEMPTS_MAX;
  return {
    shown,
    detail: `${wrong} counters wrong, ${attempts} attempts for ${all.length} increments`,
  };
}

/** One counter, incremented by 64 transactions at once. */
async function contendedCounter(storage) {
  const all = await Promise.all(Array.from({ length: 64 }, () => increment(storage, "counter")));
  const value = await storage.get("counter");
  const most = Math.max(...all.map(({ attempts }) => attempts));
  const shown = value !== 64 || most > ATTEMPTS_MAX;
  return { shown, detail: `counter ${value}, at most ${most} attempts, ${attemptsOf(all)} in all` };
}

async function blindWrites(storage) {
  const write = (value) =>
    counted(storage, async (txn) => {
      await txn.put("k", value);
      await pause();
      await txn.put({ k: value, l: value });
    });
  const all = await Promise.all([1, 2, 3, 4].map(write));
  const found = await storage.get(["k", "l"]);
  const shown = attemptsOf(all) !== 4 || found.get("k") !== found.get("l");
  return { shown, detail: `${attemptsOf(all)} attempts for 4 transactions` };
}

async function disjointKeys(storage) {
  const all = await Promise.all(Array.from({ length: 12 }, (_, i) => increment(storage, `k${i}`)));
  return {
    shown: attemptsOf(all) !== 12,
    detail: `${attemptsOf(all)} attempts for 12 transactions`,
  };
}

/** Commits that have nothing to do with it, however many, do not make a transaction lose. */
async function forgottenCommits(storage) {
  const { attempts } = await counted(storage, async (txn, attempt) => {
    const value = (await txn.get("mine")) ?? 0;
    for (let i = 0; attempt < 3 && i < 100; i++) await storage.put(`theirs ${i}`, i);
    await txn.put("mine", value + 1);
  });
  return { shown: attempts !== 1, detail: `${attempts} attempts with 100 commits meanwhile` };
}

/** A closure that writes, around its transaction, what it reads through it can never commit: it must be told so. */
const selfConflict = (read, write) => async (storage) => {
  await storage.put({ a: 0, b: 0 });
  let attempts = 0;
  try {
    await storage.transaction(async (txn) => {
      attempts++;
      await read(txn);
      await write(storage, attempts);
      await txn.put("done", true);
    });
    return { shown: true, detail: `committed after ${attempts} attempts` };
  } catch (error) {
    const explained = /outside the transaction/.test(error.message);
    return { shown: !explained, detail: `${attempts} attempts: ${error.message}` };
  }
};

export const progress = {
  "long reader starved by short writers": starvedReader,
  "64 concurrent counters": counters,
  "one counter, 64 concurrent increments": contendedCounter,
  "retry of blind writes": blindWrites,
  "retry on disjoint keys": disjointKeys,
  "retry because commits were forgotten": forgottenCommits,
  "endless retry: a key written around the transaction": selfConflict(
    (txn) => txn.get("a"),
    (storage, attempt) => storage.put("a", attempt),
  ),
  "endless retry: a listed range written around the transaction": selfConflict(
    (txn) => txn.list({ start: "b" }),
    (storage, attempt) => storage.put(`c${attempt}`, attempt),
  ),
  "endless retry: the alarm set around the transaction": selfConflict(
    (txn) => txn.getAlarm(),
    (storage, attempt) => storage.setAlarm(4e12 + attempt),
  ),
  "endless retry: deleteAll around the transaction": selfConflict(
    (txn) => txn.get("a"),
    (storage) => storage.put("a", 1).then(() => storage.deleteAll()),
  ),
};
