/** Transactions whose attempts are counted, for the programs about anomalies and progress. */
import { pause } from "./serializability.mjs";

/** Lost attempts before a transaction runs alone, and that one. */
export const ATTEMPTS_MAX = 4;

/** A transaction whose closure is told the number of its attempt. */
export async function counted(storage, closure) {
  let attempts = 0;
  const result = await storage.transaction((txn) => closure(txn, ++attempts));
  return { result, attempts };
}

export const increment = (storage, key) =>
  counted(storage, async (txn) => {
    const value = (await txn.get(key)) ?? 0;
    await pause();
    await txn.put(key, value + 1);
  });

export const attemptsOf = (all) => all.reduce((total, { attempts }) => total + attempts, 0);
