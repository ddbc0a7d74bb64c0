// A worker thread that runs the transactions of its orders.
import { parentPort, workerData } from "node:worker_threads";
import { runClients } from "./clients.mjs";

await runClients({ ...workerData, say: (line) => parentPort.postMessage(line) });
