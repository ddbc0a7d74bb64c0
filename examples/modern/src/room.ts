// A room of the chat: it remembers what was said, and tells it to everyone whose socket is open.
import { DurableObject } from "cloudflare:workers";

export interface Env {
  ROOM: DurableObjectNamespace<Room>;
  REMEMBER_MS: number;
}

export interface Message {
  from: string;
  text: string;
  at: number;
}

const PREFIX = "message:";

export class Room extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // Answered without waking the room.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** Opens the socket of one user. */
  override async fetch(request: Request): Promise<Response> {
    const user = new URL(request.url).searchParams.get("user") ?? "guest";
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [user]);
    server.serializeAttachment({ user });
    this.tell({ joined: user });
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, text: string | ArrayBuffer): Promise<void> {
    const { user } = socket.deserializeAttachment() as { user: string };
    if (typeof text === "string") await this.say(user, text);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    const { user } = socket.deserializeAttachment() as { user: string };
    socket.close(1000);
    this.tell({ left: user }, socket);
  }

  /** Says something in the room; callable from the worker and from tests. */
  async say(from: string, text: string): Promise<Message> {
    const message: Message = { from, text, at: Date.now() };
    const count = ((await this.ctx.storage.get<number>("count")) ?? 0) + 1;
    const key = PREFIX + String(count).padStart(8, "0");
    await this.ctx.storage.put({ count, [key]: message });
    if ((await this.ctx.storage.getAlarm()) === null) {
      await this.ctx.storage.setAlarm(message.at + this.env.REMEMBER_MS);
    }
    this.tell({ message });
    return message;
  }

  /** The last messages, the oldest first. */
  async history(limit = 50): Promise<Message[]> {
    const options = { prefix: PREFIX, reverse: true, limit };
    const found = await this.ctx.storage.list<Message>(options);
    return [...found.values()].reverse();
  }

  /** Who is here. */
  people(): string[] {
    return this.ctx.getWebSockets().map((socket) => socket.deserializeAttachment().user);
  }

  /** Forgets what is old. */
  override async alarm(): Promise<void> {
    const messages = await this.ctx.storage.list<Message>({ prefix: PREFIX });
    const limit = Date.now() - this.env.REMEMBER_MS;
    const old = [...messages].filter(([, { at }]) => at <= limit).map(([key]) => key);
    await this.ctx.storage.delete(old);
    const next = [...messages.values()].find(({ at }) => at > limit);
    if (next !== undefined) await this.ctx.storage.setAlarm(next.at + this.env.REMEMBER_MS);
  }

  private tell(event: object, except?: WebSocket): void {
    for (const socket of this.ctx.getWebSockets()) {
      if (socket !== except) socket.send(JSON.stringify(event));
    }
  }
}
