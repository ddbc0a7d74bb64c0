/** Keeps a value with a WebSocket, also while its object sleeps: `serializeAttachment()` and `deserializeAttachment()`. */
import { WebSocket } from "@miniflare/web-sockets";
import { ByteWriter, decode, encode } from "../../codec";
import { copyPlainly, dataCloneError, HOST, type Realm } from "../../rpc";
import { currentEvents } from "../event-gate";

/** As in production. */
const ATTACHMENT_BYTES_MAX = 16_384;

const writer = new ByteWriter();
const attachments = new WeakMap<WebSocket, Uint8Array>();
/** The realms of objects, for what their code reads. */
const realms = new WeakMap<object, Realm>();

/** Values that code of an object reads are objects of its realm. */
export function noteRealm(object: object, realm: Realm): void {
  realms.set(object, realm);
}

export function moveAttachment(from: WebSocket, to: WebSocket): void {
  const bytes = attachments.get(from);
  if (bytes !== undefined) attachments.set(to, bytes);
}

/**
 * # Errors
 * A `DataCloneError` for what V8 cannot clone.
 */
function bytesOf(value: unknown): Uint8Array {
  const start = writer.length;
  try {
    encode(value, writer);
    return Uint8Array.from(writer.bytes.subarray(start, writer.length));
  } catch (error) {
    throw isUncloneable(error) ? dataCloneError(error.message) : error;
  } finally {
    writer.length = start;
    writer.trim();
  }
}

/** Node.js's serializer throws plain errors. */
function isUncloneable(error: unknown): error is Error {
  return error instanceof Error && error.message.endsWith(" could not be cloned.");
}

function checkReceiver(value: unknown): void {
  if (value instanceof WebSocket) return;
  throw new TypeError(
    "Illegal invocation: function called with incorrect `this` reference. See https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.",
  );
}

const METHODS = {
  serializeAttachment(this: WebSocket, ...given: [value: unknown]): void {
    checkReceiver(this);
    if (given.length < 1) {
      throw new TypeError(
        "Failed to execute 'serializeAttachment' on 'WebSocket': parameter 1 is not of type 'JsValue'.",
      );
    }
    const bytes = bytesOf(given[0]);
    if (bytes.length > ATTACHMENT_BYTES_MAX) {
      throw new Error(
        `A WebSocket 'attachment' cannot be larger than ${ATTACHMENT_BYTES_MAX} bytes.'attachment' was ${bytes.length} bytes.`,
      );
    }
    attachments.set(this, bytes);
  },

  deserializeAttachment(this: WebSocket): unknown {
    checkReceiver(this);
    const bytes = attachments.get(this);
    if (bytes === undefined) return null;
    const value = decode(bytes, 0, bytes.length);
    const realm = realms.get(currentEvents()?.object ?? this) ?? HOST;
    return realm === HOST ? value : copyPlainly(value, realm);
  },
};

for (const [name, value] of Object.entries(METHODS)) {
  Object.defineProperty(WebSocket.prototype, name, { value, writable: true, configurable: true });
}
