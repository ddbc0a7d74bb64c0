/** Sends the frames of a WebSocket in order, each when what its object had written by then is durable. */
import { OutputGate } from "@miniflare/shared";
import { WebSocket, WebSocketPair } from "@miniflare/web-sockets";
import { runWithGates, runWithOutputGate } from "../shared/gate-context";
import { symbolOf } from "../shared/symbol-of";
import { kLeave } from "../shared/symbols";
import { currentEffects } from "../storage/gates";
import type { EventGate } from "./event-gate";

type Close = (code?: number, reason?: string) => void;

/** What Miniflare's class keeps under symbols. */
type Members = Record<symbol, unknown>;

export const kClose = symbolOf(WebSocket.prototype, "kClose");

const [probe] = Object.values(new WebSocketPair()) as [WebSocket];
const kPair = symbolOf(probe, "kPair");
const kAccepted = symbolOf(probe, "kAccepted");
const kCoupled = symbolOf(probe, "kCoupled");
const kClosedOutgoing = symbolOf(probe, "kClosedOutgoing");
const kClosedIncoming = symbolOf(probe, "kClosedIncoming");
const kSend = symbolOf(WebSocket.prototype, "kSend");

/** Miniflare's own methods, which send at once behind no gate. */
const close = Reflect.get(WebSocket.prototype, kClose) as Close;
const send = Reflect.get(WebSocket.prototype, kSend) as (message: string) => void;
/** Miniflare's own method, which knows nothing of objects. */
const { accept } = WebSocket.prototype;

/** The last frame of a socket that waits. */
const turns = new WeakMap<WebSocket, Promise<void>>();
/** Sockets whose object was reset. What waited to be sent is dropped. */
const dropped = new WeakSet<WebSocket>();

/** Miniflare's class waits for the output gate before it sends a frame. */
class Turn extends OutputGate {
  readonly #turn: Promise<void>;

  constructor(turn: Promise<void>) {
    super();
    this.#turn = turn;
  }

  override waitForOpen(): Promise<void> {
    return this.#turn;
  }
}

export function isAccepted(socket: WebSocket): boolean {
  return (socket as unknown as Members)[kAccepted] === true;
}

/** Whether an end is coupled with a connection. */
export function isCoupled(socket: WebSocket): boolean {
  return (socket as unknown as Members)[kCoupled] === true;
}

/** Accepts an end: what its peer has sent before is dispatched now. */
export function acceptEnd(socket: WebSocket): void {
  accept.call(socket);
}

export function hasClosed(socket: WebSocket): boolean {
  return (socket as unknown as Members)[kClosedOutgoing] === true;
}

/** Whether the other end has closed, or was lost. */
export function hasHeardClose(socket: WebSocket): boolean {
  return (socket as unknown as Members)[kClosedIncoming] === true;
}

/**
 * Puts another end in the place of one whose object goes to sleep: the peer goes on with the new end. The old one is
 * closed for good.
 */
export function replaceEnd(old: WebSocket): WebSocket {
  const [fresh] = Object.values(new WebSocketPair()) as [WebSocket];
  const from = old as unknown as Members;
  const to = fresh as unknown as Members;
  for (const key of [kPair, kAccepted, kClosedOutgoing, kClosedIncoming]) to[key] = from[key];
  (from[kPair] as Members)[kPair] = fresh;
  from[kClosedOutgoing] = true;
  from[kClosedIncoming] = true;
  const turn = turns.get(old);
  if (turn !== undefined) turns.set(fresh, turn);
  return fresh;
}

/** Sends a text for an object, which is not asked: behind the frames that wait, but behind no gate. */
export function sendBehind(socket: WebSocket, text: string): void {
  if (hasClosed(socket)) return;
  runWithGates(undefined, undefined, () => frame(socket, undefined, () => send.call(socket, text)));
}

export function peerOf(socket: WebSocket): WebSocket {
  return (socket as unknown as Members)[kPair] as WebSocket;
}

export function isOver(socket: WebSocket): boolean {
  return socket.readyState === WebSocket.READY_STATE_CLOSED;
}

/**
 * Lets `send` send a frame in its turn, at once if it has to wait for nothing. `send` always checks its arguments at
 * once. A frame whose object could not make its writes durable never leaves.
 *
 * Returns what resolves when the frame has left, or nothing if it has left at once.
 */
export function frame(
  socket: WebSocket,
  owner: EventGate | undefined,
  send: () => void,
): Promise<void> | undefined {
  // What a connection has received enters an object, and leaves none.
  if (isCoupled(socket)) {
    runWithGates(undefined, undefined, send);
    return undefined;
  }
  const effects = currentEffects();
  const written = effects ? effects.leave() : owner?.object[kLeave]();
  const before = turns.get(socket);
  if (written === undefined && before === undefined) {
    send();
    return undefined;
  }
  const never = new Promise<void>(() => {});
  const turn = Promise.all([before, written]).then(
    () => (dropped.has(socket) ? never : undefined),
    () => never,
  );
  runWithOutputGate(new Turn(turn), send);
  turns.set(socket, turn);
  return turn.then(() => {
    if (turns.get(socket) === turn) turns.delete(socket);
  });
}

/** Whether a frame of a socket waits. */
export function waits(socket: WebSocket): boolean {
  return turns.has(socket);
}

/** Closes a socket whose object is not its own any more; with `drops`, what still waits is not sent. */
export function closeNow(
  socket: WebSocket,
  drops: boolean,
  how: [code: number, reason?: string],
): void {
  const members = socket as unknown as Members;
  // A close that has not been sent does not count.
  if (drops && turns.has(socket)) members[kClosedOutgoing] = false;
  if (members[kClosedOutgoing]) return;
  if (!drops) {
    runWithGates(undefined, undefined, () => (members[kClose] as Close).apply(socket, how));
    return;
  }
  dropped.add(socket);
  turns.delete(socket);
  runWithGates(undefined, undefined, () => close.apply(socket, how));
}
