// Runs a history on the objects of a directory: by several processes, worker threads, or Miniflare instances of one process.
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Child } from "../child.mjs";
import { check } from "./checker.mjs";
import { runClients, transactionsOf } from "./clients.mjs";

const PROCESS = fileURLToPath(new URL("process.mjs", import.meta.url));
const THREAD = new URL("thread.mjs", import.meta.url);
const COUNT = 60;
const CONCURRENCY = 3;

function ordersFor(options, name, number) {
  const { directory, seed, durability = "fsync", maxOpen, count = COUNT } = options;
  const concurrency = CONCURRENCY;
  return { directory, name, count, concurrency, seed: seed + number, durability, maxOpen };
}

/**
 * Starts `processes` processes at the same moment. Gives their `children`, and `history()`, which waits for their
 * end and gives all transactions.
 */
export function startProcesses(options) {
  const children = Array.from({ length: options.processes }, () => new Child(PROCESS));
  for (const [number, child] of children.entries())
    child.go(ordersFor(options, `p${number}`, number));
  const history = async () => {
    const transactions = [];
    for (const [number, child] of children.entries()) {
      const { code, signal } = await child.ended;
      if (code !== 0 && signal !== "SIGKILL") {
        throw new Error(`Process ${number} ended with ${code ?? signal}:\n${child.stderr}`);
      }
      transactions.push(...transactionsOf(`p${number}`, child.lines));
    }
    return transactions;
  };
  return { children, history };
}

/** Runs worker threads of this process to their end. */
export async function runThreads(options) {
  const run = (number) => {
    const lines = [];
    const orders = ordersFor(options, `t${number}`, number);
    const worker = new Worker(THREAD, {
      workerData: orders,
      execArgv: ["--experimental-vm-modules", "--no-warnings"],
    });
    worker.on("message", (line) => lines.push(line));
    return new Promise((resolve, reject) => {
      worker.on("error", reject);
      worker.on("exit", () => resolve(transactionsOf(`t${number}`, lines)));
    });
  };
  const all = await Promise.all(
    Array.from({ length: options.threads }, (_, number) => run(number)),
  );
  return all.flat();
}

/** Runs several Miniflare instances of this process to their end. */
export async function runInstances(options) {
  const run = async (number) => {
    const lines = [];
    await runClients({
      ...ordersFor(options, `i${number}`, number),
      say: (line) => lines.push(line),
    });
    return transactionsOf(`i${number}`, lines);
  };
  const all = await Promise.all(
    Array.from({ length: options.instances }, (_, number) => run(number)),
  );
  return all.flat();
}

/** Throws what is wrong with a history: transactions that failed, anomalies, or a client that made no progress. */
export function assertSerializable(history, { unfinished = [] } = {}) {
  const failed = history.filter(({ status }) => status === "failed");
  if (failed.length > 0) {
    throw new Error(`${failed.length} transactions failed, the first with ${failed[0].error}`);
  }
  for (const { process, status } of history) {
    if (status === "unknown" && !unfinished.includes(process)) {
      throw new Error(`A transaction of ${process} did not end.`);
    }
  }
  const anomalies = check(history);
  if (anomalies.length > 0)
    throw new Error(
      `The history is not strictly serializable.\n${anomalies.slice(0, 5).join("\n")}`,
    );
}

/** Transactions that succeeded, by process. */
export function counts(history) {
  const found = {};
  for (const { process, status } of history) {
    if (status === "ok") found[process] = (found[process] ?? 0) + 1;
  }
  return found;
}

export { COUNT };
