/** Lets the events of an object enter one after the other, in order of arrival, while its input gate is open. */
import { type Awaitable, InputGate } from "@miniflare/shared";
import type { WebSocket } from "@miniflare/web-sockets";
import { currentInputGate, runWithInputGate } from "../shared/gate-context";
import type { kEnter, kLeave, kSockets } from "../shared/symbols";

/** The object that events of a gate belong to. */
export interface GatedObject {
  readonly [kSockets]: {
    add(socket: WebSocket): void;
    delete(socket: WebSocket): void;
    noteClose(): void;
  };
  [kEnter](gate: EventGate, handler: () => Awaitable<unknown>): void;
  [kLeave](): Promise<void> | undefined;
}

/** On a gate: lets the next event enter if the gate is open. */
const kLook = Symbol("kLook");

// Taken when the module is loaded, so that a test's fake timers do not hold events back.
const { setImmediate } = globalThis;

function look(gate: EventGate): void {
  gate[kLook]();
}

/** The gate that events started by the running code have to pass; nothing outside objects. */
export function currentEvents(): EventGate | undefined {
  const gate = currentInputGate();
  return gate instanceof EventGate ? gate : undefined;
}

/**
 * One event enters in a turn of the event loop, so that it can close the gate before the next one enters.
 *
 * What closes the gate runs behind an inner gate, which stays open for events that it has started itself. When it has
 * ended, such events belong to the outer gate. Closing a gate closes the outer ones too.
 */
export class EventGate extends InputGate {
  readonly object: GatedObject;
  readonly #outer: EventGate | undefined;
  /** How many operations have closed the gate. */
  #locks = 0;
  /** Events that have arrived and have not entered, in order. */
  #arrived: (() => void)[] = [];
  /** How many turns of the event loop will look whether an event can enter. */
  #looks = 0;
  /** For an inner gate: what closed the outer gate has ended. For an outermost one: no event enters any more. */
  #ended = false;
  /** Settles when the last of the sections that were started has ended, with all sections inside it. */
  #lastSection: Promise<void> | undefined;

  constructor(object: GatedObject, outer?: EventGate) {
    super(outer);
    this.object = object;
    this.#outer = outer;
  }

  /** Resolves when it is the event's turn; never once the object has ended. */
  override waitForOpen(): Promise<void> {
    if (this.#ended) return this.#outer?.waitForOpen() ?? new Promise(() => {});
    return new Promise((resolve) => {
      this.#arrived.push(resolve);
      this.#lookLater();
    });
  }

  /** Runs `closure` behind an inner gate. */
  override async runWithClosed<T>(closure: () => Promise<T>): Promise<T> {
    if (this.#ended && this.#outer) return this.#outer.runWithClosed(closure);
    this.#lock();
    await undefined;
    const inner = new EventGate(this.object, this);
    try {
      return await runWithInputGate(inner, closure);
    } finally {
      inner.end();
      setImmediate(() => this.#unlock(false));
    }
  }

  /** Runs `closure` like `runWithClosed()`, after the sections of this gate that were started before. */
  async runSection<T>(closure: () => Promise<T>): Promise<T> {
    if (this.#ended && this.#outer) return this.#outer.runSection(closure);
    this.#lock();
    const before = this.#lastSection;
    let finish!: () => void;
    this.#lastSection = new Promise((resolve) => {
      finish = resolve;
    });
    await before;
    const inner = new EventGate(this.object, this);
    try {
      return await runWithInputGate(inner, closure);
    } finally {
      inner.end();
      if (inner.#lastSection) inner.#lastSection.then(finish);
      else finish();
      setImmediate(() => this.#unlock(false));
    }
  }

  /** Ends an inner gate, whose events go on to the outer one, or drops the events of an outermost gate for good. */
  end(): void {
    this.#ended = true;
    const left = this.#arrived;
    this.#arrived = [];
    if (left.length > 0 && this.#outer) this.#outer.#adopt(left);
  }

  #adopt(events: (() => void)[]): void {
    if (this.#ended) {
      if (this.#outer) this.#outer.#adopt(events);
      return;
    }
    this.#arrived.push(...events);
    if (this.#looks === 0) this.#lookLater();
  }

  #lock(): void {
    this.#locks++;
    if (this.#outer) this.#outer.#lock();
  }

  /** `entered` says whether an event has entered in this turn of the event loop. */
  #unlock(entered: boolean): void {
    this.#locks--;
    const enters = entered ? false : this.#enterNext();
    if (this.#locks === 0 && this.#arrived.length > 0 && this.#looks === 0) this.#lookLater();
    if (this.#outer) this.#outer.#unlock(entered || enters);
  }

  #lookLater(): void {
    this.#looks++;
    setImmediate(look, this);
  }

  [kLook](): void {
    this.#looks--;
    this.#enterNext();
    if (this.#locks === 0 && this.#arrived.length > 0 && this.#looks === 0) this.#lookLater();
  }

  #enterNext(): boolean {
    if (this.#locks > 0) return false;
    const enter = this.#arrived.shift();
    enter?.();
    return enter !== undefined;
  }
}
