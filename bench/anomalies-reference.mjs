/**
 * Runs the anomalies of the test suite on miniflare@2.14.4 and prints which of them it shows. Each runs in a process of
 * its own with a time limit, because the reference retries some transactions for ever.
 *
 *   node bench/anomalies-reference.mjs [--ours]
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { anomalies } from "../__test__/support/anomalies/programs.mjs";

const LIMIT_MS = 10_000;
const script = "export class Test { alarm() {} }; export default { fetch() {} }";

async function runHere({ name, side }) {
  const { Miniflare } = await import(side);
  const mf = new Miniflare({ modules: true, script, durableObjects: { TEST: "Test" } });
  const namespace = await mf.getDurableObjectNamespace("TEST");
  const storage = await mf.getDurableObjectStorage(namespace.newUniqueId());
  process.send(await anomalies[name](storage));
  await mf.dispose();
  process.disconnect();
}

function runInProcess(name, side) {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(import.meta.url), [], {
      env: { ...process.env, FERROFLARE_ANOMALY: JSON.stringify({ name, side }) },
      execArgv: ["--experimental-vm-modules", "--no-warnings"],
    });
    let outcome;
    const timer = setTimeout(() => {
      outcome = { shown: true, detail: `no end after ${LIMIT_MS / 1000} s` };
      child.kill("SIGKILL");
    }, LIMIT_MS);
    child.on("message", (message) => {
      outcome = message;
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve(outcome ?? { shown: true, detail: `the process ended with code ${code}` });
    });
  });
}

async function main() {
  const side = process.argv.includes("--ours") ? "../index.mjs" : "miniflare";
  console.log(side === "miniflare" ? "miniflare@2.14.4" : "ferroflare");
  let shown = 0;
  for (const name of Object.keys(anomalies)) {
    const outcome = await runInProcess(name, side);
    shown += outcome.shown;
    console.log(`${outcome.shown ? "SHOWN" : "no   "}  ${name}: ${outcome.detail}`);
  }
  console.log(`${shown} of ${Object.keys(anomalies).length} anomalies`);
}

const task = process.env.FERROFLARE_ANOMALY;
if (task === undefined) await main();
else await runHere(JSON.parse(task));
