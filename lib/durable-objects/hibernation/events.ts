/** Turns what happens to a WebSocket into calls of the object's handlers. */
import { types } from "node:util";
import type { CloseEvent, ErrorEvent, MessageEvent } from "@miniflare/web-sockets";
import { LOST_TEXT } from "../sockets";

export type Handler = "webSocketMessage" | "webSocketClose" | "webSocketError";

/** A handler, and what it is called with after the socket. */
export interface Call {
  readonly handler: Handler;
  readonly args: readonly unknown[];
}

const LOST_CODE = 1006;

export function callOf(event: Event): Call {
  if (event.type === "message") {
    return { handler: "webSocketMessage", args: [dataOf((event as MessageEvent).data)] };
  }
  if (event.type !== "close") {
    return { handler: "webSocketError", args: [(event as ErrorEvent).error] };
  }
  const { code, reason } = event as CloseEvent;
  const isLost = code === LOST_CODE;
  return { handler: "webSocketClose", args: [code, isLost ? LOST_TEXT : reason, !isLost] };
}

/** A text, or bytes of the receiver's own. */
function dataOf(data: unknown): string | ArrayBuffer {
  if (types.isAnyArrayBuffer(data)) return new Uint8Array(data).slice().buffer;
  if (!ArrayBuffer.isView(data)) return String(data);
  const { buffer, byteOffset, byteLength } = data;
  return new Uint8Array(buffer, byteOffset, byteLength).slice().buffer as ArrayBuffer;
}
