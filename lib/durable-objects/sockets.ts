/**
 * Makes events of what comes in by Miniflare's WebSockets (messages, closes, errors), for the object that owns the
 * socket. Makes effects of that object of the frames that go out.
 *
 * The methods of Miniflare's class are replaced, so that workers see the same class. A socket that no object owns behaves
 * as before. So does one end that is coupled with a connection: it only passes on what the other end sends.
 */
import {
  EXTERNAL_SUBREQUEST_LIMIT_BUNDLED,
  getRequestContext,
  RequestContext,
  TypedEventTarget,
} from "@miniflare/shared";
import { WebSocket } from "@miniflare/web-sockets";
import { replaceMethods } from "../shared/replace-methods";
import { symbolOf } from "../shared/symbol-of";
import { kEnter, kSockets } from "../shared/symbols";
import { currentEvents, type EventGate } from "./event-gate";
import {
  closeNow,
  frame,
  hasClosed,
  hasHeardClose,
  isAccepted,
  isCoupled,
  isOver,
  kClose,
  peerOf,
  waits,
} from "./frames";
import { checkClose } from "./hibernation/close";
import { hibernatableOf } from "./hibernation/registry";

// Taken when the module is loaded: fake timers must not keep a socket open.
const { setImmediate } = globalThis;

/** Node.js's methods, which Miniflare's call with a wrapped listener. */
const native: EventTarget = Object.getPrototypeOf(TypedEventTarget.prototype);

type Method = (this: WebSocket, ...given: unknown[]) => void;
type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown } | null;

/** The gate of the object that owns a socket: the one behind which the socket was accepted. */
const owners = new WeakMap<WebSocket, EventGate>();
/** What was added for a listener. */
const wrappers = new WeakMap<WebSocket, Map<Listener, (event: Event) => void>>();
/** The results of the listeners of the event that is dispatched now. */
let results: Promise<unknown>[] | undefined;

export type End = "reset" | "evicted" | "reloaded";

/** What the peer of a socket that hibernates sees where the socket ends without a close. */
export const LOST_TEXT = "WebSocket disconnected without sending Close frame.";

/** The sockets of one object. */
export class Sockets {
  readonly #open = new Set<WebSocket>();
  #end: End | undefined;
  /** Called when a socket has closed. */
  #closed = () => {};

