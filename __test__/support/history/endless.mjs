// A thread that writes to an object, says so, and never ends its turn of the event loop.
import { parentPort, workerData } from "node:worker_threads";
import { Miniflare } from "../../../index.mjs";

const { directory, name, id, script } = workerData;
const mf = new Miniflare({
  modules: true,
  script,
  bindings: { FIRES: () => {} },
  durableObjects: { [name]: "Peer" },
  durableObjectsPersist: directory,
});
const namespace = await mf.getDurableObjectNamespace(name);
const storage = await mf.getDurableObjectStorage(namespace.idFromString(id));
await storage.put("before", 1);
storage.put("unsealed", 1);
parentPort.postMessage("written");
for (;;);
