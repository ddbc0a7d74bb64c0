/** The names that `cloudflare:test` exports, for modules that have to list them before a test environment exists. */
export const TEST_EXPORTS = [
  "SELF",
  "abortAllDurableObjects",
  "adminSecretsStore",
  "applyD1Migrations",
  "createExecutionContext",
  "createMessageBatch",
  "createPagesEventContext",
  "createScheduledController",
  "env",
  "evictAllDurableObjects",
  "evictDurableObject",
  "fetchMock",
  "getQueueResult",
  "introspectWorkflow",
  "introspectWorkflowInstance",
  "listDurableObjectIds",
  "reset",
  "runDurableObjectAlarm",
  "runInDurableObject",
  "waitOnExecutionContext",
] as const;

/** Where the test environments put the module, in the global scope of the tests. */
export const TEST_GLOBAL = "ferroflare.test";