  add(socket: WebSocket): void {
    this.#open.add(socket);
    // The code that accepts a socket too late goes on with it for now.
    if (this.#end) setImmediate(() => this.end(this.#end!));
  }

  delete(socket: WebSocket): void {
    this.#open.delete(socket);
    this.#closed();
  }

  /** Whether a socket is open that ends with its object. */
  get isBusy(): boolean {
    return [...this.#open].some((socket) => !hibernatableOf(socket) && !hasHeardClose(socket));
  }

  /** Resolves when no socket is open that ends with its object. */
  async whenFree(): Promise<void> {
    while (this.isBusy) await new Promise<void>((resolve) => this.#listen(resolve));
  }

  #listen(resolve: () => void): void {
    const before = this.#closed;
    this.#closed = () => {
      this.#closed = () => {};
      before();
      resolve();
    };
  }

  /** The other end of a socket has closed. */
  noteClose(): void {
    this.#closed();
  }

  /**
   * Closes every socket: peers see 1006. When a worker reloads, those on a connection close with 1012, as Miniflare
   * closes them. An object that was `reset` sends nothing that still waits.
   */
  end(how: End): void {
    this.#end = how;
    for (const socket of this.#open) {
      if (isCoupled(socket)) continue;
      const restarts = how === "reloaded" && isCoupled(peerOf(socket));
      const lost: [number, string?] = hibernatableOf(socket) ? [1006, LOST_TEXT] : [1006];
      closeNow(socket, how === "reset", restarts ? [1012, "Service Restart"] : lost);
    }
    this.#open.clear();
    this.#closed();
  }
}

/** Makes a socket one of the object whose code runs. */
export function adopt(socket: WebSocket): void {
  const gate = currentEvents();
  if (gate === undefined || owners.has(socket)) return;
  own(socket, gate);
}

/** Makes a socket one of the object behind a gate. */
export function own(socket: WebSocket, gate: EventGate): void {
  owners.set(socket, gate);
  gate.object[kSockets].add(socket);
}

export function disown(socket: WebSocket): void {
  owners.get(socket)?.object[kSockets].delete(socket);
  owners.delete(socket);
}

function forgetIfOver(socket: WebSocket): void {
  owners.get(peerOf(socket))?.object[kSockets].noteClose();
  if (!isOver(socket)) return;
  for (const end of [socket, peerOf(socket)]) {
    if (!waits(end)) owners.get(end)?.object[kSockets].delete(end);
  }
}

/** Runs the listeners of an event as one event of the object. */
async function runListeners(dispatch: () => void): Promise<void> {
  const running: Promise<unknown>[] = [];
  results = running;
  try {
    dispatch();
  } finally {
    results = undefined;
  }
  const ends = await Promise.allSettled(running);
  const failures = ends.filter((end) => end.status === "rejected").map(({ reason }) => reason);
  for (const reason of failures.splice(1)) void Promise.reject(reason);
  if (failures.length > 0) throw failures[0];
}

/** Each event has a request context of its own, as in Miniflare. */
function eventContext(added: RequestContext | undefined): RequestContext {
  return new RequestContext({
    requestDepth: added?.requestDepth,
    pipelineDepth: added?.pipelineDepth,
    durableObject: true,
    externalSubrequestLimit: added?.externalSubrequestLimit ?? EXTERNAL_SUBREQUEST_LIMIT_BUNDLED,
  });
}

function wrapperOf(socket: WebSocket, listener: NonNullable<Listener>): (event: Event) => void {
  const known = wrappers.get(socket) ?? new Map();
  wrappers.set(socket, known);
  if (known.has(listener)) return known.get(listener);
  const added = getRequestContext();
  const call = async (event: Event) =>
    typeof listener === "function" ? listener(event) : listener.handleEvent(event);
  const wrapper = (event: Event) => {
    const result = eventContext(added).runWith(() => call(event));
    results?.push(result);
  };
  known.set(listener, wrapper);
  return wrapper;
}

const kSend = symbolOf(WebSocket.prototype, "kSend");
const kError = symbolOf(WebSocket.prototype, "kError");

// What comes in: events are those of the object that has accepted the socket.
replaceMethods(WebSocket.prototype, {
  accept: (accept) =>
    function (this: WebSocket) {
      if (hibernatableOf(this)) {
        throw new TypeError("Can't accept() WebSocket after enabling hibernation.");
      }
      // The code that accepts a socket gets its events, whichever code has it first.
      if (!isAccepted(this)) {
        disown(this);
        adopt(this);
      }
      accept.call(this);
    },

  addEventListener: (addEventListener) =>
    function (this: WebSocket, type: string, listener: Listener, ...options: unknown[]) {
      if (!listener || currentEvents() === undefined) {
        return addEventListener.call(this, type, listener, ...options);
      }
      adopt(this);
      const wrapper = wrapperOf(this, listener);
      return Reflect.apply(native.addEventListener, this, [type, wrapper, ...options]);
    },

  removeEventListener: (removeEventListener) =>
    function (this: WebSocket, type: string, listener: Listener, ...options: unknown[]) {
      const wrapper = wrappers.get(this)?.get(listener);
      if (wrapper) Reflect.apply(native.removeEventListener, this, [type, wrapper, ...options]);
      return removeEventListener.call(this, type, listener, ...options);
    },

  dispatchEvent: (dispatchEvent) =>
    function (this: WebSocket, event: Event) {
      const hibernatable = hibernatableOf(this);
      if (hibernatable?.socket === this) {
        hibernatable.deliver(event);
        return true;
      }
      const gate = owners.get(this);
      if (gate === undefined || isCoupled(this)) return dispatchEvent.call(this, event);
      gate.object[kEnter](gate, () => runListeners(() => dispatchEvent.call(this, event)));
      return true;
    },
});

// What goes out: frames are effects of the object.
replaceMethods(WebSocket.prototype, {
  /** A handler may answer a close that the object has begun: that is no error. */
  close: (close) =>
    function (this: WebSocket, code?: number, reason?: string) {
      if (!hibernatableOf(this)) return close.call(this, code, reason);
      const given = checkClose(code, reason);
      if (!hasClosed(this)) (Reflect.get(this, kClose) as Method).apply(this, given);
      return undefined;
    },

  [kSend]: (send) =>
    function (this: WebSocket, message: unknown) {
      frame(this, owners.get(this), () => send.call(this, message));
    },

  [kError]: (fail) =>
    function (this: WebSocket, error: unknown) {
      frame(this, owners.get(this), () => fail.call(this, error));
    },

  [kClose]: (close) =>
    function (this: WebSocket, code?: number, reason?: string) {
      const left = frame(this, owners.get(this), () => close.call(this, code, reason));
      if (left === undefined) forgetIfOver(this);
      else left.then(() => forgetIfOver(this));
    },
});
