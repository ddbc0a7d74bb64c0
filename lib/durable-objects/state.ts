/** Holds one running object: its instance, its gates, and what becomes of them when it is reset. */
import type { Request, Response } from "@miniflare/core";
import type { Awaitable, Context } from "@miniflare/shared";
import { withDeadline } from "../shared/deadline";
import { DurableObjectError } from "../shared/error";
import { runWithGates } from "../shared/gate-context";
import { setImmediate } from "../shared/real-timers";
import {
  _kRunWithGates,
  kAlarm,
  kBroken,
  kConstruct,
  kEnd,
  kEnter,
  kEvents,
  kEvicted,
  kFetch,
  kHandle,
  kIdle,
  kInstance,
  kIsIdle,
  kLeave,
  kNoFetch,
  kOnEnd,
  kReopen,
  kReset,
  kSockets,
} from "../shared/symbols";
import { noteEvent } from "../storage/closure";
import { EffectGate, PendingWrites } from "../storage/effect-gate";
import type { DurableObjectStorage } from "../storage/storage";
import { gateBody } from "./bodies";
import { currentEvents, EventGate, type GatedObject } from "./event-gate";
import { noteReturned } from "./hibernation/registry";
import type { DurableObjectId } from "./id";
import type { AlarmInvocationInfo } from "./modern-alarms";
import { Sockets } from "./sockets";

export { _kRunWithGates };

export interface DurableObject {
  fetch(request: Request): Awaitable<Response>;
  /** Objects of modern classes are told of their alarm. */
  alarm?(info?: AlarmInvocationInfo): Awaitable<void>;
}

export type DurableObjectConstructor = new (
  state: DurableObjectState,
  env: Context,
) => DurableObject;

/** An event that waits or runs. */
interface Running {
  /** Whether a caller waits for the event. */
  readonly called: boolean;
  /** Settles what the caller waits for, when the object is reset. */
  stop(reason: unknown): void;
}

/** Who keeps a state. */
export interface StateOwner {
  /** The state has been reset: the next request needs another one. */
  drop(): void;
  /** The state has been reset and no caller has been told why. */
  report(reason: unknown): void;
}

/** As in production. */
const BLOCK_CONCURRENCY_LIMIT_MS = 30_000;

function blockedTooLong(): DurableObjectError {
  return new DurableObjectError(
    "ERR_TIMEOUT",
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. The call was canceled and the Durable Object was reset.",
  );
}

/** Why a state has ended, and whether that has been reported. */
interface Broken {
  readonly reason: unknown;
  told: boolean;
}

const EVICTED: Broken = {
  reason: new DurableObjectError(
    "ERR_EVICTED",
    "This instance of a Durable Object has been evicted. Use a stub to reach the next instance.",
  ),
  told: true,
};

/**
 * A state runs until it is reset or evicted, which is final. What runs in it, or waits for its gates, rejects with the
 * reason of the reset. So does everything that is started later. Its sockets are closed.
 */
export class DurableObjectState implements GatedObject {
  readonly #events: EventGate = new EventGate(this);
  readonly #writes = new PendingWrites((reason) => this[kReset](reason));
  readonly #owner: StateOwner | undefined;
  readonly #running = new Set<Running>();
  /** Who waits until nothing runs. */
  #idlers: (() => void)[] = [];
  #broken: Broken | undefined;
  readonly #onEnd = new Set<() => void>();

  readonly [kSockets] = new Sockets();
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
   * Runs `closure` and delivers no other event to the object until it has settled. Of several calls one runs after the
   * other; a call within `closure` runs within it.
   *
   * If it fails, or takes longer than 30 seconds, the object is reset: it may not have been set up. The promise returned
   * rejects with the same error, but need not be looked at.
   */
  blockConcurrencyWhile<T>(closure: () => Promise<T>): Promise<T> {
    const blocked = this.#block(closure);
    blocked.catch(() => {});
    return blocked;
  }

