// A process that runs the transactions of its orders.
import { orders, say } from "../report.mjs";
import { runClients } from "./clients.mjs";

await runClients({ ...orders(), say });
