/** The class `WorkerEntrypoint`: as the default export of a worker it is constructed for each event. */
import { addBase } from "../rpc";

type Handler = (event: unknown, env: unknown, ctx: object) => unknown;
type EntrypointClass = new (ctx: object, env: unknown) => WorkerEntrypoint;

/** The events that Miniflare delivers to a worker. */
const EVENTS = ["fetch", "scheduled", "queue"] as const;

/** What the context of an event has beyond Miniflare's, by class. */
const extensions = new WeakMap<object, object>();

export class WorkerEntrypoint<Env = unknown> {
  ctx: object;
  env: Env;

  constructor(ctx: object, env: Env) {
    if (Object(ctx) !== ctx) {
      throw new TypeError(
        "Failed to construct 'WorkerEntrypoint': constructor parameter 1 is not of type 'Object'.",
      );
    }
    this.ctx = ctx;
    this.env = env;
  }

  get [Symbol.toStringTag](): string {
    return "WorkerEntrypoint";
  }
}

addBase(WorkerEntrypoint.prototype);

// Miniflare binds `fetch` and the like of the default export. Of a class these are static members, which construct it.
for (const name of EVENTS) {
  Object.defineProperty(WorkerEntrypoint, name, {
    configurable: true,
    get(this: EntrypointClass): Handler | undefined {
      return name in this.prototype ? handler(this, name) : undefined;
    },
  });
}

export function isEntrypoint(value: unknown): value is EntrypointClass {
  return (
    typeof value === "function" && Object.prototype.isPrototypeOf.call(WorkerEntrypoint, value)
  );
}

/** Gives the contexts of a class's events more members. */
export function extendContexts(Class: EntrypointClass, members: object): void {
  extensions.set(Class, members);
}

function handler(Class: EntrypointClass, name: string): Handler {
  return (event, env, ctx) => {
    const extension = Object.getOwnPropertyDescriptors(extensions.get(Class) ?? {});
    const instance = new Class(Object.defineProperties(ctx, extension), env);
    return (instance as unknown as Record<string, (event: unknown) => unknown>)[name]!(event);
  };
}
