/** Holds one running object: its instance, its gates, and what becomes of them when it is reset. */
import type { Request, Response } from "@miniflare/core";
import type { Awaitable, Context } from "@miniflare/shared";
import { InputGate, OutputGate } from "@miniflare/shared";
import { withDeadline } from "../shared/deadline";
import { DurableObjectError } from "../shared/error";
import { _kRunWithGates, kAlarm, kFetch, kIdle, kInstance, kReset } from "../shared/symbols";
import { runInside } from "../storage/gates";
import type { DurableObjectStorage } from "../storage/storage";
import type { DurableObjectId } from "./id";

export { _kRunWithGates };

export interface DurableObject {
  fetch(request: Request): Awaitable<Response>;
  alarm?(): Awaitable<void>;
}

export type DurableObjectConstructor = new (
  state: DurableObjectState,
  env: Context,
) => DurableObject;

/** Who keeps a state. */
export interface StateOwner {
  /** The state has been reset: the next request needs another one. */
  drop(): void;
  /** The state has been reset and nobody has been told why. */
  report(reason: unknown): void;
}

// Taken when the module is loaded: fake timers must not hold back a report.
const { setImmediate } = globalThis;

/** As in production. */
const BLOCK_CONCURRENCY_LIMIT_MS = 30_000;

function blockedTooLong(): DurableObjectError {
  return new DurableObjectError(
    "ERR_TIMEOUT",
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.",
  );
}

/**
 * A state is running until it is reset, and reset for good: what runs in it or waits for its gates rejects with the reason
 * of the reset, and so does everything started later.
 */
export class DurableObjectState {
  readonly #inputGate = new InputGate();
  readonly #owner: StateOwner | undefined;
  /** How to reject what runs now. */
  readonly #running = new Set<(reason: unknown) => void>();
  /** Who waits until nothing runs. */
  #idlers: (() => void)[] = [];
  #broken: { reason: unknown; told: boolean } | undefined;

  [kInstance]?: DurableObject;

  constructor(
    readonly id: DurableObjectId,
    readonly storage: DurableObjectStorage,
    owner?: StateOwner,
  ) {
    this.#owner = owner;
  }

  /** Does nothing: an object lives on after its response anyway. */
  waitUntil(_promise: Promise<unknown>): void {}

  /**
   * Runs `closure` and delivers no other event to the object until it has settled.
   *
   * If it fails, or takes longer than 30 seconds, the object is reset: it may not have been set up. The promise returned
   * rejects with the same error, but need not be looked at if the state has an owner, who is told.
   */
  blockConcurrencyWhile<T>(closure: () => Promise<T>): Promise<T> {
    const blocked = this.#block(closure);
    if (this.#owner !== undefined) blocked.catch(() => {});
    return blocked;
  }

  async #block<T>(closure: () => Promise<T>): Promise<T> {
    this.#assertRunning();
    try {
      return await this.#inputGate.runWithClosed(() =>
        withDeadline(callAsync(closure), BLOCK_CONCURRENCY_LIMIT_MS, blockedTooLong),
      );
    } catch (reason) {
      this[kReset](reason);
      throw reason;
    }
  }

  /** Settles as `closure` does, once every write it made is durable. */
  async [_kRunWithGates]<T>(closure: () => Awaitable<T>): Promise<T> {
    this.#assertRunning();
    const result = new OutputGate().runWith(() =>
      this.#inputGate.runWith(() => {
        this.#assertRunning();
        return runInside(closure);
      }),
    );
    return this.#untilReset(result);
  }

  [kReset](reason: unknown): void {
    if (this.#broken) return;
    const broken = { reason, told: this.#running.size > 0 };
    this.#broken = broken;
    this.#owner?.drop();
    for (const reject of this.#running) reject(reason);
    this.#running.clear();
    this.#wakeIdlers();
    // A request that is on its way from the stub to the gates is told there.
    setImmediate(() => {
      if (!broken.told) this.#owner?.report(reason);
    });
  }

  async [kIdle](): Promise<void> {
    while (this.#running.size > 0) {
      await new Promise<void>((resolve) => this.#idlers.push(resolve));
    }
  }

  [kFetch](request: Request): Promise<Response> {
    return this[_kRunWithGates](() => {
      const instance = this[kInstance];
      if (instance?.fetch) return instance.fetch(request);
      throw new DurableObjectError("ERR_NO_HANDLER", "No fetch handler defined in Durable Object");
    });
  }

  [kAlarm](): Promise<void> {
    return this[_kRunWithGates](() => {
      const instance = this[kInstance];
      if (instance?.alarm) return instance.alarm();
      throw new DurableObjectError("ERR_NO_HANDLER", "No alarm handler defined in Durable Object");
    });
  }

  #assertRunning(): void {
    if (this.#broken === undefined) return;
    this.#broken.told = true;
    throw this.#broken.reason;
  }

  #untilReset<T>(result: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#running.add(reject);
      result.then(resolve, reject).finally(() => {
        this.#running.delete(reject);
        if (this.#running.size === 0) this.#wakeIdlers();
      });
    });
  }

  #wakeIdlers(): void {
    for (const wake of this.#idlers.splice(0)) wake();
  }
}

/** Calls `closure` so that whatever goes wrong comes as a rejection. */
async function callAsync<T>(closure: () => Promise<T>): Promise<T> {
  return closure();
}
