/** The names that `cloudflare:workers` exports, for modules that have to list them before a worker exists. */
export const WORKERS_EXPORTS = [
  "DurableObject",
  "RpcPromise",
  "RpcProperty",
  "RpcStub",
  "RpcTarget",
  "ServiceStub",
  "WorkerEntrypoint",
  "WorkflowEntrypoint",
  "abortIsolate",
  "cache",
  "env",
  "exports",
  "restore",
  "tracing",
  "waitUntil",
  "withEnv",
  "withEnvAndExports",
  "withExports",
] as const;

/** Where the test environments put the module of their worker, in the global scope of the tests. */
export const WORKERS_GLOBAL = "ferroflare.workers";
