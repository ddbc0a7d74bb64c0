/** What a stub refers to: something that lives in a host, shared by as many stubs as have not been disposed. */
import type { Awaitable } from "@miniflare/shared";
import { dispose } from "../shared/dispose";
import { setImmediate } from "../shared/real-timers";
import type { ErrorMarks } from "./errors";
import { asSubrequest, type Host } from "./host";
import { HOST, type Realm } from "./realm";

/** Runs with what is referred to, as an event of its host. */
export type RemoteEvent<T> = (holder: Holder) => Awaitable<T>;

/** What is referred to, where it lives. */
export interface Holder {
  value: unknown;
  host: Host;
  /** For an object that was not passed but is reached by a name: what only the system may call. */
  reserved?: ReadonlySet<string> | undefined;
  /** Marks for errors: which object raised them. */
  objectId?: string;
}

/** Why a remote could not run an event, for each caller to be told in its own realm. */
export class Broken {
  constructor(
    readonly reason: unknown,
    readonly marks: ErrorMarks,
  ) {}
}

/** Something that calls can be made on. */
export interface Remote {
  /** The realm of the code that is called, if it is known at the time of the call. */
  readonly realm: Realm;
  /** Runs `event` there. Rejects with what the event throws, or with a `Broken` that says why it cannot run. */
  enter<T>(event: RemoteEvent<T>): Promise<T>;
  /** Counts one more stub. */
  dup(): Remote;
  /** Counts one stub less. */
  dispose(): void;
}

type Disposable = { dup?: unknown } & { [key: symbol]: unknown };

/** A function, an `RpcTarget` or a plain object of a host; its disposer runs a turn after the last stub has gone. */
export class Exported implements Remote {
  readonly realm: Realm;
  readonly #value: object;
  readonly #host: Host;
  #stubs = 1;

  constructor(value: object, host: Host, realm: Realm = HOST) {
    this.#value = value;
    this.#host = host;
    this.realm = realm;
  }

  enter<T>(event: RemoteEvent<T>): Promise<T> {
    const holder = { value: this.#value, host: this.#host };
    return asSubrequest(() => this.#host.enter(() => event(holder)));
  }

  dup(): Remote {
    this.#stubs++;
    return this;
  }

  dispose(): void {
    if (--this.#stubs !== 0) return;
    setImmediate(() => void this.#host.enter(() => disposeOf(this.#value)).catch(() => {}));
  }
}

/** Runs the disposer of a value, if it has one. */
export function disposeOf(value: unknown): void {
  const disposer = (value as Disposable | null)?.[dispose];
  if (typeof disposer === "function") Reflect.apply(disposer, value, []);
}
