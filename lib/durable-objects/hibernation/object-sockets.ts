/**
 * The hibernating WebSockets of one object. They outlive its instances: while no instance runs, events wait for one, and
 * automatic answers need none.
 */
import type { WebSocket } from "@miniflare/web-sockets";
import { runWithGates } from "../../shared/gate-context";
import { kEnter, kEvents, kHear, kSockets } from "../../shared/symbols";
import type { EventGate } from "../event-gate";
import { acceptEnd, closeNow, isCoupled, peerOf, replaceEnd, sendBehind } from "../frames";
import { disown, type End, LOST_TEXT, own, Sockets } from "../sockets";
import { moveAttachment } from "./attachments";
import { type Call, callOf, type Handler } from "./events";
import { type Hibernatable, noteHibernatable } from "./registry";

/** A running instance of the object. */
export interface Instance {
  readonly [kEvents]: EventGate;
  readonly [kSockets]: Sockets;
  [kEnter](gate: EventGate, handler: () => Promise<void>): void;
  [kHear](handler: Handler, args: readonly unknown[]): Promise<void>;
}

/** What keeps the sockets of all objects. */
export interface Home {
  readonly savepoint: number;
  noteAsleep(key: string, sockets: ObjectSockets): void;
  noteOpen(sockets: ObjectSockets): void;
  noteEmpty(sockets: ObjectSockets): void;
}

/** As in production. */
const SOCKETS_MAX = 32_768;

export class ObjectSockets {
  autoResponse: { readonly request: string; readonly response: string } | undefined;
  eventTimeoutMs: number | undefined;
  readonly #key: string;
  readonly #home: Home;
  readonly #wake: () => void;
  /** The oldest one first. */
  readonly #accepted = new Set<Accepted>();
  #instance: Instance | undefined;
  /** The ends of the sockets while no instance runs. */
  #asleep = new Sockets();
  /** Events that have arrived meanwhile. */
  #waiting: (() => void)[] = [];

  /** `wake` constructs the object if it does not run. */
  constructor(key: string, home: Home, wake: () => void) {
    this.#key = key;
    this.#home = home;
    this.#wake = wake;
  }

  /** The sockets are those of this instance from now on. */
  begin(instance: Instance): void {
    this.#instance = instance;
    this.#asleep = new Sockets();
    for (const { socket } of this.#accepted) own(socket, instance[kEvents]);
    for (const deliver of this.#waiting.splice(0)) deliver();
  }

  /**
   * # Errors
   * An `Error` if the object has as many sockets as it can have.
   */
  accept(instance: Instance, socket: WebSocket, tags: readonly string[]): void {
    if (this.#accepted.size >= SOCKETS_MAX) {
      throw new Error(
        `only ${SOCKETS_MAX} websockets can be accepted on a single Durable Object instance`,
      );
    }
    const accepted = new Accepted(this, socket, tags, this.#home.savepoint);
    noteHibernatable(socket, accepted);
    disown(socket);
    own(socket, instance[kEvents]);
    if (this.#instance === instance) {
      this.#accepted.add(accepted);
      this.#home.noteOpen(this);
    } else accepted.isOver = true;
    acceptEnd(socket);
  }

  /** All sockets, the newest first; those with a tag, the oldest first, as in production. */
  list(instance: Instance, tag: string | undefined): WebSocket[] {
    if (this.#instance !== instance) return [];
    const all = [...this.#accepted];
    if (tag === undefined) return all.map(({ socket }) => socket).reverse();
    return all.filter(({ tags }) => tags.includes(tag)).map(({ socket }) => socket);
  }

  /** The sockets stay open without an instance. What the instance knows them by is closed. */
  sleep(): void {
    if (this.#instance === undefined) return;
    this.#instance = undefined;
    for (const accepted of this.#accepted) {
      const old = accepted.socket;
      disown(old);
      if (accepted.isOver) {
        this.#accepted.delete(accepted);
        continue;
      }
      accepted.replace(replaceEnd(old));
      this.#asleep.add(accepted.socket);
    }
    if (this.#accepted.size === 0) this.#home.noteEmpty(this);
    this.#home.noteAsleep(this.#key, this);
  }

  /** The instance has ended, and with it the sockets. */
  lose(instance: Instance): void {
    if (this.#instance !== instance) return;
    this.#instance = undefined;
    this.#forget();
  }

  /** Closes the sockets, which sleep. */
  end(how: End): void {
    this.#asleep.end(how);
    this.#forget();
  }

  /** Closes the sockets that were accepted in an inner savepoint of a test. */
  closeAbove(savepoint: number): void {
    for (const accepted of [...this.#accepted].filter((one) => one.savepoint > savepoint)) {
      const { socket } = accepted;
      accepted.isOver = true;
      closeNow(socket, false, [1006, LOST_TEXT]);
      disown(socket);
      this.#asleep.delete(socket);
      this.#drop(accepted);
    }
  }

  deliver(accepted: Accepted, event: Event): void {
    if (accepted.isOver) return;
    const call = callOf(event);
    if (call.handler !== "webSocketMessage") accepted.isOver = true;
    else if (this.#responds(accepted, call.args[0])) return;
    if (this.#instance !== undefined) this.#enter(accepted, call);
    else if (this.#waiting.push(() => this.#enter(accepted, call)) === 1) this.#wakeUp();
  }

  /** Answers a message without the object. */
  #responds(accepted: Accepted, data: unknown): boolean {
    if (this.autoResponse === undefined || data !== this.autoResponse.request) return false;
    accepted.respondedAtMs = Date.now();
    sendBehind(accepted.socket, this.autoResponse.response);
    return true;
  }

  #wakeUp(): void {
    // The gates of the sender do not count: the object wakes up for itself.
    runWithGates(undefined, undefined, this.#wake);
  }

  #enter(accepted: Accepted, { handler, args }: Call): void {
    const instance = this.#instance!;
    const { socket, isOver } = accepted;
    instance[kEnter](instance[kEvents], async () => {
      await instance[kHear](handler, [socket, ...args]);
      if (isOver) this.#drop(accepted);
    });
  }

  /** The peer does not exist any more. A connection has seen its end, another peer sees that of the object. */
  #drop(accepted: Accepted): void {
    this.#accepted.delete(accepted);
    if (this.#accepted.size === 0) this.#home.noteEmpty(this);
    if (isCoupled(peerOf(accepted.socket))) disown(accepted.socket);
  }

  #forget(): void {
    for (const accepted of this.#accepted) accepted.isOver = true;
    this.#accepted.clear();
    this.#waiting = [];
    this.#home.noteEmpty(this);
  }
}

class Accepted implements Hibernatable {
  readonly #sockets: ObjectSockets;
  readonly tags: readonly string[];
  readonly savepoint: number;
  socket: WebSocket;
  respondedAtMs: number | undefined;
  /** No further event is delivered. */
  isOver = false;

  constructor(
    sockets: ObjectSockets,
    socket: WebSocket,
    tags: readonly string[],
    savepoint: number,
  ) {
    this.#sockets = sockets;
    this.socket = socket;
    this.tags = tags;
    this.savepoint = savepoint;
  }

  deliver(event: Event): void {
    this.#sockets.deliver(this, event);
  }

  replace(end: WebSocket): void {
    moveAttachment(this.socket, end);
    noteHibernatable(end, this);
    this.socket = end;
  }
}
