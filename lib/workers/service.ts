/** Stubs for the entrypoints of a worker: each call constructs the class again. */
import { Request } from "@miniflare/core";
import { type Awaitable, getRequestContext, RequestContext } from "@miniflare/shared";
import {
  EventHost,
  type Holder,
  type Realm,
  type Remote,
  type RemoteEvent,
  type Side,
  serviceStub,
} from "../rpc";
import { isEntrypoint } from "./entrypoint";

/** An export that handles requests. */
type Entrypoint = { fetch?: (request: Request, env: object, ctx: object) => Awaitable<unknown> };

/** What an entrypoint is called with. */
export interface EntrypointWorker {
  readonly side: Side;
  readonly bindings: object;
  readonly exports: object | undefined;
}

/** Methods that only the system may call. */
const RESERVED: ReadonlySet<string> = new Set([
  "fetch",
  "connect",
  "alarm",
  "scheduled",
  "queue",
  "dup",
  "constructor",
]);

export function entrypointStub(entrypoint: Entrypoint, worker: EntrypointWorker): object {
  const remote = new EntrypointRemote(entrypoint, worker);
  const fetch = (input: unknown, init: unknown) => remote.fetch(input, init);
  return serviceStub({ remote, fetch }, worker.side);
}

class EntrypointRemote implements Remote {
  readonly #entrypoint: Entrypoint;
  readonly #worker: EntrypointWorker;

  constructor(entrypoint: Entrypoint, worker: EntrypointWorker) {
    this.#entrypoint = entrypoint;
    this.#worker = worker;
  }

  get realm(): Realm {
    return this.#worker.side.realm;
  }

  enter<T>(event: RemoteEvent<T>): Promise<T> {
    const { bindings } = this.#worker;
    return inEvent(async () => {
      const Class = this.#entrypoint;
      const value = isEntrypoint(Class) ? new Class(this.#context(), bindings) : {};
      const holder: Holder = { value, host: new EventHost(), reserved: RESERVED };
      return event(holder);
    });
  }

  fetch(input: unknown, init: unknown): Promise<unknown> {
    return inEvent(async () => {
      const request = new Request(input as never, init as never);
      const { fetch } = this.#entrypoint;
      if (typeof fetch !== "function") {
        throw new Error("Handler does not export a fetch() function.");
      }
      return Reflect.apply(fetch, this.#entrypoint, [
        request,
        this.#worker.bindings,
        this.#context(),
      ]);
    });
  }

  dup(): Remote {
    return this;
  }

  dispose(): void {}

  #context(): object {
    const { exports } = this.#worker;
    const waitUntil = (promise: Promise<unknown>) => void Promise.resolve(promise).catch(() => {});
    return { props: {}, exports, waitUntil, passThroughOnException() {} };
  }
}

/** Runs an event of a worker that another one has asked for, with its limits. */
function inEvent<T>(event: () => Promise<T>): Promise<T> {
  const caller = getRequestContext();
  const context = new RequestContext({
    requestDepth: caller?.requestDepth ?? 1,
    pipelineDepth: (caller?.pipelineDepth ?? 0) + 1,
  });
  return context.runWith(event);
}
