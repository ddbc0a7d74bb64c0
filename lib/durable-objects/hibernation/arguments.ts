/** Checks the arguments of the members of `ctx` about hibernating WebSockets, with production's messages. */
import { WebSocket } from "@miniflare/web-sockets";
import { asString, WebSocketRequestResponsePair } from "./pair";

/** As in production. */
const TAGS_MAX = 10;
const TAG_BYTES_MAX = 256;
const RESPONSE_BYTES_MAX = 2048;
const TIMEOUT_MS_MAX = 604_800_000;
const UINT32_MAX = 4_294_967_295;

function wrongArgument(method: string, position: number, type: string): TypeError {
  return new TypeError(
    `Failed to execute '${method}' on 'DurableObjectState': parameter ${position} is not of type '${type}'.`,
  );
}

export function checkSocket(method: string, value: unknown): WebSocket {
  if (value instanceof WebSocket) return value;
  throw wrongArgument(method, 1, "WebSocket");
}

/** The tags of a socket, each once. */
export function checkTags(given: unknown): string[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw wrongArgument("acceptWebSocket", 2, "Array");
  const tags = new Set<string>();
  for (const tag of Array.from(given, asString)) {
    if (tags.size >= TAGS_MAX) {
      throw new Error(`a Hibernatable WebSocket cannot have more than ${TAGS_MAX} tags`);
    }
    if (Buffer.byteLength(tag) > TAG_BYTES_MAX) {
      throw new Error(`"${tag}" is longer than the max tag length (${TAG_BYTES_MAX} characters).`);
    }
    tags.add(tag);
  }
  return [...tags];
}

export function checkPair(given: unknown): { request: string; response: string } | undefined {
  if (given === undefined) return undefined;
  if (!(given instanceof WebSocketRequestResponsePair)) {
    throw wrongArgument("setWebSocketAutoResponse", 1, "WebSocketRequestResponsePair");
  }
  const { request, response } = given;
  checkSize("Request", request);
  checkSize("Response", response);
  return { request, response };
}

function checkSize(kind: "Request" | "Response", text: string): void {
  const size = Buffer.byteLength(text);
  if (size <= RESPONSE_BYTES_MAX) return;
  throw new RangeError(
    `${kind} cannot be larger than ${RESPONSE_BYTES_MAX} bytes. A ${kind.toLowerCase()} of size ${size} was provided.`,
  );
}

/** A timeout in ms. Without a value, or with 0, no timeout is set. */
export function checkTimeout(given: unknown): number | undefined {
  if (given === undefined || given === null) return undefined;
  const timeoutMs = asUint32(given);
  if (timeoutMs > TIMEOUT_MS_MAX) {
    throw new Error(`Event timeout should not exceed ${TIMEOUT_MS_MAX} ms.`);
  }
  return timeoutMs === 0 ? undefined : timeoutMs;
}

function asUint32(given: unknown): number {
  // Throws for a symbol and for a bigint.
  const number = Math.trunc(+(given as number));
  if (!Number.isFinite(number)) {
    throw new TypeError("The value cannot be converted because it is not an integer.");
  }
  if (number < 0) {
    throw new TypeError(
      "The value cannot be converted because it is negative and this API expects a positive number.",
    );
  }
  if (number > UINT32_MAX) {
    throw new TypeError(`Value out of range. Must be less than or equal to ${UINT32_MAX}.`);
  }
  return number;
}
