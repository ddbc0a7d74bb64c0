/** The module `cloudflare:test` of a test environment. */
import { kWaitUntil } from "@miniflare/core";
import type { Context } from "@miniflare/shared";
import { unsupported } from "../shared/error";
import { kDeleteObjects, kForgetObjects } from "../shared/symbols";
import type { TestCore } from "./core";
import { ExecutionContext } from "./execution-context";
import { cloudflareHelpers, type FetchMock } from "./helpers";
import type { TEST_EXPORTS } from "./names";
import { selfOf } from "./self";
import type { StackedStorageFactory } from "./stacked-storage";

/** What can be imported, and throws when it is called. */
const ABSENT = [
  "adminSecretsStore",
  "applyD1Migrations",
  "createMessageBatch",
  "createPagesEventContext",
  "getQueueResult",
  "introspectWorkflow",
  "introspectWorkflowInstance",
] as const;

export type TestModule = Record<(typeof TEST_EXPORTS)[number], unknown>;

export function cloudflareTest(
  core: TestCore,
  storage: StackedStorageFactory,
  fetchMock: FetchMock,
  bindings: () => Context,
): TestModule {
  const absent = Object.fromEntries(ABSENT.map((name) => [name, refusing(name)]));
  return {
    ...(absent as Record<(typeof ABSENT)[number], unknown>),
    ...cloudflareHelpers(core),
    SELF: selfOf(core),
    get env() {
      return bindings();
    },
    fetchMock,
    createExecutionContext: () => new ExecutionContext(),
    createScheduledController,
    waitOnExecutionContext,
    reset: () => reset(core, storage),
  };
}

function refusing(name: string): () => never {
  return () => {
    throw unsupported(`${name}() of cloudflare:test`);
  };
}

/** Deletes all that is stored, and releases all objects. */
async function reset(core: TestCore, storage: StackedStorageFactory): Promise<void> {
  const { DurableObjectsPlugin: plugin } = await core.getPlugins();
  plugin[kForgetObjects]();
  await plugin[kDeleteObjects](core.getPluginStorage("DurableObjectsPlugin"));
  storage.clear();
}

function createScheduledController(options: { scheduledTime?: Date | number; cron?: string } = {}) {
  const scheduledTime = Number(options.scheduledTime ?? Date.now());
  return { scheduledTime, cron: String(options.cron ?? ""), noRetry() {} };
}

/**
 * Waits for what a handler has passed to `waitUntil()`, also meanwhile.
 *
 * # Errors
 * The error of a promise that rejects, or an `AggregateError` of several.
 */
async function waitOnExecutionContext(context: ExecutionContext): Promise<void> {
  const waiting: unknown = (Object(context) as Partial<ExecutionContext>)[kWaitUntil];
  if (!Array.isArray(waiting)) {
    throw new TypeError(
      "Failed to execute 'getWaitUntil': parameter 1 is not of type 'ExecutionContext'.\n" +
        "You must call 'createExecutionContext()' or 'createPagesEventContext()' to get an 'ExecutionContext' instance.",
    );
  }
  const errors: unknown[] = [];
  while (waiting.length > 0) {
    for (const end of await Promise.allSettled(waiting.splice(0))) {
      if (end.status === "rejected") errors.push(end.reason);
    }
  }
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors);
}
