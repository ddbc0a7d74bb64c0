/** The state of an object of a modern class: what `ctx` has beyond Miniflare 2's. */
import type { usageModelExternalSubrequestLimit } from "@miniflare/shared";
import type { Realm } from "../rpc";
import { unsupported } from "../shared/error";
import {
  _kRunWithGates,
  kAlarm,
  kBroken,
  kCut,
  kEndTurn,
  kIdle,
  kInstance,
  kIsIdle,
  kNoFetch,
  kReset,
  kRetire,
  kRetired,
} from "../shared/symbols";
import type { ModernStorage } from "../storage/modern-storage";
import { type AbortOptions, abort } from "./abort";
import { limited, noAlarmHandler } from "./alarm-limit";
import { currentEvents, type EventGate } from "./event-gate";
import { noteRealm } from "./hibernation/attachments";
import type { ObjectSockets } from "./hibernation/object-sockets";
import { HibernatingState } from "./hibernation/state";
import type { DurableObjectId } from "./id";
import type { AlarmInvocationInfo } from "./modern-alarms";
import type { StateOwner } from "./state";

/** As in production. */
const BLOCKS_MAX = 64;

/** What the worker that defines the class gives its objects. */
export interface ModernContext {
  exports: object | undefined;
  realm: Realm;
  usageModel: Parameters<typeof usageModelExternalSubrequestLimit>[0];
}

/** What an object of a modern class is given besides. */
export interface ModernSetting extends ModernContext {
  /** The realm of the class. */
  realm: Realm;
}

/** How many `blockConcurrencyWhile()` are around the code behind an inner gate. */
const depths = new WeakMap<EventGate, number>();

export class ModernState extends HibernatingState {
  readonly props = {};
  readonly exports!: object;
  readonly facets = FACETS;
  readonly container = undefined;
  declare readonly storage: ModernStorage;
  readonly #report: StateOwner["report"];
  readonly #realm: Realm;
  /** What keeps the object busy besides its events. */
  readonly #background = new Set<Promise<void>>();
  #retired = false;

  constructor(
    id: DurableObjectId,
    storage: ModernStorage,
    owner: StateOwner,
    sockets: ObjectSockets,
    { exports, realm, usageModel }: ModernSetting,
  ) {
    super(id, storage, owner, sockets, usageModel);
    noteRealm(this, realm);
    if (exports === undefined) Reflect.deleteProperty(this, "exports");
    else this.exports = exports;
    this.#report = owner.report;
    this.#realm = realm;
  }

  /** Keeps the object busy until a promise has settled; what it rejects with is logged. */
  override waitUntil(...promises: [Promise<unknown>]): void {
    if (promises.length < 1) throw wrongArgument("waitUntil", "Promise");
    const report = (reason: unknown) => {
      // Callers that wait for the object are told of its reset, or its owner is.
      if (this[kBroken]?.reason !== reason) this.#report(reason);
    };
    const settled = Promise.resolve(promises[0]).then(() => {}, report);
    this.#background.add(settled);
    settled.finally(() => this.#background.delete(settled));
  }

  override blockConcurrencyWhile<T>(closure: () => Promise<T>): Promise<T> {
    if (typeof closure !== "function") throw wrongArgument("blockConcurrencyWhile", "function");
    const around = currentEvents();
    const depth = around?.object === this ? (depths.get(around) ?? 0) + 1 : 1;
    return super.blockConcurrencyWhile(async () => {
      if (depth > BLOCKS_MAX) {
        throw new Error("blockConcurrencyWhile() calls are nested too deeply.");
      }
      depths.set(currentEvents()!, depth);
      this.storage[kEndTurn](true);
      const result = await closure();
      this.storage[kEndTurn](true);
      return result;
    });
  }

  /** Resets the object, as a failure would: see `abort.ts`. */
  abort(reason: unknown = undefined, ...options: [AbortOptions?]): never {
    return abort(this, this.#realm, reason, options[0]);
  }

  override [kReset](reason: unknown): void {
    super[kReset](reason);
    this.storage[kCut](reason);
  }

  override [kAlarm](info: AlarmInvocationInfo): Promise<void> {
    const handled = this[_kRunWithGates](() => {
      const instance = this[kInstance];
      if (!instance?.alarm) throw noAlarmHandler();
      return instance.alarm(Object.assign(this.#realm.object(), info));
    });
    return limited(handled, (reason) => this[kReset](reason));
  }

  override [kRetire](): void {
    super[kRetire]();
    this.#retired = true;
  }

  get [kRetired](): boolean {
    return this.#retired;
  }

  override get [kNoFetch](): Error {
    return new Error("Handler does not export a fetch() function.");
  }

  override get [kIsIdle](): boolean {
    return super[kIsIdle] && this.#background.size === 0;
  }

  override async [kIdle](): Promise<void> {
    do {
      await super[kIdle]();
      await Promise.all(this.#background);
    } while (this.#background.size > 0);
  }
}

const FACETS = Object.fromEntries(
  ["get", "abort", "delete"].map((name) => [
    name,
    () => {
      throw unsupported(`ctx.facets.${name}()`);
    },
  ]),
);

function wrongArgument(method: string, type: string): TypeError {
  return new TypeError(
    `Failed to execute '${method}' on 'DurableObjectState': parameter 1 is not of type '${type}'.`,
  );
}
