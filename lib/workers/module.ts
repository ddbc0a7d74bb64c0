/** The module `cloudflare:workers` of one worker. */
import type { Compatibility } from "@miniflare/shared";
import { RpcPromise, RpcProperty, RpcTarget, ServiceStub, type Side, stubClass } from "../rpc";
import { unsupported } from "../shared/error";
import { isEnabled } from "./compatibility";
import { WorkerEntrypoint } from "./entrypoint";
import { waitUntil } from "./events";
import { liveView, readOnlyView } from "./view";

/** What the module shows of its worker, by now. */
export interface WorkerView {
  readonly compat: Compatibility;
  readonly side: Side;
  readonly bindings: object;
  /** Without the compatibility flag there are none. */
  readonly exports: object | undefined;
}

export type WorkersModule = Record<string, unknown>;

export const WORKERS_MODULE = "cloudflare:workers";

const NOTHING = {};

/** `DurableObject` is the base class of modern objects, which this room does not know. */
export function workersModule(worker: WorkerView, DurableObject: unknown): WorkersModule {
  const env = liveView(() =>
    isEnabled(worker.compat, "noImportableEnv") ? NOTHING : worker.bindings,
  );
  const exports = readOnlyView(() =>
    isEnabled(worker.compat, "noImportableEnv") ? undefined : worker.exports,
  );
  return {
    DurableObject,
    RpcPromise,
    RpcProperty,
    RpcStub: stubClass(() => worker.side),
    RpcTarget,
    ServiceStub,
    WorkerEntrypoint,
    WorkflowEntrypoint,
    abortIsolate: refusing("abortIsolate()"),
    cache: unusable("cache"),
    env: env.proxy,
    exports: exports.proxy,
    restore: refusing("restore()"),
    tracing: unusable("tracing"),
    waitUntil,
    withEnv: (shown: unknown, closure: () => unknown) =>
      within(shown, checked("withEnv", 2, closure), env.with),
    withExports: (shown: unknown, closure: () => unknown) =>
      within(shown, checked("withExports", 2, closure), exports.with),
    withEnvAndExports: (first: unknown, second: unknown, closure: () => unknown) => {
      const run = checked("withEnvAndExports", 3, closure);
      return within(first, () => within(second, run, exports.with), env.with);
    },
  };
}

/** Anything but an object leaves the view as it is. */
function within<T>(
  shown: unknown,
  closure: () => T,
  run: (shown: object, closure: () => T) => T,
): T {
  return Object(shown) === shown ? run(shown as object, closure) : closure();
}

function checked<T>(method: string, position: number, closure: () => T): () => T {
  if (typeof closure === "function") return closure;
  throw new TypeError(
    `Failed to execute '${method}' on 'EnvModule': parameter ${position} is not of type 'function'.`,
  );
}

class WorkflowEntrypoint {
  constructor() {
    throw unsupported("WorkflowEntrypoint");
  }
}

function refusing(member: string): () => never {
  return () => {
    throw unsupported(member);
  };
}

/** An object that can be imported, and whose use is an error. */
function unusable(name: string): object {
  return new Proxy(
    {},
    {
      get(_target, key) {
        if (typeof key === "symbol") return undefined;
        throw unsupported(`${name}.${key}`);
      },
    },
  );
}