  async #block<T>(closure: () => Promise<T>): Promise<T> {
    const gate = currentEvents();
    return (gate?.object === this ? gate : this.#events).runSection(async () => {
      this.#assertRunning();
      try {
        return await withDeadline(callAsync(closure), BLOCK_CONCURRENCY_LIMIT_MS, blockedTooLong);
      } catch (reason) {
        // Before the next section begins.
        this[kReset](reason);
        throw reason;
      }
    });
  }

  /** Settles as `closure` does, once every write of the object is durable. `gate` is the one that the event has to pass. */
  async [_kRunWithGates]<T>(closure: () => Awaitable<T>, gate = this.#events): Promise<T> {
    this.#assertRunning();
    noteEvent(this.storage?.[kHandle]);
    const event = this.#event(gate, closure);
    return new Promise<T>((resolve, reject) => {
      this.#track({ called: true, stop: reject }, event.then(resolve, reject));
    });
  }

  /** What the handler throws is an unhandled rejection. An event of an object that was reset or disposed is dropped. */
  [kEnter](gate: EventGate, handler: () => Awaitable<unknown>): void {
    if (this.#broken) return;
    const event = this.#event(gate, handler);
    const ended = new Promise<void>((resolve, reject) => {
      this.#track(
        { called: false, stop: () => resolve() },
        event.then(
          () => resolve(),
          (reason) => (isDisposed(reason) ? resolve() : reject(reason)),
        ),
      );
    });
    void ended;
  }

  get [kEvents](): EventGate {
    return this.#events;
  }

  [kLeave](): Promise<void> | undefined {
    return this.#writes.leave();
  }

  /** Waits for the turn of an event, and runs it as code of the object. */
  async #event<T>(gate: EventGate, handler: () => Awaitable<T>): Promise<T> {
    await gate.waitForOpen();
    if (this.#broken) throw this.#broken.reason;
    const reopening = this.storage?.[kReopen]?.();
    if (reopening !== undefined) await this.#reopen(gate, reopening);
    const effects = new EffectGate(this.#writes);
    try {
      return await runWithGates(gate, effects, handler);
    } finally {
      await effects.leave();
    }
  }

  /** No other event enters before the database of the object is open again. */
  async #reopen(gate: EventGate, reopening: Promise<void>): Promise<void> {
    try {
      await gate.runWithClosed(() => reopening);
    } catch (reason) {
      this[kReset](reason);
    }
    if (this.#broken) throw this.#broken.reason;
  }

  [kConstruct](construct: () => DurableObject): void {
    this[kInstance] = runWithGates(this.#events, new EffectGate(this.#writes), construct);
  }

  get [kBroken](): { readonly reason: unknown } | undefined {
    return this.#broken;
  }

  /** The error of a request to an object without a handler. */
  get [kNoFetch](): Error {
    return new DurableObjectError("ERR_NO_HANDLER", "No fetch handler defined in Durable Object");
  }

  [kReset](reason: unknown): void {
    if (this.#broken) return;
    const running = [...this.#running];
    const broken = { reason, told: running.some(({ called }) => called) };
    this.#broken = broken;
    this.#owner?.drop();
    this.#events.end();
    this.#writes.end(reason);
    for (const { stop } of running) stop(reason);
    this.#running.clear();
    this[kSockets].end("reset");
    this.#tellEnd();
    this.#wakeIdlers();
    // A request that is on its way from the stub to the gates is told there.
    setImmediate(() => {
      if (broken.told) return;
      if (this.#owner !== undefined) this.#owner.report(reason);
      else void Promise.reject(reason);
    });
  }

  [kEnd](first?: () => void): boolean {
    if (this.#running.size > 0) return false;
    if (this.#broken) return true;
    first?.();
    this.#broken = EVICTED;
    this.#events.end();
    this[kSockets].end("evicted");
    this.#tellEnd();
    return true;
  }

  [kOnEnd](callback: () => void): () => void {
    if (this.#broken) callback();
    else this.#onEnd.add(callback);
    return () => this.#onEnd.delete(callback);
  }

  #tellEnd(): void {
    for (const callback of this.#onEnd) callback();
    this.#onEnd.clear();
  }

  get [kEvicted](): boolean {
    return this.#broken === EVICTED;
  }

  get [kIsIdle](): boolean {
    return this.#running.size === 0;
  }

  async [kIdle](): Promise<void> {
    while (this.#running.size > 0) {
      await new Promise<void>((resolve) => this.#idlers.push(resolve));
    }
  }

  async [kFetch](request: Request): Promise<Response> {
    const response = await this[_kRunWithGates](() => {
      const instance = this[kInstance];
      if (instance?.fetch) return instance.fetch(request);
      throw this[kNoFetch];
    });
    gateBody(response, this.#writes);
    if (response?.webSocket) noteReturned(response.webSocket);
    return response;
  }

  [kAlarm](_info?: AlarmInvocationInfo): Promise<void> {
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

  #track(running: Running, ended: Promise<void>): void {
    this.#running.add(running);
    ended.finally(() => {
      this.#running.delete(running);
      if (this.#running.size === 0) this.#wakeIdlers();
    });
  }

  #wakeIdlers(): void {
    for (const wake of this.#idlers.splice(0)) wake();
  }
}

/** Whether an event has failed because `dispose()` came before its end. */
export function isDisposed(reason: unknown): boolean {
  return (Object(reason) as { code?: unknown }).code === "ERR_STORAGE_CLOSED";
}

/** Calls `closure` so that whatever goes wrong comes as a rejection. */
async function callAsync<T>(closure: () => Promise<T>): Promise<T> {
  return closure();
}
