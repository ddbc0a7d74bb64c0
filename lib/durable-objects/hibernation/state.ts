/** The members of the state of a modern object that are about hibernating WebSockets. */
import type { WebSocket } from "@miniflare/web-sockets";
import { clearTimeout, setTimeout } from "../../shared/real-timers";
import {
  kBroken,
  kEnd,
  kHear,
  kIdle,
  kInstance,
  kReset,
  kRetire,
  kSleep,
  kSockets,
} from "../../shared/symbols";
import type { DurableObjectStorage } from "../../storage/storage";
import { isAccepted, peerOf } from "../frames";
import type { DurableObjectId } from "../id";
import { eventContext, type UsageModel } from "../request-context";
import { DurableObjectState, isDisposed, type StateOwner } from "../state";
import { checkPair, checkSocket, checkTags, checkTimeout } from "./arguments";
import type { Handler } from "./events";
import type { ObjectSockets } from "./object-sockets";
import { asString, WebSocketRequestResponsePair } from "./pair";
import { hibernatableOf, wasReturned } from "./registry";

// biome-ignore lint/suspicious/noExplicitAny: the handlers of any class
type Handlers = Record<string, ((...args: any[]) => unknown) | undefined>;

export class HibernatingState extends DurableObjectState {
  readonly #sockets: ObjectSockets;
  readonly #usageModel: UsageModel;
  readonly #report: StateOwner["report"];

  constructor(
    id: DurableObjectId,
    storage: DurableObjectStorage,
    owner: StateOwner,
    sockets: ObjectSockets,
    usageModel: UsageModel,
  ) {
    super(id, storage, owner);
    this.#sockets = sockets;
    this.#usageModel = usageModel;
    this.#report = owner.report;
    sockets.begin(this);
  }

  /** Accepts a socket in the place of its `accept()`. Its events go to `webSocketMessage()` and the other handlers. */
  acceptWebSocket(...[given, givenTags]: [socket: WebSocket, tags?: string[]]): void {
    const socket = checkSocket("acceptWebSocket", given);
    if (isAccepted(socket)) {
      throw new Error(
        "Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`",
      );
    }
    const peer = peerOf(socket);
    if (isAccepted(peer) || wasReturned(peer)) {
      throw new Error(
        "Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.",
      );
    }
    this.#sockets.accept(this, socket, checkTags(givenTags));
  }

  getWebSockets(tag?: string): WebSocket[] {
    return this.#sockets.list(this, tag === undefined ? undefined : asString(tag));
  }

  getTags(given: WebSocket): string[] {
    const socket = checkSocket("getTags", given);
    const hibernatable = hibernatableOf(socket);
    if (hibernatable !== undefined) return [...hibernatable.tags];
    if (isAccepted(socket)) throw new Error("only hibernatable websockets can have tags.");
    throw new Error(
      "you must call 'acceptWebSocket()' before attempting to access the tags of a WebSocket.",
    );
  }

  /** From now on a message that equals the request is answered without the object. */
  setWebSocketAutoResponse(pair?: InstanceType<typeof WebSocketRequestResponsePair>): void {
    this.#sockets.autoResponse = checkPair(pair);
  }

  getWebSocketAutoResponse(): InstanceType<typeof WebSocketRequestResponsePair> | null {
    const { autoResponse } = this.#sockets;
    if (autoResponse === undefined) return null;
    return new WebSocketRequestResponsePair(autoResponse.request, autoResponse.response);
  }

  getWebSocketAutoResponseTimestamp(given: WebSocket): Date | null {
    const socket = checkSocket("getWebSocketAutoResponseTimestamp", given);
    const respondedAtMs = hibernatableOf(socket)?.respondedAtMs;
    return respondedAtMs === undefined ? null : new Date(respondedAtMs);
  }

  /** How long the object waits for one of its handlers of WebSockets. */
  setHibernatableWebSocketEventTimeout(timeoutMs?: number): void {
    this.#sockets.eventTimeoutMs = checkTimeout(timeoutMs);
  }

  getHibernatableWebSocketEventTimeout(): number | null {
    return this.#sockets.eventTimeoutMs ?? null;
  }

  async [kHear](handler: Handler, args: readonly unknown[]): Promise<void> {
    const context = eventContext(this.#usageModel);
    try {
      await within(
        this.#sockets.eventTimeoutMs,
        context.runWith(async () => {
          const instance = this[kInstance] as unknown as Handlers | undefined;
          return instance?.[handler]?.(...args);
        }),
      );
    } catch (reason) {
      if (this[kBroken] === undefined && !isDisposed(reason)) this.#report(reason);
    }
  }

  [kSleep](): void {
    this.#sockets.sleep();
  }

  [kRetire](): void {
    this.#sockets.lose(this);
  }

  override [kReset](reason: unknown): void {
    super[kReset](reason);
    this.#sockets.lose(this);
  }

  override [kEnd](first?: () => void): boolean {
    const hasEnded = super[kEnd](first);
    if (hasEnded) this.#sockets.lose(this);
    return hasEnded;
  }

  /** A socket that does not hibernate keeps the object running. */
  override async [kIdle](): Promise<void> {
    await super[kIdle]();
    await this[kSockets].whenFree();
  }
}

/** Settles as `running` does, or resolves when the time is over. */
async function within(limitMs: number | undefined, running: Promise<unknown>): Promise<unknown> {
  if (limitMs === undefined) return running;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
    timer.unref?.();
  });
  try {
    return await Promise.race([running, over]);
  } finally {
    clearTimeout(timer);
  }
}
