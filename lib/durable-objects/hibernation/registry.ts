/** Tells which WebSockets were accepted for hibernation. Their events go to handlers of the object, and to no listener. */
import { WebSocket } from "@miniflare/web-sockets";

/** A socket that was accepted for hibernation. */
export interface Hibernatable {
  /** The object's end of it. Each hibernation makes another one. */
  readonly socket: WebSocket;
  readonly tags: readonly string[];
  /** When a message was last answered without the object. */
  readonly respondedAtMs: number | undefined;
  deliver(event: Event): void;
}

const accepted = new WeakMap<WebSocket, Hibernatable>();
/** Ends that objects have answered requests with. */
const returned = new WeakSet<WebSocket>();

export function noteHibernatable(end: WebSocket, hibernatable: Hibernatable): void {
  accepted.set(end, hibernatable);
}

/** What was accepted with this end, also if it has another end by now. */
export function hibernatableOf(end: WebSocket): Hibernatable | undefined {
  return accepted.get(end);
}

export function noteReturned(end: unknown): void {
  if (end instanceof WebSocket) returned.add(end);
}

export function wasReturned(end: WebSocket): boolean {
  return returned.has(end);
}
