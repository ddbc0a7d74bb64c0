/**
 * The anomalies of weak isolation as small programs over one object's storage. Each returns what a user would see:
 * `shown` tells whether the anomaly happened, `detail` what was observed. They run on ours in transactions/anomalies.test.mjs and
 * on the reference in bench/anomalies-reference.mjs.
 */
import { ATTEMPTS_MAX, counted, increment } from "./attempts.mjs";
import { progress } from "./progress-programs.mjs";
import { findCycle, pause } from "./serializability.mjs";

const sum = (map) => [...map.values()].reduce((total, value) => total + value, 0);

async function lostUpdate(storage) {
  await Promise.all(Array.from({ length: 8 }, () => increment(storage, "counter")));
  const counter = await storage.get("counter");
  return { shown: counter !== 8, detail: `8 increments, counter ${counter}` };
}

async function lostPlainUpdate(storage) {
  await storage.put("counter", 0);
  await counted(storage, async (txn, attempt) => {
    const value = await txn.get("counter");
    if (attempt === 1) await storage.put("counter", 10);
    await txn.put("counter", value + 1);
  });
  const counter = await storage.get("counter");
  return { shown: counter !== 11, detail: `10 put meanwhile, then incremented: ${counter}` };
}

async function writeSkew(storage) {
  await storage.put({ x: 1, y: 1 });
  const leave = (key) =>
    counted(storage, async (txn) => {
      const onCall = sum(await txn.get(["x", "y"]));
      await pause();
      if (onCall > 1) await txn.put(key, 0);
    });
  await Promise.all([leave("x"), leave("y")]);
  const left = sum(await storage.list());
  return { shown: left < 1, detail: `one must stay, ${left} stayed` };
}

/** Two transactions that each insert into a range only if they find it empty. */
async function phantom(storage) {
  const book = (name) =>
    counted(storage, async (txn) => {
      const taken = await txn.list({ prefix: "room/" });
      await pause();
      if (taken.size === 0) await txn.put(`room/${name}`, 1);
    });
  await Promise.all([book("a"), book("b"), book("c")]);
  const bookings = await storage.list({ prefix: "room/" });
  return { shown: bookings.size !== 1, detail: `one room, ${bookings.size} bookings` };
}

/** The answer of a limited list that was not filled depends on every key of its range. */
async function phantomUnderLimit(storage) {
  await storage.put("queue/1", 1);
  const enqueue = (name) =>
    counted(storage, async (txn) => {
      const waiting = await txn.list({ prefix: "queue/", limit: 2 });
      await pause();
      if (waiting.size < 2) await txn.put(`queue/${name}`, 1);
    });
  await Promise.all([enqueue("2"), enqueue("3")]);
  const { size } = await storage.list({ prefix: "queue/" });
  return { shown: size !== 2, detail: `room for two, ${size} entered` };
}

/** A key inserted between the listed ones pushes the last of a filled list out. */
async function phantomWithinLimit(storage) {
  await storage.put({ "n/1": 1, "n/3": 3, "n/5": 5 });
  const { result, attempts } = await counted(storage, async (txn, attempt) => {
    const first = await txn.list({ prefix: "n/", limit: 2 });
    if (attempt === 1) await storage.put("n/2", 2);
    await txn.put("sum", sum(first));
    return [...first.keys()].join();
  });
  const shown = attempts !== 2 || result !== "n/1,n/2";
  return { shown, detail: `${attempts} attempts, committed on ${result}` };
}

/** A key past the last listed one of a filled list is none of the transaction's business. */
async function insertPastLimit(storage) {
  await storage.put({ "n/1": 1, "n/2": 2, "n/3": 3 });
  const { attempts } = await counted(storage, async (txn, attempt) => {
    await txn.list({ prefix: "n/", limit: 2 });
    if (attempt < 3) await storage.put(`n/9${attempt}`, 9);
    await txn.put("done", true);
  });
  return { shown: attempts !== 1, detail: `${attempts} attempts` };
}

async function phantomDeleteAll(storage) {
  await storage.put({ "a/1": 1, "a/2": 2 });
  const { result, attempts } = await counted(storage, async (txn, attempt) => {
    const { size } = await txn.list();
    if (attempt === 1) await storage.deleteAll();
    await txn.put("size", size);
    return size;
  });
  return {
    shown: attempts !== 2 || result !== 0,
    detail: `${attempts} attempts, ${result} listed`,
  };
}

/** Whatever an attempt reads, also one that will be retried, belongs to one state. */
async function readSkew(storage) {
  await storage.put({ x: 60, y: 40 });
  const seen = new Set();
  await counted(storage, async (txn, attempt) => {
    const x = await txn.get("x");
    if (attempt <= 2) await storage.put({ x: x - 10, y: 110 - x });
    const y = await txn.get("y");
    seen.add(x + y);
    await txn.put("sum", x + y);
  });
  return { shown: [...seen].join() !== "100", detail: `x + y is always 100, seen ${[...seen]}` };
}

/** The same through list(), many readers and transfers at once. */
async function readSkewInLists(storage) {
  const accounts = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`account/${i}`, 100]));
  await storage.put(accounts);
  const seen = new Set();
  const transfer = (from, to) =>
    counted(storage, async (txn) => {
      const balance = await txn.get([`account/${from}`, `account/${to}`]);
      await pause();
      await txn.put({
        [`account/${from}`]: balance.get(`account/${from}`) - 1,
        [`account/${to}`]: balance.get(`account/${to}`) + 1,
      });
    });
  const audit = () =>
    counted(storage, async (txn) => {
      const low = await txn.list({ prefix: "account/", end: "account/4" });
      await pause();
      const high = await txn.list({ prefix: "account/", start: "account/4" });
      seen.add(sum(low) + sum(high));
    });
  const work = Array.from({ length: 40 }, (_, i) =>
    i % 4 === 0 ? audit() : transfer(i % 8, (i * 3 + 1) % 8),
  );
  await Promise.all(work);
  seen.add(sum(await storage.list({ prefix: "account/" })));
  return {
    shown: [...seen].join() !== "800",
    detail: `the total is always 800, seen ${[...seen]}`,
  };
}

async function unrepeatableRead(storage) {
  await storage.put("k", 1);
  const pairs = [];
  await counted(storage, async (txn, attempt) => {
    const first = await txn.get("k");
    if (attempt === 1) await storage.put("k", 2);
    const second = await txn.get("k");
    pairs.push(`${first} then ${second}`);
    await txn.put("copy", second);
  });
  return { shown: pairs.join() !== "2 then 2", detail: pairs.join() };
}

async function dirtyRead(storage) {
  await storage.put("k", "clean");
  const seen = new Set();
  const look = async () => {
    seen.add(await storage.get("k"));
    seen.add((await storage.list()).get("k"));
    await storage.transaction(async (txn) => seen.add(await txn.get("k")));
  };
  const failing = storage.transaction(async (txn) => {
    await txn.put("k", "dirty");
    await look();
    throw new Error("undo");
  });
  await failing.catch(() => {});
  await storage.transaction(async (txn) => {
    await txn.put("k", "dirty");
    await look();
    txn.rollback();
  });
  await look();
  return { shown: [...seen].join() !== "clean", detail: `seen ${[...seen].join()}` };
}

async function staleException(storage) {
  await storage.put({ x: 1, copy: 1 });
  try {
    const { attempts } = await counted(storage, async (txn, attempt) => {
      const x = await txn.get("x");
      if (attempt === 1) await storage.put({ x: 2, copy: 2 });
      const copy = await txn.get("copy");
      if (x !== copy) throw new Error(`torn: ${x} and ${copy}`);
    });
    return { shown: false, detail: `committed after ${attempts} attempts` };
  } catch (error) {
    return { shown: true, detail: `reported: ${error.message}` };
  }
}

async function staleRefusal(storage) {
  await storage.put("balance", 0);
  try {
    const { result } = await counted(storage, async (txn, attempt) => {
      const balance = await txn.get("balance");
      if (attempt === 1) await storage.put("balance", 100);
      if (balance < 10) throw new Error(`balance ${balance} is too low`);
      await txn.put("balance", balance - 10);
      return balance - 10;
    });
    return { shown: result !== 90, detail: `balance ${result}` };
  } catch (error) {
    return { shown: true, detail: `reported: ${error.message}` };
  }
}

async function dependencyCycle(storage) {
  for (let seed = 1; seed <= 8; seed++) {
    await storage.deleteAll();
    const { cycle, attemptsMost } = await findCycle(storage, { seed, count: 150, width: 6 });
    if (cycle !== undefined || attemptsMost > ATTEMPTS_MAX) {
      return {
        shown: true,
        detail: `seed ${seed}: cycle ${cycle}, up to ${attemptsMost} attempts`,
      };
    }
  }
  return { shown: false, detail: "8 runs of 150 transactions" };
}

export const anomalies = {
  "lost update": lostUpdate,
  "lost update by a plain put": lostPlainUpdate,
  "write skew": writeSkew,
  phantom,
  "phantom under a limit that was not reached": phantomUnderLimit,
  "phantom between the keys of a limited list": phantomWithinLimit,
  "phantom by deleteAll": phantomDeleteAll,
  "retry because of a key past a limited list": insertPastLimit,
  "read skew inside a doomed attempt": readSkew,
  "read skew inside a doomed attempt, in lists": readSkewInLists,
  "unrepeatable read": unrepeatableRead,
  "dirty read": dirtyRead,
  "exception because of a torn read": staleException,
  "exception because of a stale read": staleRefusal,
  "cycle of dependencies among random transactions": dependencyCycle,
  ...progress,
};
